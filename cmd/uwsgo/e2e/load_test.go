package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// loadApp tells how long the request waited. /hang waits for the file release, /slow
// sleeps.
const loadApp = `
import os, time

def application(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        while not os.path.exists("release"):
            time.sleep(0.01)
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.05)
    body = b"%f" % environ["uwsgo.queue_time"]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
`

// startLoad serves loadApp and returns its address and that of its stats.
func startLoad(t *testing.T, dir string, args ...string) (s *server, base, stats string) {
	t.Helper()
	write(t, dir, "app.py", loadApp)
	port, statsPort := freePort(t), freePort(t)
	base, stats = "http://127.0.0.1:"+port, "127.0.0.1:"+statsPort
	s = start(t, dir, append([]string{"--http", ":" + port, "--wsgi-file", "app.py", "--master", "--disable-logging", "--stats", stats}, args...)...)
	s.waitAnswer(t, base+"/", 200)
	return s, base, stats
}

// TestLanes has an endpoint that hangs asked more often than there are threads.
func TestLanes(t *testing.T) {
	t.Run("on", func(t *testing.T) {
		dir := shortTempDir(t)
		_, base, stats := startLoad(t, dir, "--processes", "4", "--threads", "2")
		for range 20 {
			get(t, base+"/")
		}
		hanging := []<-chan any{askLater(base + "/hang")}
		eventually(t, "the endpoint in the slow lane", func() error {
			get(t, base+"/")
			if n := readStats(t, stats).Uwsgo.SlowRoutes; n == 0 {
				return fmt.Errorf("not yet")
			}
			return nil
		})
		for range 15 {
			hanging = append(hanging, askLater(base+"/hang"))
		}
		eventually(t, "requests that are held back", func() error {
			get(t, base+"/") // else nothing would be held after a while
			st := readStats(t, stats)
			if st.Uwsgo.SlowHeld < 10 || st.busy() != 6 {
				return fmt.Errorf("%d held, %d busy; want 10 and 6", st.Uwsgo.SlowHeld, st.busy())
			}
			return nil
		})
		for range 50 {
			if a := get(t, base+"/"); a.status != 200 {
				t.Fatalf("a fast request got %d", a.status)
			}
		}
		write(t, dir, "release", "")
		for _, h := range hanging {
			if a, ok := (<-h).(answer); !ok || a.status != 200 {
				t.Errorf("a slow request got %+v, want 200", a)
			}
		}
	})
	t.Run("off", func(t *testing.T) {
		dir := shortTempDir(t)
		_, base, stats := startLoad(t, dir, "--processes", "2", "--threads", "2", "--lanes=false")
		get(t, base+"/")
		var hanging []<-chan any
		for range 6 {
			hanging = append(hanging, askLater(base+"/hang"))
		}
		eventually(t, "every thread to hang", func() error {
			if n := readStats(t, stats); n.busy() != 4 {
				return fmt.Errorf("%d are busy", n.busy())
			}
			return nil
		})
		write(t, dir, "release", "")
		for _, h := range hanging {
			if a, ok := (<-h).(answer); !ok || a.status != 200 {
				t.Errorf("a slow request got %+v, want 200", a)
			}
		}
	})
}

// TestHarakiriWithLanes has an endpoint that hangs for ever asked more often than there
// are threads. Each of those requests gets its 504, and all others their answer.
func TestHarakiriWithLanes(t *testing.T) {
	dir := shortTempDir(t)
	s, base, stats := startLoad(t, dir, "--processes", "2", "--threads", "2", "--harakiri", "1")
	for range 20 {
		get(t, base+"/")
	}
	var over atomic.Bool
	var fast atomic.Int64
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			for !over.Load() {
				if a, err := ask("GET", base+"/", nil, nil); err != nil || a.status != 200 {
					t.Errorf("a fast request got %d, %v", a.status, err)
				}
				fast.Add(1)
			}
		})
	}
	var hanging []<-chan any
	for range 7 { // more than two rounds of the three threads that they may hold
		hanging = append(hanging, askLater(base+"/hang"))
	}
	wantAll(t, hanging, 504, "")
	over.Store(true)
	clients.Wait()
	eventually(t, "what the log says of them", func() error {
		if n := strings.Count(s.log.String(), "HARAKIRI triggered by worker"); n != len(hanging) {
			return fmt.Errorf("%d requests were ended, want %d", n, len(hanging))
		}
		return nil
	})
	st := readStats(t, stats)
	if st.Uwsgo.SlowHeld == 0 || fast.Load() == 0 {
		t.Errorf("%d slow requests were held back, %d fast ones answered", st.Uwsgo.SlowHeld, fast.Load())
	}
	waitWaiting(t, stats, 0)
	eventually(t, "the late workers to be gone", func() error {
		if n := len(readStats(t, stats).Uwsgo.Processes); n != 2 {
			return fmt.Errorf("%d workers", n)
		}
		return nil
	})
}

