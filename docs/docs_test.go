// Package docs_test holds the pages to what they speak of.
package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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

var record = regexp.MustCompile(`^(\d{4})-[a-z0-9-]+\.md$`)

// TestDecisions finds records that share a number, and such as their index does not
// list under it.
func TestDecisions(t *testing.T) {
	index := read(t, filepath.Join("decisions", "README.md"))
	files, err := os.ReadDir("decisions")
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, f := range files {
		if f.Name() == "README.md" {
			continue
		}
		m := record.FindStringSubmatch(f.Name())
		if m == nil {
			t.Errorf("decisions/%s: want a name such as 0001-a-title.md", f.Name())
			continue
		}
		n, _ := strconv.Atoi(m[1])
		if n == last {
			t.Errorf("decisions/%s: another record has that number", f.Name())
		}
		last = n
		if row := fmt.Sprintf("| %d | [", n); !strings.Contains(index, row) || !strings.Contains(index, "]("+f.Name()+") |") {
			t.Errorf("decisions/README.md does not list %s under %d", f.Name(), n)
		}
		if head := fmt.Sprintf("# %d. ", n); !strings.HasPrefix(read(t, filepath.Join("decisions", f.Name())), head) {
			t.Errorf("decisions/%s: want a first line that begins with %q", f.Name(), head)
		}
	}
}

// TestPerformanceIsOnePage: what does not fit is for the page in the browser.
func TestPerformanceIsOnePage(t *testing.T) {
	const most = 2500
	page := read(t, "performance.md")
	if n := len(strings.Fields(page)); n > most {
		t.Errorf("performance.md has %d words, more than the %d of a page", n, most)
	}
	for _, want := range []string{"## Summary", "## Where uwsgo loses", "uwsgo-bench ", "nginx+uwsgo-http"} {
		if !strings.Contains(page, want) {
			t.Errorf("performance.md lacks %q", want)
		}
	}
}

var quoted = regexp.MustCompile("`([a-z0-9-]+)`")

// TestUnsupportedOptions compares the list of compatibility.md with options.md,
// which is written from the table.
func TestUnsupportedOptions(t *testing.T) {
	_, list, _ := strings.Cut(read(t, "compatibility.md"), "## Not supported yet")
	_, known, _ := strings.Cut(read(t, "options.md"), "## Ends the start")
	known, rest, _ := strings.Cut(known, "## Accepted without effect")
	_, rest, _ = strings.Cut(rest, "## Known from uWSGI, not supported yet")
	known += rest
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
