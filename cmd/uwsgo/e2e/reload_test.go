package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// versioned is an app that tells its version.
func versioned(version string) string {
	return fmt.Sprintf(`
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [%q.encode()]
`, version)
}

// replace gives a file new content as deployments do: at once.
func replace(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.Rename(write(t, dir, name+".new", content), filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// waitBody waits until url answers with body.
func (s *server) waitBody(t *testing.T, url, body string) {
	t.Helper()
	eventually(t, "the answer "+body, func() error {
		if a := s.waitAnswer(t, url, 200); a.body != body {
			return fmt.Errorf("still %q", a.body)
		}
		return nil
	})
}

func TestReloadUnderLoad(t *testing.T) {
	for _, lazy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lazy=%v", lazy), func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", versioned("v0"))
			port := freePort(t)
			base := "http://127.0.0.1:" + port
			stats := "127.0.0.1:" + freePort(t)
			args := []string{"--http", ":" + port, "--wsgi-file", "app.py", "--processes", "2", "--threads", "2", "--stats", stats, "--disable-logging"}
			if lazy {
				args = append(args, "--lazy-apps")
			}
			s := start(t, dir, args...)
			s.waitBody(t, base, "v0")

			var stop atomic.Bool
			var answers atomic.Int64
			var running sync.WaitGroup
			const clients = 8
			transport := &http.Transport{MaxIdleConnsPerHost: clients}
			defer transport.CloseIdleConnections()
			keptAlive := &http.Client{Transport: transport, Timeout: patience}
			for i := range clients {
				c := keptAlive
				if i == 0 {
					c = client // new connections must not be refused either
				}
				running.Go(func() {
					for !stop.Load() {
						if status, err := fetch(c, base); err != nil || status != 200 {
							t.Errorf("status %d, %v", status, err)
							return
						}
						answers.Add(1)
						time.Sleep(5 * time.Millisecond)
					}
				})
			}
			for n := 1; n <= 4; n++ {
				before := answers.Load()
				eventually(t, "requests under way", func() error {
					if answers.Load() < before+50 {
						return fmt.Errorf("%d answers", answers.Load()-before)
					}
					return nil
				})
				version := fmt.Sprintf("v%d", n)
				replace(t, dir, "app.py", versioned(version))
				if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the reload", func() error {
					if done := strings.Count(s.log.String(), "uwsgo has reloaded"); done < n {
						return fmt.Errorf("%d reloads so far", done)
					}
					return nil
				})
				for range 4 {
					if a := get(t, base); a.body != version {
						t.Errorf("after reload %d the app is %s", n, a.body)
					}
				}
			}
			stop.Store(true)
			running.Wait()
			for _, w := range readStats(t, stats).Workers {
				if w.RespawnCount != 5 || w.Requests == 0 {
					t.Errorf("worker: %+v", w)
				}
			}
		})
	}
}

func TestRecyclingUnderLoad(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	base, stats := "http://127.0.0.1:"+port, "127.0.0.1:"+freePort(t)
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--processes", "2", "--threads", "2", "--stats", stats, "--disable-logging",
		"--max-requests", "20", "--min-worker-lifetime", "0")
	s.waitAnswer(t, base, 200)
	var stop atomic.Bool
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for !stop.Load() {
				if status, err := fetch(client, base); err != nil || status != 200 {
					t.Errorf("status %d, %v", status, err)
					return
				}
			}
		})
	}
	eventually(t, "workers that were replaced", func() error {
		for _, w := range readStats(t, stats).Workers {
			if w.RespawnCount < 3 {
				return fmt.Errorf("worker %d has had %d processes", w.ID, w.RespawnCount)
			}
		}
		return nil
	})
	stop.Store(true)
	running.Wait()
	s.waitLog(t, "is done (max requests reached")
}

