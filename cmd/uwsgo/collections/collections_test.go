package collections

import (
	"bufio"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	report  = flag.String("report", "", "write the table to this file; without it nothing runs")
	program = flag.String("program", "", "the uwsgo to compare, an absolute path")
)

//go:embed stage.py
var stagePy []byte

//go:embed stage.sh
var stageSh string

// hangs bounds one server: reference uWSGI may hang, and then takes no polite signal.
const hangs = 60 * time.Second

// A file is one configuration file, in one use of it.
type file struct {
	collection, id, root, arg string
	env, extra                map[string]string
}

// seen is what stage.py saw of one server.
type seen struct {
	Alive           bool
	Answers         map[string]string
	Logged, Started []string
	Made            map[string][3]any
	Others, Losses  []string
	Routed          []string // files of named loggers
	Options, Check  int
	Tail, Error     string
	Checked         string // what uwsgo check has said
}

// accepted says why a start may differ, by what uWSGI says.
var accepted = []struct{ says, why string }{
	{`.pid"): Permission denied`, "uWSGI ends as daemonize2 writes the pid file anew without root; it has no PyPy here either"},
	{"no python application found", "uWSGI runs without an app that does not load, and uwsgo ends and says why"},
	{"no app loaded. going in full dynamic mode", "uWSGI runs without an app, and uwsgo ends and says why"},
	{"unknown config directive: route", "this uWSGI is built without routes"},
	{"unknown config directive: log-route", "this uWSGI is built without PCRE"},
	{"unknown config directive: alarm", "this uWSGI is built without alarms"},
	{"invalid alarm:", "this uWSGI is built without the plugin of an alarm"},
	{"FATAL hook failed, destroying instance", "uWSGI means to end at a hook that fails, and goes on; uwsgo ends"},
}

// TestCollections starts every file beside reference uWSGI.
func TestCollections(t *testing.T) {
	if *report == "" {
		t.Skip("SKIP: make collections runs it, for some minutes")
	}
	dir := cmp.Or(os.Getenv("UWSGO_CORPORA"), "../../../../shared/corpora")
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIP: no collections of configurations at %s; UWSGO_CORPORA names the folder of all", dir)
	}
	testenv := os.Getenv("UWSGO_TESTENV")
	if os.Getuid() != 0 || exec.Command("unshare", "-mnp", "--fork", "true").Run() != nil {
		t.Skip("SKIP: namespaces of mounts, network and processes need root and unshare")
	}
	if _, err := os.Stat(filepath.Join(testenv, "bin", "uwsgi")); err != nil {
		t.Skip("SKIP: no reference uWSGI: make testenv brings it")
	}
	files := append(plain(t, dir), expected(t, dir)...)
	if len(files) < 20 {
		t.Fatalf("only %d files at %s", len(files), dir)
	}

	rows := make([]string, len(files))
	lost := map[string]int{}
	var mu sync.Mutex
	t.Run("files", func(t *testing.T) {
		for i, f := range files {
			t.Run(f.collection+"/"+f.id, func(t *testing.T) {
				t.Parallel()
				want := start(t, dir, testenv, filepath.Join(testenv, "bin", "uwsgi"), f)
				got := start(t, dir, testenv, "/uwsgo", f)
				row := compare(t, f, want, got)
				mu.Lock()
				defer mu.Unlock()
				rows[i] = row
				for _, name := range got.Losses {
					lost[name]++
				}
			})
		}
	})
	write(t, rows, lost)
}

// plain are the files of ini-more, each once.
func plain(t *testing.T, dir string) []file {
	t.Helper()
	index, err := os.Open(filepath.Join(dir, "ini-more", "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	var files []file
	for lines := bufio.NewScanner(index); lines.Scan(); {
		repo, rest, _ := strings.Cut(lines.Text(), "\t")
		path, _, _ := strings.Cut(rest, "\t")
		root := filepath.Join(dir, "ini-more", "corpus", strings.ReplaceAll(repo, "/", "+"))
		files = append(files, file{collection: "ini-more", id: repo + "/" + path, root: root, arg: path})
	}
	return files
}

// expected are the cases of ini: files with the variables and sections that they need.
func expected(t *testing.T, dir string) []file {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "ini", "expected", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var files []file
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			ID, Root, Arg string
			Env, Extra    map[string]string
		}
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files = append(files, file{"ini", c.ID, filepath.Join(dir, "ini", c.Root), c.Arg, c.Env, c.Extra})
	}
	return files
}

