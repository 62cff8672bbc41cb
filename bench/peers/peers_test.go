package peers

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/proctree"
)

// request asks over HTTP, on a connection of its own.
func request(ctx context.Context, addr string, r apps.Request) (apps.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, "http://"+addr+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return apps.Answer{}, err
	}
	for _, field := range r.Headers {
		req.Header.Set(field[0], field[1])
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return apps.Answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return apps.Answer{Status: resp.StatusCode, Body: body}, err
}

// Every peer that is here runs the apps, says how it is, and leaves nothing.
func TestPeers(t *testing.T) {
	requests := []apps.Request{
		{Method: "GET", Path: "/"},
		{Method: "GET", Path: "/json?page=2", Headers: apps.Headers[:]},
		{Method: "GET", Path: "/large"},
		{Method: "GET", Path: "/stream"},
		{Method: "POST", Path: "/upload", Body: bytes.Repeat([]byte("0123456789abcdef"), 20_000)},
	}
	var want []apps.Answer
	if tools.Env != "" {
		var err error
		want, err = apps.Expect(t.Context(), bin(tools, "python"), tools.Apps, apps.Hello, requests)
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range All() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			srv := started(t, p, Setup{App: apps.Hello, Processes: 2, Threads: 2, Want: []byte("Hello World!")})
			if p.Protocol == HTTP && p.Runs&Apps != 0 {
				for i, r := range requests {
					if r.Path == "/stream" && p.NeedsLength {
						continue
					}
					got := ask(t.Context(), t, srv, r)
					if got.Status != want[i].Status || !bytes.Equal(got.Body, want[i].Body) {
						t.Errorf("%s %s gave %d and %d bytes, %.60q; want %d and %d, %.60q",
							r.Method, r.Path, got.Status, len(got.Body), got.Body, want[i].Status, len(want[i].Body), want[i].Body)
					}
				}
			}
			describes(t, srv)
			if logged(srv) {
				t.Error("requests are logged, which was not asked for")
			}
			t.Logf("%s, %s, NODELAY %s, up in %v: %q", p.Version(tools), p.Shape(srv.Setup), srv.NoDelay, srv.Started, srv.Command)
			stopped(t, srv)
		})
	}
}

// describes checks what a running server tells of itself.
func describes(t *testing.T, srv *Server) {
	t.Helper()
	p := srv.Peer
	if v := p.Version(tools); !regexp.MustCompile(`\d`).MatchString(v) {
		t.Errorf("version %q has no number", v)
	}
	wantNoDelay := "on"
	if p.Name == "uwsgi-http" || p.Name == "uwsgi-http-keepalive" {
		wantNoDelay = "off" // its router has no such option
	}
	if srv.NoDelay != wantNoDelay {
		t.Errorf("TCP_NODELAY is %s, want %s", srv.NoDelay, wantNoDelay)
	}
	if srv.Started <= 0 || !srv.Alive() {
		t.Errorf("started after %v, alive: %v", srv.Started, srv.Alive())
	}
	if user, system, err := srv.CPU(); err != nil || user+system < 0 {
		t.Errorf("CPU %v %v, %v", user, system, err)
	}
	if pss, err := srv.PSS(); err != nil || pss < 1<<20 {
		t.Errorf("PSS %d, %v", pss, err)
	}
	if n, err := srv.Switches(); err != nil || n <= 0 {
		t.Errorf("%d switches, %v", n, err)
	}
	if (p.Reload == nil) != (p.NoReload != "") || (p.Workers == nil) != (p.NoWorkers != "") {
		t.Error("it must either be able to reload and have workers, or say why not")
	}
	if p.Workers == nil {
		return
	}
	eventually(t, "it has as many workers as were asked for", func() bool {
		workers, err := p.Workers(srv)
		if err != nil {
			t.Fatal(err)
		}
		return len(workers) == p.Shape(srv.Setup).Processes
	})
}

// pidApp tells which process answers; it takes its time, so that others get their
// share of requests.
const pidApp = `
import os, time
def application(environ, start_response):
    time.sleep(0.02)
    pid = b"%d" % os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(pid)))])
    return [pid]
`

