package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Slow is a crowd of clients that read an answer, or send a body, a little at a
// time until Finish.
type Slow struct {
	crowd
	hurry   chan struct{} // closed by Finish
	once    sync.Once
	cancel  context.CancelFunc
	running sync.WaitGroup
	whole   atomic.Int64 // clients with a right exchange
	middle  atomic.Int64 // clients that have been in the middle of theirs
}

const (
	// slowStep is how often a slow client takes or gives its next bytes.
	slowStep = 100 * time.Millisecond
	// finishLimit bounds how long all clients take once they hurry.
	finishLimit = 30 * time.Second
	// slowBuffer is what the kernel takes of an answer ahead of its reader.
	slowBuffer = 16 << 10
)

// SlowReaders starts n clients that ask r of t and read the answer at that many
// bytes a second. They end, right or not, when ctx does or after Finish.
func SlowReaders(ctx context.Context, t Target, r Request, n, bytesPerSecond int) (*Slow, error) {
	return startSlow(ctx, t, r, n, bytesPerSecond, func(c *slowConn, w *wire) error {
		if _, err := c.Conn.Write(w.last); err != nil {
			return err
		}
		_, err := readAnswer(c, w, make([]byte, slowBuffer))
		return err
	})
}

// SlowWriters starts n clients that send r to t at that many bytes a second, and
// then want the answer at once.
func SlowWriters(ctx context.Context, t Target, r Request, n, bytesPerSecond int) (*Slow, error) {
	return startSlow(ctx, t, r, n, bytesPerSecond, func(c *slowConn, w *wire) error {
		head := len(w.last) - w.bodyOut
		if _, err := c.Conn.Write(w.last[:head]); err != nil {
			return err
		}
		c.s.middle.Add(1)
		if err := c.give(w.last[head:]); err != nil {
			return err
		}
		_, err := readAnswer(c.Conn, w, make([]byte, slowBuffer))
		return err
	})
}

func startSlow(ctx context.Context, t Target, r Request, n, bytesPerSecond int, run func(*slowConn, *wire) error) (*Slow, error) {
	w, err := prepare(t, r, n)
	if err != nil {
		return nil, err
	}
	step := int(int64(bytesPerSecond) * int64(slowStep) / int64(time.Second))
	if n < 1 || step < 1 {
		return nil, fmt.Errorf("load: %d slow clients at %d bytes a second: ask for 1 and %d, or more", n, bytesPerSecond, time.Second/slowStep)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Slow{hurry: make(chan struct{}), cancel: cancel}
	for range n {
		s.running.Go(func() {
			c, err := dial(ctx, t, ioLimit, smallBuffer)
			if err != nil {
				s.wrong(KindConnect)
				return
			}
			defer c.Close()
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			if err = c.SetDeadline(time.Now().Add(ioLimit)); err == nil {
				err = run(&slowConn{Conn: c, s: s, ctx: ctx, step: step}, &w)
			}
			switch {
			case err == nil:
				s.whole.Add(1)
			default:
				s.wrong(kindOf(err))
			}
		})
	}
	return s, nil
}

// smallBuffer keeps the kernel from taking most of an answer at once. It must be
// set before the connection is made: one that shrinks later stalls.
func smallBuffer(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, slowBuffer)
	})
	return errors.Join(err, failed)
}

// Started is the number of clients in the middle of their exchange: readers have the first byte
// of the answer, writers have sent the head.
func (s *Slow) Started() int { return int(s.middle.Load()) }

// Finish lets all clients read or send the rest at once, and waits for them, half a minute at
// most. It returns the number of right exchanges. Errors has the faults of the others.
func (s *Slow) Finish() int {
	s.once.Do(func() { close(s.hurry) })
	late := time.AfterFunc(finishLimit, s.cancel)
	s.running.Wait()
	late.Stop()
	s.cancel()
	return int(s.whole.Load())
}

// slowConn is the connection of one slow client. Its goroutine owns it.
type slowConn struct {
	net.Conn
	s    *Slow
	ctx  context.Context
	step int // bytes each slowStep

	begun bool // a reader has read something
}

// pause waits one step, and tells whether the client shall go on slowly.
func (c *slowConn) pause() bool {
	timer := time.NewTimer(slowStep)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.s.hurry:
	case <-c.ctx.Done():
	}
	return false
}

// Read reads a step's bytes a step.
func (c *slowConn) Read(p []byte) (int, error) {
	if c.pause() {
		p = p[:min(len(p), c.step)]
	}
	if err := c.SetReadDeadline(time.Now().Add(ioLimit)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if n > 0 && !c.begun {
		c.begun = true
		c.s.middle.Add(1)
	}
	return n, err
}

// give sends p, a step's bytes a step.
func (c *slowConn) give(p []byte) error {
	slowly := true
	for len(p) > 0 {
		n := len(p)
		if slowly {
			n = min(n, c.step)
		}
		if err := c.SetDeadline(time.Now().Add(ioLimit)); err != nil {
			return err
		}
		if _, err := c.Conn.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
		slowly = slowly && c.pause()
	}
	return c.SetReadDeadline(time.Now().Add(ioLimit))
}