// TestMixedLoad compares how many fast requests get through beside slow ones that
// alone would occupy every thread.
func TestMixedLoad(t *testing.T) {
	fast := map[bool]int64{}
	for _, lanes := range []bool{true, false} {
		dir := shortTempDir(t)
		_, base, _ := startLoad(t, dir, "--processes", "4", "--threads", "2", fmt.Sprintf("--lanes=%v", lanes))
		transport := &http.Transport{MaxIdleConnsPerHost: 20}
		keptAlive := &http.Client{Transport: transport, Timeout: patience}
		var n, slow atomic.Int64
		var clients sync.WaitGroup
		end := time.Now().Add(2 * time.Second)
		for i := range 20 {
			path, count := "/slow", &slow
			if i < 4 {
				path, count = "/", &n
			}
			clients.Go(func() {
				for time.Now().Before(end) {
					if status, err := fetch(keptAlive, base+path); err != nil || status != 200 {
						t.Errorf("lanes %v: %s got %d, %v", lanes, path, status, err)
						return
					}
					count.Add(1)
				}
			})
		}
		clients.Wait()
		transport.CloseIdleConnections()
		t.Logf("lanes %v: %d fast requests and %d slow ones in 2 s", lanes, n.Load(), slow.Load())
		fast[lanes] = n.Load()
	}
	if fast[true] < 3*fast[false] {
		t.Errorf("%d fast requests with lanes, %d without; want three times as many or more", fast[true], fast[false])
	}
}

// TestOverload asks for three times what the workers can do.
func TestOverload(t *testing.T) {
	const (
		timeout = time.Second // queue-timeout
		rate    = 240         // requests a second; 4 threads that sleep 50 ms do 80
		lasting = 3 * time.Second
	)
	dir := shortTempDir(t)
	s, base, stats := startLoad(t, dir, "--processes", "2", "--threads", "2", "--queue-timeout=1.0")
	transport := &http.Transport{MaxIdleConnsPerHost: rate}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport, Timeout: patience}
	var (
		mu      sync.Mutex
		waited  []time.Duration // what the accepted ones were told
		refused []time.Duration // what the others took in all
		clients sync.WaitGroup
		before  = resident(t, s.pid())
	)
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	for range int(lasting.Seconds() * rate) {
		<-tick.C
		clients.Go(func() {
			began := time.Now()
			resp, err := c.Get(base + "/slow")
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			mu.Lock()
			defer mu.Unlock()
			switch resp.StatusCode {
			case 200:
				d, err := time.ParseDuration(string(body) + "s")
				if err != nil {
					t.Error(err)
				}
				waited = append(waited, d)
			case 503:
				if resp.Header.Get("Retry-After") == "" {
					t.Error("503 without Retry-After")
				}
				refused = append(refused, time.Since(began))
			default:
				t.Errorf("%d, %v", resp.StatusCode, err)
			}
		})
	}
	clients.Wait()
	if len(waited) == 0 || len(refused) < len(waited)/2 {
		t.Fatalf("%d accepted, %d refused; want more refused", len(waited), len(refused))
	}
	slices.Sort(waited)
	slices.Sort(refused)
	late := waited[len(waited)*9/10]
	usual := refused[len(refused)/2]
	t.Logf("%d accepted, of which nine of ten waited at most %v; %d refused, half of them within %v", len(waited), late, len(refused), usual)
	if late > 2*timeout {
		t.Errorf("accepted requests waited %v, although %v is the most", late, timeout)
	}
	if usual > timeout/2 {
		t.Errorf("those that are refused are told after %v, want at once", usual)
	}
	if after := resident(t, s.pid()); after > before+64<<20 {
		t.Errorf("the server grew from %d to %d bytes", before, after)
	}
	// Nothing is left of it.
	for range 10 {
		if a := get(t, base+"/"); a.status != 200 {
			t.Errorf("afterwards: %d", a.status)
		}
	}
	st := readStats(t, stats)
	if u := st.Uwsgo; u.QueueLength != 0 || u.QueueShed+u.QueueTimeouts != len(refused) {
		t.Errorf("stats tell %+v, %d were refused", u, len(refused))
	}
}

// resident returns the bytes of memory that a process has.
func resident(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func TestQueueIsFull(t *testing.T) {
	dir := shortTempDir(t)
	_, base, stats := startLoad(t, dir, "--queue-size=0")
	held := askLater(base + "/hang")
	eventually(t, "a busy thread", func() error {
		if st := readStats(t, stats); st.busy() == 0 {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	if a := get(t, base+"/"); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d with Retry-After %q; want 503 and a time", a.status, a.header.Get("Retry-After"))
	}
	write(t, dir, "release", "")
	if a, ok := (<-held).(answer); !ok || a.status != 200 {
		t.Errorf("the running request got %+v, want 200", a)
	}
	if a := get(t, base+"/"); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
	if n := readStats(t, stats).Uwsgo.QueueFull; n != 1 {
		t.Errorf("queue_full is %d, want 1", n)
	}
}

func TestTimeInQueueIsLogged(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--log-format", "%(uri) waited %(queue_msecs) msecs")
	s.waitAnswer(t, base+"/", 200)
	then := time.Now().Add(-time.Minute).UnixMilli()
	header := http.Header{"X-Request-Start": {fmt.Sprintf("t=%d.%03d", then/1000, then%1000)}}
	if _, err := ask("GET", base+"/front", nil, header); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "/front waited ")
	_, rest, _ := strings.Cut(s.log.String(), "/front waited ")
	number, _, _ := strings.Cut(rest, " ")
	if n, err := strconv.Atoi(number); err != nil || n < 60_000 || n > 60_000+int(patience.Milliseconds()) {
		t.Errorf("logged %q, want a minute and a bit", number)
	}
}
