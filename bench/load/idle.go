package load

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// KindClosed is an idle client with a right answer whose connection was then closed, as
// announced.
const KindClosed = "not kept alive"

// Idle holds open connections, each after a right answer.
type Idle struct {
	crowd
	w     wire
	conns []net.Conn
}

// OpenIdle opens n connections to t and asks once on each, 32 at a time. It keeps those that
// were answered right and stay open; the rest is in Errors. It gives up clients without an
// answer after half a minute, which bounds the wait for a silent server. It fails when the
// request makes no sense or descriptors are too few.
func OpenIdle(ctx context.Context, t Target, r Request, n int) (*Idle, error) {
	if t.Protocol != HTTP {
		return nil, errors.New("load: idle clients need HTTP: with uwsgi a connection ends with its request")
	}
	w, err := prepare(t, r, n)
	if err != nil {
		return nil, err
	}
	idle := &Idle{w: w}
	var mu sync.Mutex
	ctx, cancel := context.WithTimeout(ctx, idleLimit)
	defer cancel()
	each(n, func(int) {
		if ctx.Err() != nil { // given up
			idle.wrong(KindTimeout)
			return
		}
		c, err := dial(ctx, t, ioLimit, nil)
		if err != nil {
			idle.wrong(KindConnect)
			return
		}
		if !idle.ask(ctx, c) {
			c.Close()
			return
		}
		mu.Lock()
		defer mu.Unlock()
		idle.conns = append(idle.conns, c)
	})
	return idle, nil
}

// idleLimit bounds the time in which all idle clients ask once.
const idleLimit = 30 * time.Second

// prepare checks what a crowd is asked to do.
func prepare(t Target, r Request, n int) (wire, error) {
	if err := t.check(); err != nil {
		return wire{}, err
	}
	w, err := newWire(t, r)
	if err != nil {
		return wire{}, err
	}
	return w, enoughDescriptors(n)
}

// ask asks once on c, and tells whether the answer was right and c stays open.
func (i *Idle) ask(ctx context.Context, c net.Conn) bool {
	err := c.SetDeadline(time.Now().Add(ioLimit))
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err == nil {
		_, err = c.Write(i.w.keep)
	}
	keep := false
	if err == nil {
		keep, err = readAnswer(c, &i.w, make([]byte, 4096))
	}
	switch {
	case err != nil:
		i.wrong(kindOf(err))
	case !keep:
		i.wrong(KindClosed)
	}
	return err == nil && keep
}

// Answered is the number of connections held open.
func (i *Idle) Answered() int { return len(i.conns) }

// AskAgain asks once more on each and gives the number of right answers. It takes
// no longer than half a minute either.
func (i *Idle) AskAgain(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, idleLimit)
	defer cancel()
	var right atomic.Int64
	each(len(i.conns), func(k int) {
		if i.ask(ctx, i.conns[k]) {
			right.Add(1)
		}
	})
	return int(right.Load())
}

// Close closes all connections.
func (i *Idle) Close() {
	for _, c := range i.conns {
		c.Close()
	}
}
