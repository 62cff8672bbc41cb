package logger

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

const (
	// maxPending bounds the bytes that wait to be written: some 20,000 lines, a third of a second
	// of the answers of one machine.
	maxPending = 4 << 20
	// gatherTime is how long lines wait for others after a write, so that a busy server writes 50
	// times a second and not once a request.
	gatherTime = 20 * time.Millisecond
	// gatherSize is how many bytes end that wait.
	gatherSize = 64 << 10
	// closeTime bounds the wait of Close for a reader that does not read.
	closeTime = 2 * time.Second
)

// queue is a bounded buffer of messages with a goroutine that takes them out. It loses messages
// only when it is full, or when take says so.
type queue struct {
	take func(b *batch) (lost uint64, err error)
	// first returns what goes before the messages; it may be nil.
	first func(b *batch)
	// failing is called once when messages are lost, and told once, with their number, when none
	// are any more.
	failing func(err error)
	told    func(lost uint64)

	mu      sync.Mutex
	pending batch
	orders  []func() // for the goroutine, after what is pending
	closed  bool
	dropped uint64 // messages
	said    uint64 // of those, the number that told has been called with

	wake    chan struct{} // signals work; cap 1
	hurry   chan struct{} // ends the wait for others; cap 1
	closing chan struct{}
	done    chan struct{}

	bad bool // failing has been called; the goroutine's
}

func newQueue(take func(*batch) (uint64, error)) *queue {
	return &queue{
		take: take, failing: func(error) {}, told: func(uint64) {},
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
}

// add copies a message. It never blocks; after close it returns [os.ErrClosed].
func (q *queue) add(message []byte) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return os.ErrClosed
	}
	if len(q.pending.data)+len(message) > maxPending {
		q.dropped++
		q.mu.Unlock()
		return nil
	}
	first, full := q.pending.empty(), len(q.pending.data) < gatherSize
	q.pending.add(message)
	full = full && len(q.pending.data) >= gatherSize
	q.mu.Unlock()
	if first {
		notify(q.wake)
	}
	if full {
		notify(q.hurry)
	}
	return nil
}

// order calls something on the goroutine, after what is pending now.
func (q *queue) order(do func()) {
	q.mu.Lock()
	q.orders = append(q.orders, do)
	q.mu.Unlock()
	notify(q.wake)
	notify(q.hurry)
}

// lost returns how many messages were lost.
func (q *queue) lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// close waits until what is pending is taken, at most until ctx ends, and ends the goroutine.
func (q *queue) close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	close(q.closing)
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		return errors.New("closing the log: its reader does not read, the last lines are lost")
	}
}

func (q *queue) run() {
	defer close(q.done)
	gather := time.NewTimer(0)
	var spare, before batch
	for {
		select {
		case <-q.wake:
			q.flush(&spare, &before)
		case <-q.closing:
			q.flush(&spare, &before)
			return
		}
		gather.Reset(gatherTime)
		select {
		case <-gather.C:
		case <-q.hurry:
		case <-q.closing:
		}
	}
}

// flush takes what is pending. Others fill the spare batch meanwhile.
func (q *queue) flush(spare, before *batch) {
	q.mu.Lock()
	q.pending, *spare = *spare, q.pending
	orders := q.orders
	q.orders = nil
	untold := q.dropped - q.said
	q.mu.Unlock()

	lost, err := uint64(0), error(nil)
	if q.first != nil { // after pending was taken: what was printed before a line is written before it
		q.first(before)
		lost, err = q.give(before)
	}
	n, e := q.give(spare)
	lost += n
	if e != nil {
		err = e
	}
	switch {
	case lost > 0:
		q.mu.Lock()
		q.dropped += lost
		q.mu.Unlock()
		if !q.bad {
			q.bad = true
			q.failing(err)
		}
	case untold > 0:
		q.mu.Lock()
		q.said += untold
		q.mu.Unlock()
		q.told(untold)
		fallthrough
	default:
		q.bad = false
	}
	for _, do := range orders {
		do()
	}
}

func (q *queue) give(b *batch) (lost uint64, err error) {
	if !b.empty() {
		lost, err = q.take(b)
	}
	b.reset()
	return lost, err
}

// notify sets a flag that one goroutine waits for.
func notify(flag chan struct{}) {
	select {
	case flag <- struct{}{}:
	default:
	}
}
