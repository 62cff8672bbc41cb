package option_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
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
	if err := config.Options.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("..", "..", "..", "docs", "options.md"), b.Bytes())
}

func TestHelp(t *testing.T) {
	var b bytes.Buffer
	if err := config.Options.WriteHelp(&b, false); err != nil {
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
	if err := config.Options.WriteHelp(&b, true); err != nil {
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
	if option.UseColor(file) {
		t.Error("color for a file")
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if !option.UseColor(null) {
		t.Error("no color for a terminal")
	}
	t.Setenv("NO_COLOR", "1")
	if option.UseColor(null) {
		t.Error("color despite NO_COLOR")
	}
}

// uwsgiNames is how many long options uWSGI 2.0.30 has over all its plugins.
const uwsgiNames = 1254

func TestEveryNameOfUWSGIIsKnown(t *testing.T) {
	if n := len(config.Options.Names()); n < uwsgiNames {
		t.Errorf("%d names are known, uWSGI has %d", n, uwsgiNames)
	}
	for _, name := range []string{
		"zerg-server", "cheaper-busyness-max", "http-to-https", "spooler-import", "pivot_root", "emperor",
		"route-run", "py-auto-reload", "uid", "safe-pidfile2", "log-x-forwarded-for", "fastrouter-use-base",
	} {
		if config.Options.Lookup(name) == nil {
			t.Errorf("%s is not known", name)
		}
	}
}

func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range config.Options.Rows() {
		for _, name := range append([]string{o.Name}, o.Aliases...) {
			if seen[name] {
				t.Errorf("%s has two rows", name)
			}
			seen[name] = true
			if config.Options.Lookup(name) != o {
				t.Errorf("Lookup(%s) finds another option", name)
			}
		}
		if o.Short != 0 && config.Options.LookupShort(o.Short) != o {
			t.Errorf("-%c is not %s", o.Short, o.Name)
		}
		if o.Help == "" || strings.HasSuffix(o.Help, ".") {
			t.Errorf("%s: help must be one sentence without a full stop: %q", o.Name, o.Help)
		}
		if (o.Status == option.Differs || o.Status == option.Own) && o.Note == "" {
			t.Errorf("%s differs from uWSGI's and does not say how", o.Name)
		}
		if o.Kind != option.Flag && o.Kind != option.Action && o.Arg == "" {
			t.Errorf("%s has no name for its value", o.Name)
		}
	}
}

// TestLevels shows what becomes of every name of uWSGI. Whoever changes the file has to
// ask what a server is without the option.
func TestLevels(t *testing.T) {
	byStatus := map[option.Status][]string{}
	for _, name := range config.Options.Names() {
		s := config.Options.Lookup(name).Status
		byStatus[s] = append(byStatus[s], name)
	}
	var b bytes.Buffer
	for s := option.Same; s <= option.Ends; s++ {
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
		{"those_that_work_come_first", "http-", []string{"http-auto-gzip", "http-backend-http", "http-cache", "http-cache-cookies", "http-cache-except", "http-cache-max-object", "http-cache-purge-from", "http-cache-stale-if-error", "http-cache-stale-while-revalidate", "http-cache-valid", "http-enable-proxy-protocol", "http-keepalive", "http-socket", "http-timeout", "http-to", "http-to-https", "http-websockets"}},
		{"none", "nonsense", nil},
		{"none_works_and_several_are_known", "max-worker", []string{"max-worker-lifetime", "max-worker-lifetime-delta"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, config.Options.Complete(tt.give)); diff != "" {
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
		"autoreload": "py-autoreload", "gzip": "compress", "certfile": "https", "ssl": "https", "static": "static-map", "exec-pre": "exec-asap", "proc-name-prefix": "procname-prefix",
		// Nothing does what these do.
		"worker-class": "", "worker-connections": "", "preload": "", "loglevel": "", "log-buffering": "", "access-logfile": "", "debug": "", "project": "",
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
		if got := config.Options.Nearest(give); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", give, got, want)
		}
	}
}

// What is proposed has to be an option that works, and what it is proposed for none.
func TestMeant(t *testing.T) {
	for written, name := range option.Meant {
		if config.Options.Lookup(written) != nil {
			t.Errorf("%s is an option itself", written)
		}
		if name != "" && (config.Options.Lookup(name) == nil || !config.Options.Lookup(name).Status.Supported()) {
			t.Errorf("%s: %s does not work here", written, name)
		}
	}
}
