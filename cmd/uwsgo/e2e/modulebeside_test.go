package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
)

var updateModule = flag.Bool("update-module", false, "write the tables of docs/module.md anew")

// besideApp evaluates the expressions of a file, and tells which names the module has.
const besideApp = `
import json, os, time
import uwsgi

def handler(signum):
    pass

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    if environ["PATH_INFO"] == "/names":
        return [json.dumps(sorted(n for n in dir(uwsgi) if n[0] != "_")).encode()]
    if environ["PATH_INFO"] == "/ready":
        return [b""]
    found = []
    with open("calls.txt") as f:
        for line in f:
            if line[0] == "#":
                continue
            if line[0] == "!":
                line = line[2:]
                if not hasattr(uwsgi, "__getattr__"):
                    found.append("…")
                    continue
            try:
                found.append(repr(eval(line, globals(), locals())))
            except BaseException as e:
                found.append("raises " + type(e).__name__)
    return [json.dumps(found).encode()]
`

const (
	callsFile  = "testdata/module/calls.txt"
	moduleDoc  = "../../../docs/module.md"
	beginTable = "<!-- generated: go test ./cmd/uwsgo/e2e -run TestModuleBeside -update-module -->\n"
)

func askJSON(t *testing.T, s *server, path string, into any) {
	t.Helper()
	a := get(t, "http://"+s.address+path)
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", path, err, a.body, s.log)
	}
}

// TestModuleBeside evaluates the same expressions in both servers, and compares what comes
// of each with the table of docs/module.md.
func TestModuleBeside(t *testing.T) {
	t.Parallel()
	calls, err := os.ReadFile(callsFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "app.py", besideApp)
	write(t, dir, "calls.txt", string(calls))
	write(t, dir, "data.txt", "some data")
	write(t, dir, "packet", "\x00\x0c\x00\x00\x01\x00a\x02\x00bc\x01\x00d\x00\x00")
	servers := beside(t, dir, "--processes", "2", "--locks", "2", "--env", "A=1", "--env", "B=2", "--enable-threads", "--worker-reload-mercy", "4")

	results := map[string][]string{}
	names := map[string][]string{}
	for name, s := range servers {
		var found, all []string
		askJSON(t, s, "/calls", &found)
		askJSON(t, s, "/names", &all)
		results[name], names[name] = found, all
	}
	var lines []string
	for line := range strings.Lines(string(calls)) {
		if line[0] != '#' {
			lines = append(lines, strings.TrimSpace(strings.TrimPrefix(line, "! ")))
		}
	}
	if len(lines) < 200 || len(lines) != len(results["uwsgo"]) || len(lines) != len(results["uWSGI"]) {
		t.Fatalf("%d expressions, %d and %d results", len(lines), len(results["uwsgo"]), len(results["uWSGI"]))
	}
	for _, name := range names["uWSGI"] {
		if !slices.Contains(names["uwsgo"], name) && name != "env" {
			t.Errorf("uWSGI has uwsgi.%s, uwsgo does not", name)
		}
	}

	got := moduleTable(lines, results["uwsgo"], results["uWSGI"])
	doc, err := os.ReadFile(moduleDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, was, _ := strings.Cut(string(doc), beginTable)
	if *updateModule {
		if err := os.WriteFile(moduleDoc, []byte(before+beginTable+got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if was != got {
		t.Errorf("docs/module.md tells otherwise: run with -update-module\n%s", differences(was, got))
	}
}

// TestModuleNames has both servers tell the names that they have with all the options that
// bring some.
func TestModuleNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "app.py", besideApp)
	if err := os.Mkdir(filepath.Join(dir, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	servers := beside(t, dir, "--worker-reload-mercy", "4", "--spooler", "spool", "--sharedarea", "1", "--queue", "10", "--cache2", "name=x,items=10", "--snmp=127.0.0.1:"+freePort(t))
	names := map[string][]string{}
	for name, s := range servers {
		var all []string
		askJSON(t, s, "/names", &all)
		names[name] = all
	}
	for _, name := range names["uWSGI"] {
		if !slices.Contains(names["uwsgo"], name) && name != "env" {
			t.Errorf("uWSGI has uwsgi.%s with an option, uwsgo does not", name)
		}
	}
}

// differences returns the lines that only one of two texts has.
func differences(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	var found []string
	for _, line := range x {
		if !slices.Contains(y, line) {
			found = append(found, "- "+line)
		}
	}
	for _, line := range y {
		if !slices.Contains(x, line) {
			found = append(found, "+ "+line)
		}
	}
	return strings.Join(found, "\n")
}

var nameOf = regexp.MustCompile(`uwsgi\.(\w+)`)

// moduleTable is a table of the names, and one of the expressions that differ.
func moduleTable(lines, ours, theirs []string) string {
	status := map[string]string{}
	var differing strings.Builder
	same := 0
	for i, line := range lines {
		m := nameOf.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		was := status[m[1]]
		switch {
		case ours[i] == theirs[i]:
			same++
			if was == "" {
				status[m[1]] = "same"
			}
			continue
		case ours[i] == "raises NotImplementedError":
			status[m[1]] = "raises"
		case was != "raises":
			status[m[1]] = "differs"
		}
		fmt.Fprintf(&differing, "| `%s` | `%s` | `%s` |\n", escapeCell(line), escapeCell(theirs[i]), escapeCell(ours[i]))
	}
	groups := map[string][]string{}
	for name, s := range status {
		groups[s] = append(groups[s], "`"+name+"`")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nOf %d expressions %d give the same.\n\n| | names |\n|---|---|\n", len(lines), same)
	for _, s := range []string{"same", "differs", "raises"} {
		sort.Strings(groups[s])
		fmt.Fprintf(&b, "| %s | %s |\n", s, strings.Join(groups[s], " "))
	}
	b.WriteString("\n| expression | uWSGI | uwsgo |\n|---|---|---|\n")
	b.WriteString(differing.String())
	return b.String()
}

func escapeCell(s string) string {
	return strings.NewReplacer("|", "\\|", "`", "'").Replace(s)
}
