package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Connections that are kept by the clients included, nobody notices that another process
// serves.
func TestBinaryReplaced(t *testing.T) {
	pidfile := filepath.Join(t.TempDir(), "uwsgo.pid")
	logto := pidfile + ".log" // the output of the first process is read for as long as that lives
	s := start(t, append(slices.Clone(pool), "--pidfile", pidfile, "--logto", logto)...)
	s.pids = pidfile
	every := lasting(5*time.Second, 1500*time.Millisecond)
	o := steady(time.Minute, 6*time.Second, route("/short"))
	f := newFinding(t, "The binary replaced", under(o)+fmt.Sprintf("; SIGUSR2 every %v to the process that serves then.", every))
	said := func(what string) int {
		text, _ := os.ReadFile(logto)
		return strings.Count(string(text), what)
	}
	asked := 0
	stop := during(every, func() {
		asked++
		_ = syscall.Kill(s.pid(), syscall.SIGUSR2)
	})
	a := s.ask(t, o, allowed{})
	stop()
	f.account(a)
	eventually(t, "the end of what was replaced", func() error {
		begun, done := said("is to take the place"), said("serves in place")
		// The last has a zygote and its workers, and nobody else is left.
		if left := processes(s.mark); begun != done || len(left) != workers+2 {
			return fmt.Errorf("%d of %d replaced, processes %v", done, begun, left)
		}
		return nil
	})
	f.must(asked > 1, "replacements asked for", asked, "at least 2")
	n := said("serves in place")
	f.must(n > 1, "replacements done", n, "at least 2")
}