func TestReloadOfBrokenCode(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", versioned("v1"))
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--processes", "2", "--pidfile", "app.pid")
	s.waitBody(t, base, "v1")
	replace(t, dir, "app.py", "import nothing_of_that_name\n"+versioned("v2"))
	tell := func(option string) {
		t.Helper()
		if out, err := command(dir, option, "app.pid").CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", option, err, out)
		}
	}
	tell("--reload")
	s.waitLog(t, "ModuleNotFoundError: No module named 'nothing_of_that_name'")
	s.waitLog(t, "reload failed: the present workers stay")
	for range 4 {
		wantBody(t, get(t, base), 200, "v1")
	}
	replace(t, dir, "app.py", versioned("v3"))
	tell("--reload")
	s.waitBody(t, base, "v3")
	tell("--stop")
	if err := s.wait(t); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
	s.noOrphans(t)
	if out, err := command(dir, "--stop", "app.pid").CombinedOutput(); err == nil || !strings.Contains(string(out), "the server has ended") {
		t.Errorf("--stop of a stopped server: %v: %s", err, out)
	}
}

// A reload whose code hangs gives way to the next.
func TestReloadOfCodeThatHangs(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", versioned("v1"))
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--processes", "2")
	s.waitBody(t, base, "v1")
	s.waitLog(t, "uwsgo is ready")
	replace(t, dir, "app.py", "import subprocess\nopen('hangs', 'w').close()\nsubprocess.run(['sleep', '10000'])\n")
	hup := func() {
		t.Helper()
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hup()
	eventually(t, "the import", func() error { _, err := os.Stat(filepath.Join(dir, "hangs")); return err })
	wantBody(t, get(t, base), 200, "v1")
	replace(t, dir, "app.py", versioned("v2"))
	hup()
	s.waitLog(t, "this one is given up")
	s.waitBody(t, base, "v2")
	if n := len(s.processes()); n != 4 {
		eventually(t, "the server, its zygote and two workers alone", func() error {
			if n = len(s.processes()); n != 4 {
				return fmt.Errorf("%d processes", n)
			}
			return nil
		})
	}
}

func TestReloadFinishesWhatRuns(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", holdApp)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	stats := "127.0.0.1:" + freePort(t)
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--worker-reload-mercy", "30", "--stats", stats)
	s.waitAnswer(t, base+"/", 200)
	held := askLater(base + "/hold")
	heldBy(t, dir)
	replace(t, dir, "app.py", versioned("v2"))
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.waitBody(t, base, "v2")
	states := map[string]int{}
	for _, p := range readStats(t, stats).Uwsgo.Processes {
		states[p.State]++
	}
	if states["draining"] != 1 || len(states) != 2 {
		t.Errorf("states of the processes: %v", states)
	}
	write(t, dir, "release", "")
	if a, ok := (<-held).(answer); !ok || a.status != 200 {
		t.Errorf("the request in flight got %+v, want its 200", a)
	}
	s.waitLog(t, "buried after ")
}

func TestTouchReload(t *testing.T) {
	for _, c := range []struct {
		name, line string
		args       []string
	}{
		{name: "all", line: "touched... grace them all !!!", args: []string{"--touch-reload", "touch"}},
		{name: "chain", line: "chain reloading complete", args: []string{"--touch-chain-reload", "touch", "--lazy-apps"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", versioned("v1"))
			port := freePort(t)
			base := "http://127.0.0.1:" + port
			s := start(t, dir, append([]string{"--http", ":" + port, "--wsgi-file", "app.py", "--processes", "2"}, c.args...)...)
			s.waitBody(t, base, "v1")
			s.waitLog(t, "uwsgo is ready")
			replace(t, dir, "app.py", versioned("v2"))
			write(t, dir, "touch", "") // not there before
			s.waitLog(t, c.line)
			s.waitBody(t, base, "v2")
		})
	}
}

func TestAutoReload(t *testing.T) {
	const app = `
import helper
def application(environ, start_response):
    from package import late
    start_response("200 OK", [])
    return [helper.name.encode() + late.name.encode()]
`
	for _, lazy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lazy=%v", lazy), func(t *testing.T) {
			dir := shortTempDir(t)
			if err := os.Mkdir(filepath.Join(dir, "package"), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, dir, "app.py", app)
			write(t, dir, "helper.py", "name = 'a'\n")
			write(t, dir, "package/late.py", "name = 'b'\n")
			port := freePort(t)
			base := "http://127.0.0.1:" + port
			args := []string{"--http", ":" + port, "--wsgi-file", "app.py", "--py-autoreload", "1"}
			if lazy {
				args = append(args, "--lazy-apps")
			}
			s := start(t, dir, args...)
			s.waitBody(t, base, "ab")
			change := func(name, content, want string) {
				t.Helper()
				replace(t, dir, name, content)
				s.waitLog(t, "[uwsgi-python-reloader] module/file "+filepath.Join(dir, name)+" has been modified")
				s.waitBody(t, base, want)
			}
			change("helper.py", "name = 'long'\n", "longb")
			// What is imported in a request is known within a second or so.
			eventually(t, "a reload for a late import", func() error {
				replace(t, dir, "package/late.py", "name = 'later'\n")
				if !strings.Contains(s.log.String(), "late.py has been modified") {
					return fmt.Errorf("not seen")
				}
				return nil
			})
			s.waitBody(t, base, "longlater")
			replace(t, dir, "helper.py", "name = \n")
			s.waitLog(t, "reload failed")
			wantBody(t, get(t, base), 200, "longlater")
			change("helper.py", "name = 'cured'\n", "curedlater")
		})
	}
}