// Where the harness kills workers or asks for a reload, there are new workers.
func TestWorkersAreReplaced(t *testing.T) {
	const app = "pid.py"
	if err := os.WriteFile(filepath.Join(tools.Apps, app), []byte(pidApp), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range All() {
		if p.Workers == nil {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			srv := started(t, p, Setup{App: app, Processes: 2, Threads: 1})
			workers := twoWorkers(t, srv, nil)
			if err := syscall.Kill(workers[0], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			workers = twoWorkers(t, srv, workers[:1])
			if err := p.Reload(srv); err != nil {
				t.Fatal(err)
			}
			twoWorkers(t, srv, workers)
			stopped(t, srv)
		})
	}
}

// twoWorkers waits until two workers run that are none of the gone, and both have
// answered: before that, several servers miss signals.
func twoWorkers(t *testing.T, srv *Server, gone []int) []int {
	t.Helper()
	ask := askHTTP
	if srv.Peer.Protocol == UWSGI {
		ask = askUWSGI
	}
	var workers []int
	var answered sync.Map
	asking := 5
	eventually(t, "there are two new workers that answer", func() bool {
		var clients sync.WaitGroup
		// One more each time: nginx has kept connections for those before, all of them
		// to one worker perhaps, and makes a new one for this.
		asking = min(asking+1, 60)
		for range asking {
			clients.Go(func() {
				if _, body, err := ask(t.Context(), srv.Addr, "/"); err == nil {
					answered.Store(string(body), true)
				}
			})
		}
		clients.Wait()
		workers, _ = srv.Peer.Workers(srv)
		return len(workers) == 2 && !slices.ContainsFunc(workers, func(pid int) bool {
			_, has := answered.Load(count(pid))
			return !has || slices.Contains(gone, pid)
		})
	})
	return workers
}

func TestStaticFiles(t *testing.T) {
	dir := t.TempDir()
	content := bytes.Repeat([]byte("static "), 1000)
	if err := os.WriteFile(filepath.Join(dir, "file.bin"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range All() {
		if p.Protocol != HTTP || p.Runs&Static == 0 {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			srv := started(t, p, Setup{App: apps.Hello, Processes: 1, Threads: 1, Static: dir})
			got := ask(t.Context(), t, srv, apps.Request{Method: "GET", Path: "/static/file.bin"})
			if got.Status != 200 || !bytes.Equal(got.Body, content) {
				t.Errorf("status %d, %d bytes: %.80q", got.Status, len(got.Body), got.Body)
			}
			stopped(t, srv)
		})
	}
	t.Run("a_peer_that_cannot", func(t *testing.T) {
		_, err := Start(t.Context(), goHello("go-net-http", "net/http"), tools, Setup{Static: dir})
		if err == nil || !strings.Contains(err.Error(), "serves no static files") {
			t.Errorf("error %v", err)
		}
	})
}

// One of each kind is enough: which app runs is none of the server's business.
func TestFrameworks(t *testing.T) {
	for _, app := range []string{apps.Flask, apps.Django} {
		for _, p := range []Peer{uwsgo(), uwsgiHTTPSocket(), gunicornGthread()} {
			t.Run(strings.TrimSuffix(app, ".py")+"_"+p.Name, func(t *testing.T) {
				t.Parallel()
				if need := p.Needs(tools); need != "" {
					t.Skipf("SKIP: %s is absent: it needs %s", p.Name, need)
				}
				want, err := apps.Expect(t.Context(), bin(tools, "python"), tools.Apps, app, []apps.Request{{Method: "GET", Path: "/"}})
				if err != nil {
					t.Fatal(err)
				}
				started(t, p, Setup{App: app, Processes: 1, Threads: 1, Want: want[0].Body}) // the probe compares
			})
		}
	}
}

// Requests are logged by all, or by none (which TestPeers looks at).
func TestRequestLog(t *testing.T) {
	for _, p := range All() {
		s := Setup{App: apps.Hello, Processes: 1, Threads: 1, Log: true}
		if p.Protocol != HTTP || strings.Contains(p.Shape(s).Note, "logs no requests") {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			srv := started(t, p, s)
			ask(t.Context(), t, srv, apps.Request{Method: "GET", Path: "/json"})
			eventually(t, "the request is in the log", func() bool { return logged(srv) })
			stopped(t, srv)
		})
	}
}

// logged says whether a request for /json is in a log of the server.
func logged(srv *Server) bool {
	text, _ := os.ReadFile(srv.logFile())
	access, _ := os.ReadFile(filepath.Join(srv.dir, "access.log"))
	return bytes.Contains(append(text, access...), []byte("GET /json"))
}

func TestServersRunWhereTheyArePinned(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("SKIP: needs two processors")
	}
	pinned := tools
	pinned.Servers = []int{1}
	p, err := Parse("shell=sh -c 'sleep 60 & exec {python} -m http.server --bind {host} {port}'")
	if err != nil {
		t.Fatal(err)
	}
	if tools.Env == "" {
		t.Skip("SKIP: no virtualenv")
	}
	srv, err := Start(t.Context(), p, pinned, Setup{App: apps.Hello})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	pids, err := proctree.PIDs(srv.root())
	if err != nil || len(pids) != 2 {
		t.Fatalf("processes %v, %v; want two", pids, err)
	}
	for _, pid := range append(pids, os.Getpid()) {
		status, err := os.ReadFile("/proc/" + count(pid) + "/status")
		if err != nil {
			t.Fatal(err)
		}
		if on := bytes.Contains(status, []byte("Cpus_allowed_list:\t1\n")); on != (pid != os.Getpid()) {
			t.Errorf("%s: on processor 1 alone: %v", commandLine(pid), on)
		}
	}
}
