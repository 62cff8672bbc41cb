// Package docs_test holds the pages to what they speak of.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinks finds links to files that are not there.
func TestLinks(t *testing.T) {
	pages := []string{filepath.Join("..", "README.md")}
	for _, pattern := range []string{"*.md", "*/*.md", "*/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	for _, page := range pages {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}

var quoted = regexp.MustCompile("`([a-z0-9-]+)`")

// TestUnsupportedOptions compares the list of compatibility.md with options.md,
// which is written from the table.
func TestUnsupportedOptions(t *testing.T) {
	_, list, _ := strings.Cut(read(t, "compatibility.md"), "## Not supported yet")
	_, known, _ := strings.Cut(read(t, "options.md"), "## Known from uWSGI, not supported yet")
	for line := range strings.Lines(list) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(line, -1) {
			if !strings.Contains(known, m[0]) {
				t.Errorf("compatibility.md: options.md does not know %s as an option that is not supported", m[1])
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