// hangingApp answers with its version, and at /hang only when there is a file release.
// At its import it waits for a file ready.
func hangingApp(version, ready string) string {
	return fmt.Sprintf(`
import os, time

while not os.path.exists(%q):
    time.sleep(0.01)

def application(environ, start_response):
    if environ["PATH_INFO"] == "/run":
        open("ran", "w").close()
    while environ["PATH_INFO"] == "/hang" and not os.path.exists("release"):
        time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [%q.encode()]
`, ready, version)
}

// hanging serves hangingApp, and has so many requests for /hang under way.
func hanging(t *testing.T, n int, args ...string) (s *server, dir, base, stats string, held []<-chan any) {
	t.Helper()
	dir = shortTempDir(t)
	write(t, dir, "app.py", hangingApp("v1", "app.py"))
	port, statsPort := freePort(t), freePort(t)
	base, stats = "http://127.0.0.1:"+port, "127.0.0.1:"+statsPort
	s = start(t, dir, append([]string{"--http", ":" + port, "--wsgi-file", "app.py", "--stats", stats}, args...)...)
	s.waitBody(t, base, "v1")
	for range n {
		held = append(held, askLater(base+"/hang"))
	}
	eventually(t, "every thread to hang", func() error {
		if st := readStats(t, stats); st.busy() != n {
			return fmt.Errorf("%d are busy", st.busy())
		}
		return nil
	})
	return s, dir, base, stats, held
}

// hangUp has the server reload.
func (s *server) hangUp(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

func wantAll(t *testing.T, list []<-chan any, status int, body string) {
	t.Helper()
	for _, one := range list {
		if a, ok := (<-one).(answer); !ok || a.status != status || body != "" && a.body != body {
			t.Errorf("got %+v, want %d %q", a, status, body)
		}
	}
}

// waitWaiting waits until so many requests wait for a worker.
func waitWaiting(t *testing.T, stats string, n int) {
	t.Helper()
	eventually(t, "requests that wait", func() error {
		if got := readStats(t, stats).Uwsgo.QueueLength; got != n {
			return fmt.Errorf("%d wait", got)
		}
		return nil
	})
}

// Requests that wait, in the kernel's queue and in the loop, are answered by the new
// workers while the old ones are still busy.
func TestReloadWhileRequestsWait(t *testing.T) {
	s, dir, base, stats, held := hanging(t, 2, "--processes", "2", "--lanes=false", "--queue-timeout", "3600")
	var waiting []<-chan any
	for range 40 { // more than the kernel's queue gets
		waiting = append(waiting, askLater(base+"/"))
	}
	waitWaiting(t, stats, 40)
	replace(t, dir, "app.py", hangingApp("v2", "app.py"))
	s.hangUp(t)
	wantAll(t, waiting, 200, "v2")
	write(t, dir, "release", "")
	wantAll(t, held, 200, "v1")
	if u := readStats(t, stats).Uwsgo; u.QueueTimeouts != 0 || u.QueueShed != 0 || u.QueueFull != 0 {
		t.Errorf("refused: %+v", u)
	}
}

// The time of requests that wait runs on while new code is loaded; what has had its 503
// is not run by the new workers either.
func TestQueueTimeoutDuringReload(t *testing.T) {
	s, dir, base, stats, held := hanging(t, 2, "--processes", "2", "--lanes=false", "--queue-timeout", "1")
	replace(t, dir, "app.py", hangingApp("v2", "ready"))
	s.hangUp(t)
	var waiting []<-chan any
	for range 40 {
		waiting = append(waiting, askLater(base+"/run"))
	}
	wantAll(t, waiting, 503, "")
	if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
		t.Fatal("the new code was loaded before")
	}
	write(t, dir, "ready", "")
	s.waitLog(t, "uwsgo has reloaded")
	for range 4 {
		wantBody(t, get(t, base), 200, "v2")
	}
	waitWaiting(t, stats, 0)
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("a request was run after its time")
	}
	write(t, dir, "release", "")
	wantAll(t, held, 200, "v1")
}

