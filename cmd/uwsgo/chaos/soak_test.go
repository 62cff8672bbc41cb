package chaos

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/proctree"
)

// holdings are what a server holds of the system.
type holdings struct {
	processes, descriptors, goThreads, files int
	memory                                   int64
}

// holds reads what a server holds, all its processes together.
func (s *server) holds() (h holdings, err error) {
	pids, err := proctree.PIDs(s.pid())
	if err != nil {
		return h, err
	}
	h.processes = len(pids)
	for _, pid := range pids {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			return h, err
		}
		h.descriptors += len(fds)
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.pid()))
	if err != nil {
		return h, err
	}
	h.goThreads = len(tasks)
	files, err := os.ReadDir(s.temp)
	if err != nil {
		return h, err
	}
	h.files = len(files)
	h.memory, err = proctree.PSS(s.pid())
	return h, err
}

// ending is how many goroutines may end together with the server: those that wait for disks, and a few.
const ending = 16

func TestSoak(t *testing.T) {
	args := append(slices.Clone(pool), "--post-buffering", "4096", "--profile", "goroutine")
	idle := start(t, args...).goroutines(t)
	s := start(t, args...)
	upload := route("/upload")
	upload.Request.Method, upload.Request.Body = http.MethodPost, bytes.Repeat([]byte("x"), 64<<10)
	short, sleep := route("/short"), route("/sleep")
	short.Weight, sleep.Weight, upload.Weight = 90, 5, 5
	// A connection carries a hundred requests, so that connections come and go.
	o := load.Options{Routes: []load.Route{short, sleep, upload}, Connections: 64, Rate: rate(500, 300), PerConnection: 100}
	f := newFinding(t, "Soak", fmt.Sprintf(
		"%v at %.0f requests a second on %d × %d workers after a warm-up of a tenth of it: 90 %% of 2 ms, 5 %% that sleep for 50 ms, 5 %% uploads that go through temporary files. "+
			"What the server holds with all connections closed, before and after.", lasting(10*time.Minute, 5*time.Second), o.Rate, workers, threads))
	o.Duration = lasting(time.Minute, time.Second)
	warm := s.ask(t, o, allowed{})
	warm.clean(t)
	before := s.settled(t, holdings{})
	o.Duration = lasting(10*time.Minute, 5*time.Second)
	a := s.ask(t, o, allowed{})
	after := s.settled(t, before)
	f.account(a)
	grown := func(what string, before, after int) {
		f.must(after <= before, what+", before and after", fmt.Sprintf("%d, %d", before, after), "not more")
	}
	grown("processes", before.processes, after.processes)
	grown("descriptors", before.descriptors, after.descriptors)
	grown("temporary files", before.files, after.files)
	f.figure("system threads of the server itself", fmt.Sprintf("%d, %d", before.goThreads, after.goThreads))
	spooled, err := s.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if spooled.Uwsgo.BodiesSpooled == 0 {
		t.Error("no upload went through a temporary file")
	}
	f.bound(after.memory <= before.memory+before.memory/10, "memory (PSS), before and after", mib(before.memory)+", "+mib(after.memory), "a tenth more")
	busy := s.goroutines(t)
	// Some goroutines end together with the server, before or after the profile is written. A leak
	// is one for each request, connection or upload.
	f.must(busy <= idle+ending, "goroutines of a server that has done nothing, and of this one, before and after", fmt.Sprintf("%d, %d", idle, busy), fmt.Sprintf("at most %d more", ending))
}

var sample = regexp.MustCompile(`(?m)^ +(\d+): `)

// goroutines stops the server and tells how many goroutines it had in the end.
func (s *server) goroutines(t *testing.T) (n int) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	out, err := exec.Command("go", "tool", "pprof", "-raw", filepath.Join(s.dir, "goroutine.pprof")).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, samples, _ := strings.Cut(string(out), "Samples:")
	samples, _, _ = strings.Cut(samples, "Locations")
	for _, m := range sample.FindAllStringSubmatch(samples, -1) {
		count, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		n += count
	}
	if n == 0 {
		t.Fatalf("a profile without goroutines:\n%s", out)
	}
	return n
}

// settled waits until the server has let go of what the load needed, and gives
// what it holds. Nothing is known of how much that is the first time; later it has
// to come down to what it was.
func (s *server) settled(t *testing.T, before holdings) (h holdings) {
	t.Helper()
	deadline := time.Now().Add(patience)
	last := holdings{}
	for still := 0; still < 10; {
		time.Sleep(50 * time.Millisecond)
		var err error
		if h, err = s.holds(); err != nil {
			t.Fatal(err)
		}
		same := h.descriptors == last.descriptors && h.files == last.files && h.processes == last.processes
		same = same && (before.processes == 0 || h.descriptors <= before.descriptors && h.files <= before.files)
		if still++; !same {
			still = 0
		}
		if last = h; time.Now().After(deadline) {
			break // what has grown is for the caller to tell
		}
	}
	return h
}
