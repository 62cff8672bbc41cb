package worker

import (
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
)

// LateBody is a request's body that is still to come when the app begins. The app's
// wsgi.input waits for it at the other end of a socket, to which the body is sent as a
// descriptor once all of it is there. It is no part of the thread's stream, so any thread of
// the app may read it.
//
// It belongs to the loop of the request.
type LateBody struct {
	end   int // -1 once there is nothing more to say
	other *os.File
	read  bool
}

// What is said to a worker of a body: shim/late.py has the same.
const (
	lateCame    = 'f' // its descriptor comes along
	lateTimeout = 't' // its client was too slow
	lateBroken  = 'e' // it does not come whole
)

// Read reports whether the app has read of it. It is known in full once b has been closed.
func (b *LateBody) Read() bool { return b.read }

// NewLateBody makes one. It is an error when there are no descriptors left for it.
func NewLateBody() (*LateBody, error) {
	fds, err := proc.Socketpair(unix.SOCK_STREAM)
	if err != nil {
		return nil, fmt.Errorf("socket for a body that is still to come: %w", err)
	}
	return &LateBody{end: fds[0], other: os.NewFile(uintptr(fds[1]), "wsgi.input")}, nil
}

// Body returns what [Port.Send] is given.
func (b *LateBody) Body() Body { return Body{File: b.other, Late: true} }

// Came passes on the file that holds the whole body.
func (b *LateBody) Came(f *os.File) { b.say(lateCame, unix.UnixRights(int(f.Fd()))) }

// Failed has the app's reading fail: in the words for a client that was too slow, or in those
// for one that has sent something else, or has gone.
func (b *LateBody) Failed(tooSlow bool) {
	what := byte(lateBroken)
	if tooSlow {
		what = lateTimeout
	}
	b.say(what, nil)
}

func (b *LateBody) say(what byte, rights []byte) {
	if b.end < 0 {
		return
	}
	// There is room for so little, and a worker that has closed its end needs no answer.
	_ = unix.Sendmsg(b.end, []byte{what}, rights, nil, unix.MSG_DONTWAIT)
	b.hangUp()
}

func (b *LateBody) hangUp() {
	if b.end < 0 {
		return
	}
	var said [1]byte // one who reads says so first
	n, _, err := unix.Recvfrom(b.end, said[:], unix.MSG_DONTWAIT)
	b.read = err == nil && n > 0
	_ = unix.Close(b.end)
	b.end = -1
}

// Close lets go of it when its request has ended. Whoever still reads hears that the client
// has gone.
func (b *LateBody) Close() {
	b.hangUp()
	_ = b.other.Close()
}

// lateCount bounds the requests that run without their bodies, over all loops, so that
// clients who hold bodies back cannot take the threads from others. Any goroutine.
type lateCount struct {
	running atomic.Int64
	waits   []atomic.Bool // by loop: it has some that must wait
}

// lateShare returns how many of so many threads such requests may hold.
func lateShare(threads int) int64 { return int64(max(1, threads/4)) }

// mayBeLate takes a place for a request that runs without its body. Where there is none it
// notes that this loop is to be told.
func (p *Port) mayBeLate() bool {
	c := &p.pool.late
	for said := false; ; said = true {
		if n := c.running.Load(); n < lateShare(p.threads) {
			if c.running.CompareAndSwap(n, n+1) {
				return true
			}
			continue
		}
		if said {
			return false
		}
		c.waits[p.index].Store(true) // before it looks again, so that no end is missed
	}
}

// uncountLate gives a place back.
func (p *Port) uncountLate() {
	c := &p.pool.late
	c.running.Add(-1)
	for i := range c.waits {
		if c.waits[i].Load() && c.waits[i].CompareAndSwap(true, false) {
			other := p.plane.ports[i]
			_ = other.loop.Post(other.lateRoom)
		}
	}
}