// A route that was slow before is so after a reload, and fast ones go on.
func TestReloadWithLanes(t *testing.T) {
	s, dir, base, stats, held := hanging(t, 1, "--processes", "4", "--threads", "2")
	eventually(t, "the endpoint in the slow lane", func() error {
		get(t, base)
		if n := readStats(t, stats).Uwsgo.SlowRoutes; n != 1 {
			return fmt.Errorf("%d slow routes", n)
		}
		return nil
	})
	for range 15 {
		held = append(held, askLater(base+"/hang"))
	}
	eventually(t, "requests that are held back", func() error {
		get(t, base)
		if st := readStats(t, stats); st.Uwsgo.SlowHeld < 10 || st.busy() != 6 {
			return fmt.Errorf("%d held, %d busy; want 10 and 6", st.Uwsgo.SlowHeld, st.busy())
		}
		return nil
	})
	replace(t, dir, "app.py", hangingApp("v2", "app.py"))
	s.hangUp(t)
	s.waitLog(t, "uwsgo has reloaded")
	for range 50 {
		wantBody(t, get(t, base), 200, "v2")
	}
	if n := readStats(t, stats).Uwsgo.SlowRoutes; n != 1 {
		t.Errorf("%d slow routes after the reload, want 1", n)
	}
	write(t, dir, "release", "")
	wantAll(t, held, 200, "")
	s.waitLog(t, "buried after")
	waitWaiting(t, stats, 0)
}

// A reload reads the configuration again, as uWSGI's does: what holds for new workers is
// taken, and what has to wait for a restart is named. What cannot be read changes nothing.
func TestReloadReadsTheConfiguration(t *testing.T) {
	dir := shortTempDir(t)
	if err := os.Mkdir(filepath.Join(dir, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "app/app.py", `
import os, sys
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join([os.environ.get("GREETING", "none"), *sys.argv[1:]]).encode()]
`)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	conf := func(text string) {
		replace(t, dir, "uwsgi.ini", "[uwsgi]\nhttp = :"+port+"\nchdir = app\nwsgi-file = app.py\n"+text+"\n")
	}
	write(t, dir, "uwsgi.ini", "")
	conf("env = GREETING=hello")
	s := start(t, dir, "uwsgi.ini")
	s.waitBody(t, base, "hello")

	conf("env = GREETING=%(word)\nset-ph = word=goodbye\npyargv = a b\nprocesses = 2\nbuffer-size = 65535")
	s.hangUp(t)
	s.waitBody(t, base, "goodbye a b")
	s.waitLog(t, "these options have changed and wait for a restart, or for SIGUSR2: processes, buffer-size ***")

	conf("env = GREETING=never\nprocesses = many")
	s.hangUp(t)
	s.waitLog(t, `the configuration cannot be read again, so options stay as they are: uwsgi.ini:6: processes: "many" is not a number`)
	s.waitLog(t, "uwsgo has reloaded")
	wantBody(t, get(t, base), 200, "goodbye a b")
}
