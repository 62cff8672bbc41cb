package peers

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestShape(t *testing.T) {
	tests := []struct {
		name, peer string
		setup      Setup
		want       string
	}{
		{"as_asked", "uwsgi-http", Setup{Processes: 2, Threads: 3}, "2 × 3"},
		{"no_threads", "bjoern", Setup{Processes: 2, Threads: 3}, "2 × 1 (has no threads)"},
		{"none_asked_for", "bjoern", Setup{Processes: 2, Threads: 1}, "2 × 1"},
		{"no_processes", "waitress", Setup{Processes: 2, Threads: 3}, "1 × 6 (has no processes)"},
		{"one_process_asked_for", "waitress", Setup{Processes: 1, Threads: 3}, "1 × 3"},
		{"no_log", "waitress", Setup{Processes: 1, Threads: 3, Log: true}, "1 × 3 (logs no requests)"},
		{"no_threads_no_log", "fastpysgi", Setup{Processes: 2, Threads: 3, Log: true}, "2 × 1 (has no threads, logs no requests)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := slices.IndexFunc(All(), func(p Peer) bool { return p.Name == tt.peer })
			if i < 0 {
				t.Fatal("no such peer")
			}
			if got := All()[i].Shape(tt.setup).String(); got != tt.want {
				t.Errorf("shape %q, want %q", got, tt.want)
			}
		})
	}
}

// Other tests compare with the same uWSGI.
func TestPinsAreThoseOfTheTests(t *testing.T) {
	all, err := os.ReadFile("../../.ci/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for line := range strings.Lines(string(all)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), "==")
		versions[normal(name)] = version
	}
	for _, p := range All() {
		for _, pin := range p.Install {
			name, version, pinned := strings.Cut(pin, "==")
			if there := versions[normal(name)]; !pinned || there != "" && there != version {
				t.Errorf("%s wants %s, .ci/requirements.txt has %q", p.Name, pin, there)
			}
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"no_command", "mine", "want name=command"},
		{"empty_command", "mine=", "want name=command"},
		{"empty_name", "=serve {addr}", "want name=command"},
		{"name_with_space", "my server=serve {addr}", "a name has no space"},
		{"name_of_another", "granian=granian --port {port}", "taken by a known peer"},
		{"no_address", "mine=serve {app}", "where to listen"},
		{"unknown_placeholder", "mine=serve {addr} {workers}", "{workers} means nothing here"},
		{"other_braces", `mine=serve {addr} -c '{"a": {}}' ${HOME}`, ""},
		{"good", "mine=serve --bind {host}:{port} -w {processes} {module}:application", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(tt.give)
			switch {
			case tt.want == "" && (err != nil || p.Name != "mine"):
				t.Errorf("peer %q, error %v", p.Name, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestParsedCommand(t *testing.T) {
	p, err := Parse("mine=serve {addr} {host} {port} {processes}x{threads} {app} {module} {python} {static}")
	if err != nil {
		t.Fatal(err)
	}
	plan := &Plan{
		Tools: Tools{Env: "/my env"}, Setup: Setup{App: "hello.py", Processes: 2, Threads: 3, Static: "/it's"},
		Host: "127.0.0.1", Port: "8080",
	}
	command, err := p.Command(plan)
	if err != nil {
		t.Fatal(err)
	}
	want := `exec serve 127.0.0.1:8080 127.0.0.1 8080 2x3 hello.py hello '/my env/bin/python' '/it'\''s'`
	if got := command[len(command)-1]; got != want {
		t.Errorf("command %q, want %q", got, want)
	}
	if p.Runs&Static == 0 {
		t.Error("it is not said to serve static files")
	}
	if got := p.Shape(Setup{Processes: 2, Threads: 3}).String(); got != "2 × 3" {
		t.Errorf("shape %q", got)
	}
}

// What somebody types to measure a server that has no file here.
func TestAdHocPeer(t *testing.T) {
	if tools.Env == "" {
		t.Skip("SKIP: no virtualenv")
	}
	p, err := Parse(`wsgiref={python} -c 'import {module} as m; from wsgiref.simple_server import make_server as s; s("{host}", {port}, m.application).serve_forever()'`)
	if err != nil {
		t.Fatal(err)
	}
	srv := started(t, p, Setup{App: "hello.py", Processes: 1, Threads: 1, Want: []byte("Hello World!")})
	if line := commandLine(srv.root()); !strings.Contains(line, "wsgiref.simple_server") || strings.Contains(line, "sh -c") {
		t.Errorf("the shell stays before the server: %s", line)
	}
	stopped(t, srv)
}
