package worker

import (
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
)

// LateBody is a body that comes after the app has begun. The app's wsgi.input waits for it at
// one end of a socket pair. The loop sends the body's file there once it is complete. The
// socket is not the thread's stream, so any thread of the app may read it.
//
// It belongs to the loop of the request.
type LateBody struct {
	end   int // -1 once closed
	other *os.File
	read  bool
}

// Messages to a worker about a body. shim/late.py has the same.
const (
	lateCame    = 'f' // it has come; its descriptor is attached
	lateTimeout = 't' // its client was too slow
	lateBroken  = 'e' // it broke off
)

// Read reports whether the app has read from it. The answer is final once b is closed.
func (b *LateBody) Read() bool { return b.read }

// NewLateBody makes one. It returns an error when no descriptors are left.
func NewLateBody() (*LateBody, error) {
	fds, err := proc.Socketpair(unix.SOCK_STREAM)
	if err != nil {
		return nil, fmt.Errorf("socket for a body that comes later: %w", err)
	}
	return &LateBody{end: fds[0], other: os.NewFile(uintptr(fds[1]), "wsgi.input")}, nil
}

// Body returns the body for [Port.Send].
func (b *LateBody) Body() Body { return Body{File: b.other, Late: true} }

// Came passes on the file with the whole body.
func (b *LateBody) Came(f *os.File) { b.say(lateCame, unix.UnixRights(int(f.Fd()))) }

// Failed makes the app's reads fail, with the message for a client that was too slow, or for
// one that sent a broken body or has gone.
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
	// One byte always has room, and a worker that has closed its end needs no message.
	_ = unix.Sendmsg(b.end, []byte{what}, rights, nil, unix.MSG_DONTWAIT)
	b.hangUp()
}

func (b *LateBody) hangUp() {
	if b.end < 0 {
		return
	}
	var said [1]byte // a reader announces itself first
	n, _, err := unix.Recvfrom(b.end, said[:], unix.MSG_DONTWAIT)
	b.read = err == nil && n > 0
	_ = unix.Close(b.end)
	b.end = -1
}

// Close lets go of the body when its request has ended. A reader that still waits hears that
// the client has gone.
func (b *LateBody) Close() {
	b.hangUp()
	_ = b.other.Close()
}

// lateCount bounds the requests that run without their bodies, over all loops, so that
// clients who hold bodies back cannot take the threads from others. Any goroutine.
type lateCount struct {
	running atomic.Int64
	waits   []atomic.Bool // by loop: some of its requests wait
}

// lateShare returns how many of the threads such requests may hold.
func lateShare(threads int) int64 { return int64(max(1, threads/4)) }

// mayBeLate takes a place for a request that runs without its body. When none is free it notes
// that this loop waits for one.
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
		c.waits[p.index].Store(true) // set before the second look, so that no end is missed
	}
}

// uncountLate gives back a place, and tells loops that wait.
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
