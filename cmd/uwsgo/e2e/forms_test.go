package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestForms starts the same server from files of each form.
func TestForms(t *testing.T) {
	for _, tt := range []struct{ name, file, text string }{
		{"yaml", "app.yml", "uwsgi:\n  http: 127.0.0.1:PORT\n  wsgi-file: app.py\n  env:\n    - A=1\n    - B=2\n"},
		{"no_yaml", "app.yaml", "uwsgi:\n  log-format: %(uri) %(status)\n  http: 127.0.0.1:PORT\n  wsgi-file: app.py\n  env: A=1\n  env: B=2\n"},
		{"json", "app.json", `{"uwsgi": {"http": "127.0.0.1:PORT", "wsgi-file": "app.py", "env": ["A=1", "B=2"]}}`},
		{"xml", "app.xml", "<uwsgi>\n<http>127.0.0.1:PORT</http><wsgi-file>app.py</wsgi-file><master/><env>A=1</env><env>B=2</env></uwsgi>"},
		{"toml", "app.toml", "[uwsgi]\nhttp = \"127.0.0.1:PORT\"\nwsgi-file = \"app.py\"\nenv = [\"A=1\", \"B=2\"]\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := shortTempDir(t)
			write(t, dir, "app.py", "import os\ndef application(e, s):\n    s('200 OK', [])\n    return [(os.environ['A'] + os.environ['B']).encode()]\n")
			port := freePort(t)
			write(t, dir, tt.file, strings.ReplaceAll(tt.text, "PORT", port))
			s := start(t, dir, tt.file)
			if body := s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200).body; body != "12" {
				t.Errorf("the app says %q", body)
			}
			if err := s.stop(t, stopSignal); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFilesAreRelativeToChdir: as in uWSGI all but that of pidfile.
func TestFilesAreRelativeToChdir(t *testing.T) {
	dir := shortTempDir(t)
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "sub"), "app.py", plainApp)
	port := freePort(t)
	s := start(t, dir, "--http", "127.0.0.1:"+port, "--chdir", "sub", "--wsgi-file", "app.py", "--pidfile", "a.pid", "--pidfile2", "b.pid",
		"--safe-pidfile", "c.pid", "--safe-pidfile2", "d.pid", "--master-fifo", "fifo")
	s.waitLog(t, "uwsgo is ready")
	var found []string
	for _, pattern := range []string{"*.pid", "sub/*.pid", "sub/fifo"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			found = append(found, strings.TrimPrefix(path, dir+"/"))
		}
	}
	if diff := cmp.Diff([]string{"a.pid", "sub/b.pid", "sub/c.pid", "sub/d.pid", "sub/fifo"}, found); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := s.stop(t, stopSignal); err != nil {
		t.Error(err)
	}
}

func TestConfigCommand(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.yml", "uwsgi:\n  base: /srv\n  chdir: $(NAME)\n  pythonpath: '%(base)/lib'\n  processes: 2\n  proceses: 3\n  hook-asap: mount:x\n")
	cmd := command(dir, "config", "app.yml", "--processes", "4")
	cmd.Env = append(cmd.Env, "NAME=shop", "UWSGI_THREADS=3")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`threads = 3 +environment UWSGI_THREADS\n`, `processes = 4 +command line, but see below\n`, `base = /srv +app.yml:2, placeholder\n`,
		`chdir = shop +app.yml:3\n`, `pythonpath = /srv/lib +app.yml:4\n`, `processes = 2 +app.yml:5\n`, `proceses = 3 +app.yml:6, unknown; did you mean "processes"\?\n`,
		`\nbuffer-size = \S+ +default\n`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("it does not say %s:\n%s", want, out)
		}
	}
	cmd = command(dir, "config", "--json", "app.yml")
	cmd.Env = append(cmd.Env, "NAME=shop")
	if out, err = cmd.Output(); err != nil {
		t.Fatal(err)
	}
	want := `{"options":[["base","/srv"],["chdir","shop"],["pythonpath","/srv/lib"],["processes","2"],["proceses","3"],["hook-asap","mount:x"]],"unknown":["proceses"]}` + "\n"
	if string(out) != want {
		t.Errorf("%s\nwant %s", out, want)
	}
	if err := command(dir, "config", "none.yml").Run(); err == nil {
		t.Error("a file that is not there was listed")
	}
}