// start runs one server with the file in namespaces that end with it.
func start(t *testing.T, dir, testenv, server string, f file) seen {
	t.Helper()
	place := t.TempDir()
	project := filepath.Join(place, "project")
	if err := os.CopyFS(project, os.DirFS(f.root)); err != nil {
		t.Fatal(err)
	}
	for to, from := range f.extra {
		content, err := os.ReadFile(filepath.Join(dir, "ini", from))
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(project, to), content)
	}
	put(t, filepath.Join(place, "stage.py"), stagePy)
	if err := os.Link(*program, filepath.Join(place, "uwsgo")); err != nil {
		content, err := os.ReadFile(*program)
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(place, "uwsgo"), content)
	}

	ctx, cancel := context.WithTimeout(t.Context(), hangs)
	defer cancel()
	args := []string{"-mnp", "--fork", "--kill-child", "sh", "-c", stageSh, "sh", place, server, testenv, project, f.arg}
	for name, value := range f.env {
		args = append(args, name+"="+value)
	}
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	_, after, ok := strings.Cut("\n"+string(out), "\nSEEN ")
	if !ok {
		t.Errorf("%s: nothing seen: %v\n%s", server, err, out)
		return seen{}
	}
	line, _, _ := strings.Cut(after, "\n")
	var s seen
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
}

// compare returns the row of a file, and fails where something differs without a reason.
func compare(t *testing.T, f file, want, got seen) string {
	t.Helper()
	cell := func(what string, saw, sees any) string {
		w, g := text(saw), text(sees)
		if w == g {
			return "same"
		}
		if what == "check" && got.Check == 0 && strings.Contains(got.Tail, "exited with non-zero code") {
			return "a hook fails, which check does not run"
		}
		for _, a := range accepted {
			if what == "start" && strings.Contains(want.Tail, a.says) {
				return "differs: " + a.why
			}
		}
		if what == "answer" && strings.Contains(want.Tail, "no python application found") {
			return "differs: this uWSGI has no app here, for want of a plugin"
		}
		t.Errorf("%s\n uWSGI: %s\n uwsgo: %s", what, w, g)
		return "**differs**"
	}
	start := "both run"
	switch {
	case !want.Alive && !got.Alive:
		start = "both refuse"
	case want.Alive != got.Alive:
		start = cell("start", want.Alive, got.Alive)
	}
	cells := []string{f.collection, "`" + f.id + "`", start}
	for path, w := range want.Made {
		if g, ok := got.Made[path]; ok && w[0] == "-rw-rw-rw-" && g[0] == "-rw-r--r--" {
			want.Made[path] = [3]any{g[0], w[1], w[2]} // uWSGI's daemons have no umask
		} else if ok && w[0] == g[0] && w[1] == g[1] && w[1] != 0.0 && w[2] == 0.0 {
			want.Made[path] = g // uid without gid keeps root's group
		}
	}
	for path := range got.Made {
		if _, ok := want.Made[path]; !ok && strings.Contains(want.Tail, "rebuild with pcre support") && slices.Contains(got.Routed, path) {
			delete(got.Made, path) // of log-route, which this uWSGI lacks
		}
	}
	if start == "both run" {
		cells = append(cells, cell("answer", want.Answers, got.Answers),
			cell("log", [2][]string{want.Started, want.Logged}, [2][]string{got.Started, got.Logged}),
			cell("files", want.Made, got.Made), cell("processes", want.Others, got.Others))
	} else {
		cells = append(cells, "–", "–", "–", "–")
	}
	cells = append(cells, cell("check", got.Alive, got.Check == 0))
	if t.Failed() {
		t.Logf("check: %s", got.Checked)
		t.Logf("uWSGI:\n%s\nuwsgo: %s\n%s", want.Tail, got.Error, got.Tail)
	}
	return "| " + strings.Join(append(cells, strings.Join(got.Losses, ", ")), " | ") + " |"
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// write writes the table, and the losses by option.
func write(t *testing.T, rows []string, lost map[string]int) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "# Real configuration files beside uWSGI\n\n")
	fmt.Fprintf(&b, "`make collections` writes this page. It starts %d configurations of public projects with reference uWSGI 2.0.31\n", len(rows))
	fmt.Fprintf(&b, "and with uwsgo. Each server runs in namespaces of its own for mounts, network and processes, over an overlay,\n")
	fmt.Fprintf(&b, "so that paths, users and ports stay as written. A small app stands in for each project's.\n\n")
	fmt.Fprintf(&b, "*Answer*: the answer at every address. *Log*: the files that the start and the request are logged to.\n")
	fmt.Fprintf(&b, "*Files*: sockets, pid files and what hooks make, with mode and owner; that files of uWSGI's daemons may be written by everybody is no difference. *Processes*: daemons and programs that run beside the server.\n*Check*: the verdict of `uwsgo check` and the start of uwsgo.\n\n")
	fmt.Fprintf(&b, "| Collection | File | Start | Answer | Log | Files | Processes | Check | Lost options |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, row := range rows {
		if row != "" {
			fmt.Fprintf(&b, "%s\n", row)
		}
	}
	fmt.Fprintf(&b, "\n## Losses by option\n\n| Option | Files |\n| --- | --- |\n")
	names := make([]string, 0, len(lost))
	for name := range lost {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(lost[b]-lost[a], strings.Compare(a, b)) })
	for _, name := range names {
		fmt.Fprintf(&b, "| `%s` | %d |\n", name, lost[name])
	}
	if err := os.WriteFile(*report, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
