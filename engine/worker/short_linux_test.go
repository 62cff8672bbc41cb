package worker

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A zygote that has no room for a successor's descriptors goes on, and forks it when it has.
func TestNoDescriptorsForASuccessor(t *testing.T) {
	t.Parallel()
	r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2, Threads: 2}, 1)
	before := r.pool.Snapshot()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", before.Zygote))
	if err != nil {
		t.Fatal(err)
	}
	var usual unix.Rlimit
	if err := unix.Prlimit(before.Zygote, unix.RLIMIT_NOFILE, nil, &usual); err != nil {
		t.Fatal(err)
	}
	taken := map[string]bool{}
	for _, e := range open {
		taken[e.Name()] = true
	}
	few := unix.Rlimit{Max: usual.Max}
	for free := 0; free < 2; few.Cur++ { // one is free below it
		if !taken[strconv.FormatUint(few.Cur, 10)] {
			free++
		}
	}
	few.Cur--
	if err := unix.Prlimit(before.Zygote, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(before.Workers[0].PID, syscall.SIGKILL)
	r.wait("the reason", func() bool { return strings.Contains(r.output(), "cannot fork worker 1: it needs 3 file descriptors") })
	r.get("/hello").body200("hello")
	if err := unix.Prlimit(before.Zygote, unix.RLIMIT_NOFILE, &usual, nil); err != nil {
		t.Fatal(err)
	}
	r.pid(1, before.Workers[0].PID)
	r.get("/hello").body200("hello")
	if now := r.pool.Snapshot(); now.Zygote != before.Zygote || now.Workers[1].PID != before.Workers[1].PID {
		t.Errorf("others were replaced: %+v, then %+v", before, now)
	}
}
