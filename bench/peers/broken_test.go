package peers

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/proctree"
)

// shell is a peer that runs a script.
func shell(script string) Peer {
	return Peer{
		Name: "broken", Protocol: HTTP, KeepAlive: true, Runs: Apps, Shape: asAsked,
		Needs:   func(Tools) string { return "" },
		Version: func(Tools) string { return "1" },
		Command: func(p *Plan) ([]string, error) { return []string{"sh", "-c", script, "sh", p.Bench, p.Addr()}, nil },
	}
}

func TestStartTellsWhatIsWrong(t *testing.T) {
	tests := []struct {
		name, script string
		patience     time.Duration // 0: it must be found out at once
		want         []string
		not          string
	}{
		{
			"ends_early", "for i in $(seq 40); do echo line $i; done; echo no module named app >&2; exit 3", 0,
			[]string{"starting broken: it ended (exit status 3) before it answered", "line 40", "no module named app"},
			"line 21\n",
		},
		{"ends_silently", "exit 0", 0, []string{"it ended (exit status 0)", "it logged nothing"}, ""},
		{"killed", "kill -9 $$", 0, []string{"it ended (signal: killed)"}, ""},
		{"port_in_use", "echo 'bind(): Address already in use [core/socket.c line 769]'; exit 1", 0, []string{"127.0.0.1:", "is in use"}, ""},
		{"never_listens", "echo waiting for the database; sleep 100 & wait", 500 * time.Millisecond, []string{context.DeadlineExceeded.Error()}, ""},
		{"answers_wrongly", `exec "$1" serve net-http "$2"`, 500 * time.Millisecond, []string{context.DeadlineExceeded.Error()}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			if tt.patience > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.patience)
				defer cancel()
			}
			_, err := Start(ctx, shell(tt.script), tools, Setup{App: apps.Hello, Want: []byte("Good morning!")})
			if err == nil {
				t.Fatal("it is said to have started")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
			if tt.not != "" && strings.Contains(err.Error(), tt.not) {
				t.Errorf("error is longer than it should be:\n%v", err)
			}
			left, err := proctree.Children(os.Getpid())
			if err != nil || len(left) > 0 {
				t.Errorf("processes are left: %v, %v", left, err)
			}
		})
	}
}

// The probe's own limits, on a server that is there but must not be waited for.
func TestProbeGivesUp(t *testing.T) {
	tests := []struct {
		name, script string
		limit        time.Duration
		want         []string
	}{
		{"never_listens", "echo waiting for the database; sleep 100", time.Second, []string{"no right answer in", "connection refused", "waiting for the database"}},
		{"answers_wrongly", `exec "$1" serve net-http "$2"`, startLimit, []string{"it listens, but does not become right", `wrong body, "Hello World!"`}},
	}
	defer func(start, wrong time.Duration) { startLimit, wrongLimit = start, wrong }(startLimit, wrongLimit)
	wrongLimit = 50 * time.Millisecond
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			startLimit = tt.limit
			_, err := Start(t.Context(), shell(tt.script), tools, Setup{App: apps.Hello, Want: []byte("Good morning!")})
			if err == nil {
				t.Fatal("it is said to have started")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestAbsentPartsAreNamed(t *testing.T) {
	for _, p := range All() {
		t.Run(p.Name, func(t *testing.T) {
			_, err := Start(t.Context(), p, Tools{Apps: tools.Apps}, Setup{App: apps.Hello})
			if err == nil || !strings.Contains(err.Error(), p.Name+" needs ") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Stop must find what does not want to be found.
func TestStopLeavesNothing(t *testing.T) {
	serve := `"$1" serve net-http "$2"`
	tests := []struct{ name, script string }{
		{"ignores_the_signal", "trap '' TERM; " + serve + " & while :; do wait; sleep 0.1; done"},
		{"leaves_children", serve + " & sleep 100 & wait"},
		{"leaves_orphans", "(sleep 100 &); exec " + serve},
		{"child_in_a_group_of_its_own", "setsid sleep 100 & exec " + serve},
	}
	defer func(limit time.Duration) { stopLimit = limit }(stopLimit)
	stopLimit = time.Second
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv, err := Start(t.Context(), shell(tt.script), tools, Setup{App: apps.Hello})
			if err != nil {
				t.Fatal(err)
			}
			group, err := proctree.Group(srv.root())
			if err != nil {
				t.Fatal(err)
			}
			stopped(t, srv)
			for _, pid := range group {
				if proctree.Alive(pid) {
					t.Errorf("%d is left: %s", pid, commandLine(pid))
				}
			}
		})
	}
}

func TestNoDelayIsMeasured(t *testing.T) {
	if tools.Env == "" {
		t.Skip("SKIP: no virtualenv")
	}
	// The option is set on accepted connections, or it is not.
	const script = `
import http.server, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = sys.argv[2] == "on"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
`
	for _, want := range []string{"on", "off"} {
		t.Run(want, func(t *testing.T) {
			p := shell("")
			p.Command = func(p *Plan) ([]string, error) {
				file, err := p.File("serve.py", script)
				return []string{"sh", "-c", "python " + file + " " + p.Port + " " + want + "; :"}, err
			}
			srv, err := Start(t.Context(), p, tools, Setup{App: apps.Hello})
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Stop()
			if srv.NoDelay != want {
				t.Errorf("TCP_NODELAY is said to be %s, it is %s", srv.NoDelay, want)
			}
			if srv.Files["serve.py"] != script {
				t.Errorf("files: %v", srv.Files)
			}
		})
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := Start(ctx, shell("sleep 100"), tools, Setup{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestFreePortIsFree(t *testing.T) {
	host, port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}
