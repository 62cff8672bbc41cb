package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// plainApp answers at once.
const plainApp = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
`

// holdApp notes its worker's pid in the file held and waits for the file release
// when asked for /hold; it answers everything else at once.
const holdApp = `
import os, time

def application(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        with open("held.new", "w") as f:
            f.write(str(os.getpid()))
        os.rename("held.new", "held")
        while not os.path.exists("release"):
            time.sleep(0.01)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
`

// heldBy waits until a worker holds /hold and gives its pid.
func heldBy(t *testing.T, dir string) int {
	t.Helper()
	var pid int
	eventually(t, "a worker that holds the request", func() error {
		text, err := os.ReadFile(filepath.Join(dir, "held"))
		if err != nil {
			return err
		}
		pid, err = strconv.Atoi(string(text))
		return err
	})
	return pid
}

// askLater asks in the background; the channel gives what came.
func askLater(url string) <-chan any {
	result := make(chan any, 1)
	go func() {
		a, err := ask("GET", url, nil, nil)
		if err != nil {
			result <- err
			return
		}
		result <- a
	}()
	return result
}

func TestKilledWorkerUnderLoad(t *testing.T) {
	e := copyExample(t, "processes")
	s := e.start(t)
	s.waitAnswer(t, e.http+"/", 200)
	before := readStats(t, e.stats)
	victim := before.Workers[1].PID

	const (
		clients = 10
		each    = 150 // requests of a client, in 3 s: together 500 a second
	)
	var (
		mu       sync.Mutex
		statuses = map[int]int{}
		failures []error
		running  sync.WaitGroup
	)
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	keptAlive := &http.Client{Transport: transport, Timeout: patience}
	for range clients {
		running.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for range each {
				<-tick.C
				status, err := fetch(keptAlive, e.http+"/")
				mu.Lock()
				if err != nil {
					failures = append(failures, err)
				} else {
					statuses[status]++
				}
				mu.Unlock()
			}
		})
	}
	eventually(t, "a third of the requests", func() error {
		mu.Lock()
		defer mu.Unlock()
		if statuses[200] < clients*each/3 {
			return fmt.Errorf("%v, %v", statuses, failures)
		}
		return nil
	})
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	running.Wait()
	if len(failures) > 0 {
		t.Errorf("%d clients got no answer, the first: %v", len(failures), failures[0])
	}
	const threads = 2 // what one worker can hold
	if lost := statuses[502]; lost > threads || statuses[200]+lost != clients*each {
		t.Errorf("answers %v, want %d × 200 but for at most %d × 502", statuses, clients*each, threads)
	}
	eventually(t, "a new worker in place of the killed one", func() error {
		after := readStats(t, e.stats)
		w := after.Workers[1]
		if len(after.Workers) != 4 || w.PID == victim || w.PID == 0 || w.RespawnCount != 2 || w.Status != "idle" {
			return fmt.Errorf("worker 2 is %+v", w)
		}
		return nil
	})
}

func fetch(c *http.Client, url string) (int, error) {
	resp, err := c.Get(url)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func TestKilledWorkerLosesOnlyWhatItHeld(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", holdApp)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--processes", "2")
	s.waitAnswer(t, base+"/", 200)
	held := askLater(base + "/hold")
	victim := heldBy(t, dir)
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if a, ok := (<-held).(answer); !ok || a.status != http.StatusBadGateway {
		t.Errorf("the client of the killed worker got %+v, want 502", a)
	}
	s.waitLog(t, strconv.Itoa(victim)) // the death is logged
	for range 10 {
		if a := get(t, base+"/"); a.status != 200 || a.body == strconv.Itoa(victim) {
			t.Errorf("afterwards: %d from process %s", a.status, a.body)
		}
	}
}

func TestHarakiri(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", holdApp)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--threads", "2", "--harakiri", "1", "--harakiri-verbose")
	s.waitAnswer(t, base+"/", 200)
	held := askLater(base + "/hold?x=1")
	victim := heldBy(t, dir)
	if a, ok := (<-held).(answer); !ok || a.status != http.StatusGatewayTimeout {
		t.Errorf("the request that hangs got %+v, want 504", a)
	}
	for _, line := range []string{
		fmt.Sprintf("*** HARAKIRI ON WORKER 1 (pid: %d,", victim), "127.0.0.1 - GET /hold?x=1 since ", "running for 1.",
		" in thread uWSGIWorker1Core", `app.py", line `, " in application", "HARAKIRI: -- wchan> ",
		fmt.Sprintf("worker 1 (pid: %d) exited, killed by signal 9", victim),
	} {
		s.waitLog(t, line)
	}
	if a := get(t, base+"/"); a.status != 200 || a.body == strconv.Itoa(victim) {
		t.Errorf("afterwards: %d from process %s", a.status, a.body)
	}
}

// Rules of route give requests a time of their own, or none.
func TestHarakiriOfRoutes(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", holdApp)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	write(t, dir, "app.ini", "[uwsgi]\nhttp = :"+port+"\nwsgi-file = app.py\nthreads = 2\nharakiri = 1\n"+
		"route = ^/hold harakiri:3600\nroute-uri = short harakiri:1\nroute-host = ^nobody setprocname:a\n")
	s := start(t, dir, "app.ini")
	s.waitLog(t, "1 lost (route-host:setprocname); ")
	s.waitAnswer(t, base+"/", 200)
	long := askLater(base + "/hold")
	heldBy(t, dir)
	if a := get(t, base+"/hold?short"); a.status != http.StatusGatewayTimeout {
		t.Errorf("the request that may run for a second got %+v, want 504", a)
	}
	s.waitLog(t, "Gracefully killing worker 1")
	write(t, dir, "release", "")
	if a, ok := (<-long).(answer); !ok || a.status != 200 {
		t.Errorf("the request that may run for an hour got %+v, want its 200", a)
	}
}

