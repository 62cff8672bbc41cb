package docs_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/uwsgo/uwsgo/"

// imports returns what each package of the module imports of it, by folders, apart from
// tests. Packages that are only tests have no entry.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() && (name != ".." && strings.HasPrefix(base, ".") || base == "testdata" || base == "build" || base == "examples") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") || base == "doc.go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(name)), "../")
		found[pkg] = append(found[pkg], "")
		for _, i := range file.Imports {
			to, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if to, ours := strings.CutPrefix(to, module); ours {
				found[pkg] = append(found[pkg], to)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// room returns the room that a package is in: the one with the longest name that covers it.
func room(rooms map[string][]string, pkg string) string {
	for ; pkg != "."; pkg = path.Dir(pkg) {
		if _, ok := rooms[pkg]; ok {
			return pkg
		}
	}
	return ""
}

var drawn = regexp.MustCompile("(?s)```imports\n(.*?)```")

// TestImportsAreDrawn compares the drawing of architecture.md with the sources: each arrow
// is there, and none else.
func TestImportsAreDrawn(t *testing.T) {
	m := drawn.FindStringSubmatch(read(t, "architecture.md"))
	if m == nil {
		t.Fatal("architecture.md draws no imports")
	}
	rooms := map[string][]string{}
	for line := range strings.Lines(m[1]) {
		from, to, ok := strings.Cut(strings.TrimSpace(line), "→")
		if !ok {
			t.Fatalf("%q is no arrow", line)
		}
		rooms[strings.TrimSpace(from)] = slices.DeleteFunc(strings.Fields(to), func(word string) bool { return word == "nothing" })
	}
	real := map[string]map[string]string{} // room to room: who does it
	for pkg, list := range imports(t) {
		from := room(rooms, pkg)
		if from == "" {
			t.Errorf("%s is in no room that is drawn", pkg)
			continue
		}
		for _, to := range list {
			if into := room(rooms, to); to != "" && into != from {
				if real[from] == nil {
					real[from] = map[string]string{}
				}
				real[from][into] = pkg + " imports " + to
			}
		}
	}
	for from, list := range rooms {
		for _, to := range list {
			if real[from][to] == "" {
				t.Errorf("drawn is %s → %s, which no package does", from, to)
			}
			delete(real[from], to)
		}
		for _, to := range slices.Sorted(maps.Keys(real[from])) {
			t.Errorf("%s, and %s → %s is not drawn", real[from][to], from, to)
		}
	}
}

var named = regexp.MustCompile("`([a-z0-9/-]+)`")

// TestHouseIsComplete: the table of packages has each one of them, and no other.
func TestHouseIsComplete(t *testing.T) {
	_, house, _ := strings.Cut(read(t, "architecture.md"), "## The house")
	house, _, _ = strings.Cut(house, "\n## ")
	packages := imports(t)
	listed := map[string]bool{}
	for line := range strings.Lines(house) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, m := range named.FindAllStringSubmatch(cells[1], -1) {
			listed[m[1]] = true
			if _, ok := packages[m[1]]; !ok {
				t.Errorf("the house has no package %s", m[1])
			}
		}
	}
	for pkg := range packages {
		if !listed[pkg] && !strings.HasPrefix(pkg, "bench/") {
			t.Errorf("the house does not list %s", pkg)
		}
	}
}
