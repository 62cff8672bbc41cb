package wsgi

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const embedding = "../../docs/embedding.md"

// TestEmbeddingDoc holds the programs in docs/embedding.md to be those examples that
// are named above them, so that what people copy has been compiled and run.
func TestEmbeddingDoc(t *testing.T) {
	b, err := os.ReadFile(embedding)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)<!-- handler/wsgi/(\\w+\\.go) -->\n```go\n.*?```\n")
	n := 0
	got := block.ReplaceAllStringFunc(string(b), func(s string) string {
		n++
		file := block.FindStringSubmatch(s)[1]
		return "<!-- handler/wsgi/" + file + " -->\n```go\n" + program(t, file) + "```\n"
	})
	if n < 2 {
		t.Errorf("%d programs, want 2 or more", n)
	}
	if *update {
		if err := os.WriteFile(embedding, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(b), got); diff != "" {
		t.Errorf("%s differs from the examples: run go test ./handler/wsgi -update (-doc +examples):\n%s", embedding, diff)
	}
}

// program returns the example in a file as a program.
func program(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ from, to string }{
		{`package wsgi_test`, `package main`},
		{`func Example\w*\(`, `func main(`},
		{`\n\n.* // test\n`, "\n"},
		{`(?s)\t// Output:.*`, "}\n"},
	} {
		b = regexp.MustCompile(r.from).ReplaceAll(b, []byte(r.to))
	}
	return string(b)
}