// The app is told before the worker of a late request is killed, and can end it itself.
func TestHarakiriSignal(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", `
import signal

def late(signum, frame):
    raise TimeoutError("late")

signal.signal(signal.SIGUSR1, late)
`+holdApp)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--harakiri", "1",
		"--harakiri-graceful-signal", strconv.Itoa(int(syscall.SIGUSR1)), "--harakiri-graceful-timeout", "60")
	s.waitAnswer(t, base+"/", 200)
	held := askLater(base + "/hold")
	victim := heldBy(t, dir)
	if a, ok := (<-held).(answer); !ok || a.status != http.StatusGatewayTimeout {
		t.Errorf("the request that hangs got %+v, want 504", a)
	}
	s.waitLog(t, "TimeoutError: late")
	s.waitLog(t, fmt.Sprintf("The work of process %d is done (harakiri)", victim))
}

func TestCheaper(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port, stats := freePort(t), "127.0.0.1:"+freePort(t)
	write(t, dir, "app.ini", fmt.Sprintf("[uwsgi]\nhttp = :%s\nstats = %s\nwsgi-file = app.py\nprocesses = 4\n"+
		"cheaper = 1\ncheaper-initial = 2\ncheaper-algo = manual\nmaster-fifo = app.fifo\n", port, stats))
	s := start(t, dir, "app.ini")
	base := "http://127.0.0.1:" + port + "/"
	s.waitAnswer(t, base, 200)
	waitStatus := func(want string) {
		t.Helper()
		eventually(t, "workers that are "+want, func() error {
			var got []string
			for _, w := range readStats(t, stats).Workers {
				if got = append(got, w.Status); (w.Status == "cheap") != (w.PID == 0) {
					return fmt.Errorf("worker with pid %d is %s", w.PID, w.Status)
				}
			}
			if strings.Join(got, " ") != want {
				return fmt.Errorf("%q", got)
			}
			return nil
		})
	}
	waitStatus("idle idle cheap cheap")
	tell(t, filepath.Join(dir, "app.fifo"), "+")
	waitStatus("idle idle idle cheap")
	tell(t, filepath.Join(dir, "app.fifo"), "---------")
	eventually(t, "all but one to be cheap", func() error {
		if n := strings.Count(s.log.String(), "cheaped."); n != 2 {
			return fmt.Errorf("%d workers cheaped, want 2", n)
		}
		return nil
	})
	s.waitAnswer(t, base, 200)
	for _, other := range []string{"+", "-"} { // a server without cheaper says why it does nothing
		plain := start(t, dir, "--http", ":"+freePort(t), "--wsgi-file", "app.py", "--master-fifo", "plain"+other)
		tell(t, filepath.Join(dir, "plain"+other), other)
		plain.waitLog(t, "the number of workers is fixed: set cheaper to have it change")
	}
}

func TestGracefulStop(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", holdApp)
			port := freePort(t)
			base := "http://127.0.0.1:" + port
			s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--master", "--processes", "2", "--threads", "2")
			s.waitAnswer(t, base+"/", 200)
			held := askLater(base + "/hold")
			heldBy(t, dir)
			if err := s.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			eventually(t, "closed listeners", func() error {
				if a, err := ask("GET", base+"/", nil, nil); err == nil {
					return fmt.Errorf("still answers: %d", a.status)
				}
				return nil
			})
			write(t, dir, "release", "")
			if a, ok := (<-held).(answer); !ok || a.status != 200 {
				t.Errorf("the request in flight got %+v, want its 200", a)
			}
			if err := s.wait(t); err != nil {
				t.Errorf("exit: %v, want 0", err)
			}
			s.noOrphans(t)
		})
	}
}

// TestStopAtAnyMoment signals the server while it starts, at the moments that a
// number of files and processes mark.
func TestStopAtAnyMoment(t *testing.T) {
	const slowImport = "import time\nopen('importing', 'w').close()\ntime.sleep(0.3)\n" + plainApp
	moments := []struct {
		name string
		come func(dir, port string, s *server) bool
	}{
		{"first_child", func(_, _ string, s *server) bool { return len(s.processes()) > 1 }},
		{"importing", func(dir, _ string, _ *server) bool {
			_, err := os.Stat(filepath.Join(dir, "importing"))
			return err == nil
		}},
		{"first_answer", func(_, port string, _ *server) bool {
			_, err := ask("GET", "http://127.0.0.1:"+port+"/", nil, nil)
			return err == nil
		}},
	}
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", slowImport)
			port := freePort(t)
			s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--processes", "2", "--socket", "x.sock", "--vacuum")
			eventually(t, m.name, func() error {
				if !m.come(dir, port, s) {
					return fmt.Errorf("not yet")
				}
				return nil
			})
			if err := s.stop(t, stopSignal); err != nil {
				t.Errorf("exit: %v, want 0", err)
			}
			if _, err := os.Lstat(filepath.Join(dir, "x.sock")); err == nil {
				t.Error("the socket is still there")
			}
		})
	}
}

func TestKilledServerLeavesNoWorkers(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--processes", "3")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	if err := s.stop(t, syscall.SIGKILL); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("exit: %v", err)
	}
}

// Scripts written for uWSGI send signals that mean nothing here yet; none of them
// may end the server.
func TestSignalsWithoutMeaning(t *testing.T) {
	e := copyExample(t, "hello")
	s := e.start(t)
	s.waitAnswer(t, e.http+"/", 200)
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "SIGUSR1 received")
	wantBody(t, get(t, e.http+"/"), 200, hello)
}
