package option

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files and docs/options.md instead of comparing")

// golden compares got with a file, or writes it.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what the table gives (-file +table); go test ./cmd/internal/option -update writes it:\n%s", file, diff)
	}
}

func TestMarkdownIsCurrent(t *testing.T) {
	var b bytes.Buffer
	if err := WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("..", "..", "..", "docs", "options.md"), b.Bytes())
}

func TestHelp(t *testing.T) {
	var b bytes.Buffer
	if err := WriteHelp(&b, false); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "help.txt"), b.Bytes())
	for line := range strings.SplitSeq(b.String(), "\n") {
		if len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("color codes although no color was asked for")
	}

	b.Reset()
	if err := WriteHelp(&b, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "\x1b[1m--processes\x1b[0m") {
		t.Error("no color although it was asked for")
	}
}

func TestUseColor(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if UseColor(file) {
		t.Error("color for a file")
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if !UseColor(null) {
		t.Error("no color for a terminal")
	}
	t.Setenv("NO_COLOR", "1")
	if UseColor(null) {
		t.Error("color despite NO_COLOR")
	}
}

// uwsgiNames is how many long options uWSGI 2.0.30 has over all its plugins.
const uwsgiNames = 1254

func TestEveryNameOfUWSGIIsKnown(t *testing.T) {
	if n := len(Names()); n < uwsgiNames {
		t.Errorf("%d names are known, uWSGI has %d", n, uwsgiNames)
	}
	for _, name := range []string{
		"zerg-server", "cheaper-busyness-max", "http-to-https", "spooler-import", "pivot_root", "emperor",
		"route-run", "py-auto-reload", "uid", "safe-pidfile2", "log-x-forwarded-for", "fastrouter-use-base",
	} {
		if Lookup(name) == nil {
			t.Errorf("%s is not known", name)
		}
	}
}

func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range Table() {
		for _, name := range append([]string{o.Name}, o.Aliases...) {
			if seen[name] {
				t.Errorf("%s has two rows", name)
			}
			seen[name] = true
			if Lookup(name) != o {
				t.Errorf("Lookup(%s) finds another option", name)
			}
		}
		if o.Short != 0 && LookupShort(o.Short) != o {
			t.Errorf("-%c is not %s", o.Short, o.Name)
		}
		if o.Help == "" || strings.HasSuffix(o.Help, ".") {
			t.Errorf("%s: help must be one sentence without a full stop: %q", o.Name, o.Help)
		}
		if (o.Status == Differs || o.Status == Own) && o.Note == "" {
			t.Errorf("%s differs from uWSGI's and does not say how", o.Name)
		}
		if o.Kind != Flag && o.Kind != Action && o.Arg == "" {
			t.Errorf("%s has no name for its value", o.Name)
		}
	}
}

// Each name of a class is uWSGI's, stands in one group, and has no row of its own.
func TestClassesAreKnown(t *testing.T) {
	seen := map[string]Status{}
	for _, c := range classes {
		for _, group := range c.groups {
			for name := range strings.FieldsSeq(group.names) {
				if o := Lookup(name); o == nil || o.Status != c.status || o.Note != group.note {
					t.Errorf("%s is not a name of uWSGI that has no row (%s)", name, c.status)
				}
				if before, ok := seen[name]; ok {
					t.Errorf("%s is in two groups: %s and %s", name, before, c.status)
				}
				seen[name] = c.status
			}
		}
	}
}

// TestLevels shows what becomes of every name of uWSGI. Whoever changes the file has to
// ask what a server is without the option.
func TestLevels(t *testing.T) {
	byStatus := map[Status][]string{}
	for _, name := range Names() {
		s := Lookup(name).Status
		byStatus[s] = append(byStatus[s], name)
	}
	var b bytes.Buffer
	for s := Same; s <= Ends; s++ {
		fmt.Fprintf(&b, "%s (%d):\n%s\n\n", s, len(byStatus[s]), strings.Join(byStatus[s], "\n"))
	}
	golden(t, filepath.Join("testdata", "levels.txt"), b.Bytes())
}