// TestConfigBesideUWSGI compares what uwsgo config lists with what reference uWSGI holds.
func TestConfigBesideUWSGI(t *testing.T) {
	uwsgi := filepath.Join(testenv(t), "bin", "uwsgi")
	for _, tt := range []struct{ name, file, text string }{
		{"ini", "app.ini", "[uwsgi]\nbase = /srv\nchdir = %(base)/%n-%e\nset-ph = x=4\nprocesses = %(x * 2)\nthreads = %(processes x)\nif-env = HOME\nenv = H=%(_)\nendif =\n" +
			"for = a b c\ntouch-reload = %(_)-%(base)\nendfor =\nfor-times = 3\nenv = N%(_)=1\nend =\nfor-glob = a*.ini\nenv = G=%(_)\nend-for =\nif-not-exists = nothing\nmaster\nendif =\n" +
			"log-format = %(uri) %(processes) %%(x)\nenv = F=@(one)\nenv = E=@(exec://echo hi)\nenv = U=$(NOT_SET)\nfor-readline = text\nenv = %(_)\nendfor =\nlisten = @(one)\n" +
			"env = MAGIC=%v|%d|%s|%c|%x|%o|%0|%9|%V|%k|%u|%U|%g|%G|%j|%i|%h|%D|%S|%q|%%\nini = :more\n[more]\nenv = MORE=%x\n"},
		{"yaml", "app.yml", "# c\nuwsgi: # here\n  touch-reload: 127.0.0.1:0\n  touch-reload: /x\n  # comment\n\n  env: A=b c\n  chdir: %d\n  processes: 4 # four\n  umask: 0027\n  log-format: %(uri) - \"%(method)\"\nother:\n  x: 1\n"},
		{"yaml_section", "app.yaml:prod", "uwsgi:\n  a: 1\nprod:\n  processes: 4\n"},
		{"xml", "app.xml", "<?xml version=\"1.0\"?>\n<uwsgi>\n <!-- c -->\n <touch-reload>127.0.0.1:0</touch-reload><touch-reload>/x</touch-reload>\n <master/>\n <vacuum></vacuum>\n <env>A=1 &amp; 2</env>\n <chdir>%d</chdir>\n</uwsgi>\n"},
		{"xml_id", "app.xml:two", "<c><uwsgi id=\"one\"><a>1</a></uwsgi><uwsgi id=\"two\"><processes>3</processes><threads id=\"one\">5</threads></uwsgi></c>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := shortTempDir(t)
			file, _, _ := strings.Cut(tt.file, ":")
			write(t, dir, file, tt.text)
			write(t, dir, "text", "T=1\n# c\n\n")
			write(t, dir, "one", "T=1\n")
			option := "--" + map[string]string{".ini": "ini", ".yml": "yaml", ".yaml": "yaml", ".xml": "xml"}[filepath.Ext(file)]

			// Too long a queue ends its start once it has shown its configuration; an address would end it
			// before.
			reference := exec.CommandContext(t.Context(), uwsgi, "--show-config", option, tt.file, "--listen", "999999999")
			reference.Dir, reference.WaitDelay = dir, time.Minute
			shown, _ := reference.CombinedOutput()
			_, config, _ := strings.Cut(string(shown), "[uwsgi]\n")
			config, _, found := strings.Cut(config, "\n;end of configuration")
			if !found {
				t.Fatalf("reference uWSGI says %s", shown)
			}
			var want [][2]string
			for line := range strings.SplitSeq(config, "\n") {
				key, value, _ := strings.Cut(line, " = ")
				if !directive.MatchString(key) && line != "listen = 999999999" {
					want = append(want, [2]string{key, value})
				}
			}
			out, err := command(dir, "config", "--json", option, tt.file).Output()
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ Options [][2]string }
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.Options); diff != "" {
				t.Errorf("-uWSGI +uwsgo:\n%s", diff)
			}
			if len(want) == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}

var directive = regexp.MustCompile(`^(ini|yaml|xml|set-ph|show-config|if-.*|for|for-.*|end.*)$`)

// TestDescriptorOfOptions: options from a descriptor, which a daemon could not read again.
func TestDescriptorOfOptions(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	write(t, dir, "app.ini", "[uwsgi]\nhttp = 127.0.0.1:"+port+"\nwsgi-file = app.py\n")
	f, err := os.Open(filepath.Join(dir, "app.ini"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := command(dir, "--ini", "fd://3")
	cmd.ExtraFiles = []*os.File{f}
	s := launch(t, cmd)
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	if err := s.stop(t, stopSignal); err != nil {
		t.Error(err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	cmd = command(dir, "--ini", "fd://3", "--daemonize", "log")
	cmd.ExtraFiles = []*os.File{f}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "cannot read fd://3 again") {
		t.Errorf("%v: %s", err, out)
	}
}
