package engine

import (
	"os"
	"strings"
	"testing"
)

// The programs of docs/layers.md are those of the example.
func TestLayersPage(t *testing.T) {
	page, err := os.ReadFile("../docs/layers.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_layers_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```go\n")[1:]
	if len(blocks) != 5 {
		t.Errorf("%d programs", len(blocks))
	}
	for _, b := range blocks {
		code, _, _ := strings.Cut(b, "\n```")
		if !strings.Contains(string(source), code) {
			t.Errorf("not in the example:\n%s", code)
		}
	}
}