func TestComplete(t *testing.T) {
	for _, tt := range []struct {
		name, give string
		want       []string
	}{
		{"exact_name_of_longer_ones", "http", []string{"http"}},
		{"exact_alias", "workers", []string{"workers"}},
		{"unique", "manage", []string{"manage-script-name"}},
		{"only_one_works_here", "thread", []string{"threads"}},
		{"aliases_of_one_option_are_one", "virt", []string{"virtualenv"}},
		{"prefix_of_one_option", "http-k", []string{"http-keepalive"}},
		{"those_that_work_come_first", "http-", []string{"http-auto-gzip", "http-keepalive", "http-socket", "http-timeout"}},
		{"none", "nonsense", nil},
		{"none_works_and_several_are_known", "max-worker", []string{"max-worker-lifetime", "max-worker-lifetime-delta"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Complete(tt.give)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	for give, want := range map[string]string{
		// By what they mean.
		"process": "processes", "worker": "processes", "thread": "threads", "timeout": "harakiri", "bind": "http", "port": "http", "host": "http",
		"user": "uid", "group": "gid", "guid": "gid", "chown": "chown-socket", "perm": "chmod-socket", "log-file": "logto", "logfile": "logto", "log": "logto",
		"vaccum": "vacuum", "vaccuum": "vacuum", "app": "module", "wsgi-app": "module", "application": "callable", "script": "wsgi-file", "pid": "pidfile",
		"daemon": "daemonize", "keepalive": "http-keepalive", "keep-alive": "http-keepalive", "graceful-timeout": "worker-reload-mercy", "backlog": "listen",
		"max-requests-jitter": "max-requests-delta", "limit-request-line": "buffer-size", "limit-max-requests": "max-requests", "client_max_body_size": "limit-post",
		"autoreload": "py-autoreload", "gzip": "compress", "static": "static-map", "exec-pre": "exec-asap", "proc-name-prefix": "procname-prefix",
		// Nothing does what these do.
		"worker-class": "", "worker-connections": "", "preload": "", "loglevel": "", "log-buffering": "", "access-logfile": "", "certfile": "", "debug": "", "project": "",
		// Written in another way.
		"wsgi_file": "wsgi-file", "buffer_size": "buffer-size", "WSGI-FILE": "wsgi-file", "Processes": "processes", "--http-socket": "http-socket", "uwsgi-module": "module",
		"UWSGI_MODULE": "module", "static map": "static-map", "Worker": "processes",
		// Slips.
		"procesess": "processes", "proceses": "processes", "proccesses": "processes", "treads": "threads", "chmod-sockert": "chmod-socket", "htpp": "http",
		"modul": "module", "moduel": "module", "buffersize": "buffer-size", "max-reqests": "max-requests", "haraikri": "harakiri", "mastre": "master",
		"callabel": "callable", "enable-threds": "enable-threads", "virtulenv": "virtualenv", "statc-map": "static-map", "lazy-aps": "lazy-apps", "sokcet": "socket",
		"need-ap": "need-app", "single-interperter": "single-interpreter", "disable-loging": "disable-logging", "add-headers": "add-header", "cgropu": "cgroup", "py-callos-afterfork": "py-call-osafterfork", "log-x-forwarded": "",
		// Neither.
		"entirely-else": "", "": "", "x": "", "xid": "", "zone": "", "database": "", "base": "", "home-dir-of-app": "", "secret": "", "redis-url": "", "country": "",
		strings.Repeat("processes", 1000): "",
	} {
		if got := Nearest(give); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", give, got, want)
		}
	}
}

func TestPythonPlugin(t *testing.T) {
	for name, want := range map[string]string{
		"python": "", "python3": "3", "python2": "2", "python27": "2.7", "python311": "3.11", "python3.12": "3.12",
		"0:python39": "3.9", "/usr/lib/uwsgi/plugins/python312_plugin.so": "3.12", "http": "none", "pythonette": "none",
	} {
		got, ok := PythonPlugin(name)
		if ok == (want == "none") || ok && got != want {
			t.Errorf("%s: got %q, %v; want %q", name, got, ok, want)
		}
	}
}

// What is proposed has to be an option that works, and what it is proposed for none.
func TestMeant(t *testing.T) {
	for written, name := range meant {
		if Lookup(written) != nil {
			t.Errorf("%s is an option itself", written)
		}
		if name != "" && (Lookup(name) == nil || !Lookup(name).Status.Supported()) {
			t.Errorf("%s: %s does not work here", written, name)
		}
	}
}

func TestHasPlugin(t *testing.T) {
	for _, name := range []string{"python", "python3", "python311", "python3.11", " python3", "http", "logfile", "/usr/lib/uwsgi/python3_plugin.so", "0:python"} {
		if !HasPlugin(name) {
			t.Errorf("%q is built in", name)
		}
	}
	for _, name := range []string{"", "psgi", "pythonette", "sentry", "ping http", "/opt/lua_plugin.so"} {
		if HasPlugin(name) {
			t.Errorf("%q is not there", name)
		}
	}
}
