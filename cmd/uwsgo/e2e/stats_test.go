package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/servertest"
)

// stats is what these tests read of uWSGI's stats document.
type stats struct {
	Version     string
	PID         int
	ListenQueue int `json:"listen_queue"`
	Workers     []struct {
		ID           int
		PID          int
		Requests     int
		Status       string
		RespawnCount int `json:"respawn_count"`
		Exceptions   int
		Apps         []struct {
			ID, Requests, Exceptions int
			Mountpoint               string
		}
		Cores []struct {
			ID        int
			Requests  int
			InRequest int `json:"in_request"`
		}
	}
	Uwsgo struct {
		Processes []struct {
			PID   int
			State string
		}
		QueueLength   int `json:"queue_length"`
		QueueFull     int `json:"queue_full"`
		QueueTimeouts int `json:"queue_timeouts"`
		QueueShed     int `json:"queue_shed"`
		SlowRoutes    int `json:"slow_routes"`
		SlowHeld      int `json:"slow_held"`
	}
}

// busy counts the threads that have a request.
func (s *stats) busy() (n int) {
	for _, w := range s.Workers {
		for _, c := range w.Cores {
			n += c.InRequest
		}
	}
	return n
}

// rawStats reads what a stats address sends when one connects.
func rawStats(network, addr string) ([]byte, error) {
	conn, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	return io.ReadAll(conn)
}

// readStats waits for the stats of addr.
func readStats(t *testing.T, addr string) stats {
	t.Helper()
	var st stats
	eventually(t, "stats on "+addr, func() error {
		data, err := rawStats("tcp", addr)
		if err != nil {
			return err
		}
		st = stats{}
		return json.Unmarshal(data, &st)
	})
	return st
}

func TestProcessesThreadsAndStats(t *testing.T) {
	e := copyExample(t, "processes")
	s := e.start(t)
	s.waitAnswer(t, e.http+"/", 200)
	const asked = 20
	for range asked - 1 {
		wantBody(t, get(t, e.http+"/"), 200, hello)
	}
	st := readStats(t, e.stats)
	if st.PID != s.pid() {
		t.Errorf("pid %d in the stats, the server is %d", st.PID, s.pid())
	}
	requests := 0
	for _, w := range st.Workers {
		requests += w.Requests
		if len(w.Cores) != 2 || w.Status != "idle" || w.RespawnCount != 1 {
			t.Errorf("worker %d: %d cores, %s, started %d times; want 2, idle, once", w.ID, len(w.Cores), w.Status, w.RespawnCount)
		}
	}
	if len(st.Workers) != 4 || requests < asked {
		t.Errorf("%d workers answered %d requests, want 4 and at least %d", len(st.Workers), requests, asked)
	}

	t.Run("over_http", func(t *testing.T) {
		a := get(t, "http://"+e.stats+"/")
		var over stats
		if err := json.Unmarshal([]byte(a.body), &over); err != nil || a.status != 200 || len(over.Workers) != 4 {
			t.Errorf("GET got %d, %d workers, %v; want the same document", a.status, len(over.Workers), err)
		}
	})
	t.Run("uwsgitop", func(t *testing.T) {
		uwsgitop := filepath.Join(testenv(t), "bin", "uwsgitop")
		script, err := exec.LookPath("script")
		if err != nil {
			t.Skip("SKIP: no script(1) here to give uwsgitop a terminal")
		}
		top := exec.Command(script, "-q", "-c", "stty cols 200 rows 50; exec "+uwsgitop+" "+e.stats, "/dev/null")
		top.Env = append(os.Environ(), "TERM=xterm")
		quit, err := top.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		screen := &servertest.Log{}
		top.Stdout, top.Stderr = screen, screen
		if err := top.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = top.Wait() }()
		defer quit.Close()
		eventually(t, "uwsgitop's screen", func() error {
			shown := screen.String()
			for _, w := range st.Workers {
				if !strings.Contains(shown, fmt.Sprint(w.PID)) {
					return fmt.Errorf("worker %d (pid %d) is not shown:\n%q", w.ID, w.PID, shown)
				}
			}
			return nil
		})
		if _, err := quit.Write([]byte("q")); err != nil {
			t.Error(err)
		}
	})
}

func TestStatsOnUnixSocket(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	socket := filepath.Join(dir, "stats.sock")
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--stats", socket, "--vacuum")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	data, err := rawStats("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var st stats
	if err := json.Unmarshal(data, &st); err != nil || len(st.Workers) != 1 {
		t.Errorf("stats of %d workers, %v\n%s", len(st.Workers), err, data)
	}
}

// Statistics on all addresses are warned about, and no web page of another name reads them.
func TestStatsOnAllAddresses(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	s := start(t, dir, "--http", "127.0.0.1:0", "--wsgi-file", "app.py", "--stats", "0.0.0.0:"+port, "--stats-http", "--stats-host", "stats.example.com")
	s.waitLog(t, "*** WARNING: everybody who reaches this machine can read the stats: prefer stats = 127.0.0.1:"+port)
	s.waitLog(t, "uwsgo is ready")
	for _, tt := range []struct {
		host, site string
		status     int
	}{
		{"127.0.0.1:" + port, "", 200},
		{"localhost:" + port, "none", 200},
		{"stats.example.com", "", 200},
		{"evil.example", "", 403},
		{"localhost:" + port, "cross-site", 403},
	} {
		req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+port+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		if tt.site != "" {
			req.Header.Set("Sec-Fetch-Site", tt.site)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s from %q: %d %v, want %d", tt.host, tt.site, resp.StatusCode, resp.Header, tt.status)
		}
	}
}

// Each app of a worker has its own count, and together they have the worker's, also over a
// reload.
func TestStatsOfEachApp(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "shop.py", versioned("shop"))
	write(t, dir, "broken.py", "def application(environ, start_response):\n    raise ValueError\n")
	port, addr := freePort(t), "127.0.0.1:"+freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--mount", "/shop=shop.py", "--mount", "/broken=broken.py", "--mount", "/idle=shop.py",
		"--manage-script-name", "--disable-logging", "--stats", addr)
	s.waitBody(t, base+"/shop", "shop")
	before := readStats(t, addr).Workers[0]
	ask := func() {
		for range 5 {
			wantBody(t, get(t, base+"/shop"), 200, "shop")
		}
		for range 2 {
			if a := get(t, base+"/broken"); a.status != 500 {
				t.Errorf("status %d, want 500", a.status)
			}
		}
	}
	ask()
	s.hangUp(t)
	s.waitLog(t, "uwsgo has reloaded")
	ask()
	eventually(t, "the counts of each app", func() error {
		w := readStats(t, addr).Workers[0]
		total := w.Apps[0].Requests + w.Apps[1].Requests + w.Apps[2].Requests
		if shop := w.Apps[0].Requests - before.Apps[0].Requests; shop != 10 || w.Apps[1].Requests != 4 || w.Apps[1].Exceptions != 4 ||
			w.Apps[0].Exceptions != 0 || w.Apps[2].Requests != 0 || w.Requests != total || w.Exceptions != 4 {
			return fmt.Errorf("%+v", w)
		}
		return nil
	})
}
