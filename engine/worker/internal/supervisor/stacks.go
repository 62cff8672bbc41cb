package supervisor

import (
	"os"
	"sync"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
)

// stacks asks worker threads for their Python stacks. A signal makes a thread write its stack
// into a pipe, whatever it does. Any goroutine.
type stacks struct {
	mu    sync.Mutex // one at a time: all write into the same pipe
	read  *os.File   // nil where the system has no stacks
	write *os.File   // inherited by every worker
}

// How long to wait for a stack to begin, and for more of it.
const (
	stackBegins = time.Second
	stackPause  = 50 * time.Millisecond
)

func newStacks() (*stacks, error) {
	if proc.StackSignal == 0 {
		return &stacks{}, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &stacks{read: r, write: w}, nil
}

// of returns the stack of a thread, innermost call first. It is empty when the thread writes
// none.
func (s *stacks) of(pid, tid int) string {
	if s.read == nil || pid <= 1 || tid <= 0 {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.next(0) // left from a late answer
	if proc.SignalThread(pid, tid) != nil {
		return ""
	}
	text := s.next(stackBegins)
	for more := text; more != ""; text += more {
		more = s.next(stackPause)
	}
	return text
}

// next returns the bytes that come within d.
func (s *stacks) next(d time.Duration) string {
	_ = s.read.SetReadDeadline(time.Now().Add(max(d, time.Millisecond)))
	b := make([]byte, 64<<10)
	n, _ := s.read.Read(b)
	return string(b[:n])
}

func (s *stacks) close() {
	if s != nil && s.read != nil {
		_, _ = s.read.Close(), s.write.Close()
	}
}
