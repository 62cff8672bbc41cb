package load

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	readSize  = 256 << 10 // of one read; large bodies take few
	batchSize = 256       // events of one wait
	// scanEvery is how often all clients are checked for late answers. Shorter timeouts are
	// looked at more often.
	scanEvery = 50 * time.Millisecond
	// endingLimit is how long a server may take to close a connection after it announced that.
	// Then it is closed from here.
	endingLimit = 100 * time.Millisecond
	// unreached is a client's pause after a failed connection, backlogFull its pause after a
	// unix socket had no room.
	unreached   = 10 * time.Millisecond
	backlogFull = time.Millisecond
	// leastPatience is how long at least a closed loop waits, at its end, for the
	// first answer of clients that have had none.
	leastPatience = 100 * time.Millisecond
)

// loop makes the load of one thread. All of it belongs to the goroutine that runs
// it, which is locked to its thread.
type loop struct {
	// Set before it runs.
	o      Options
	wires  []wire
	order  []uint16
	thread int
	begun  time.Time
	dialer *dialer
	poll   int // epoll descriptor
	timer  int // timerfd that wakes an open loop when a request is due, or -1

	clients  []client
	free     []int32       // open loop: clients with nothing to do, the last used on top
	next     int64         // requests made so far
	armed    int64         // the value of next that the timer is set for, or -1
	now      time.Duration // since begun, as of the last wait or read
	stopping bool          // no more requests are made
	inFlight int           // requests that wait for their answer
	resting  int           // clients that rest
	longest  time.Duration // latency of a right answer
	scanned  time.Duration // when all clients were last looked at
	in       []byte        // what a read brings
	out      []byte        // a pipeline on its way
	events   []unix.EpollEvent
	*tally
}

// runLoops runs one loop a thread until all have ended.
func runLoops(ctx context.Context, o Options, wires []wire) ([]*tally, error) {
	order := newOrder(o.Routes, o.Seed)
	loops := make([]*loop, o.Threads)
	defer func() {
		for _, l := range loops {
			if l != nil {
				l.close()
			}
		}
	}()
	for i := range loops {
		l, err := newLoop(o, wires, order, i)
		if err != nil {
			return nil, err
		}
		loops[i] = l
	}
	var running sync.WaitGroup
	begun := time.Now()
	tallies := make([]*tally, len(loops))
	errs := make([]error, len(loops))
	for i, l := range loops {
		l.begun = begun
		tallies[i] = l.tally
		running.Go(func() { errs[i] = l.run(ctx) })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return tallies, nil
}

func newLoop(o Options, wires []wire, order []uint16, thread int) (*loop, error) {
	d, err := newDialer(o.Target, o.PerConnection > 0)
	if err != nil {
		return nil, err
	}
	clients := o.Connections / o.Threads
	if thread < o.Connections%o.Threads {
		clients++
	}
	l := &loop{
		o: o, wires: wires, order: order, thread: thread, dialer: d, poll: -1, timer: -1, armed: -1,
		clients: make([]client, clients),
		in:      make([]byte, readSize),
		events:  make([]unix.EpollEvent, batchSize),
		tally:   newTally(o),
	}
	for i := range l.clients {
		l.clients[i] = client{number: int32(i), fd: -1, flights: make([]flight, o.Pipeline)}
	}
	if l.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("load: making an epoll descriptor: %w", err)
	}
	if o.Rate > 0 {
		if err := l.startTimer(); err != nil {
			l.close()
			return nil, fmt.Errorf("load: making a timer: %w", err)
		}
		for i := range l.clients {
			l.free = append(l.free, int32(i))
		}
	}
	return l, nil
}

// run makes requests for the given time, waits for due answers, and counts those that never
// came.
func (l *loop) run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := threadCPU()
	if err != nil {
		return err
	}
	l.tick()
	if l.o.Rate == 0 {
		for i := range l.clients {
			l.advance(&l.clients[i])
		}
	}
	var patience time.Duration // when clients that have had no answer are given up
	for {
		if l.o.Rate > 0 {
			l.dispatch()
		}
		if !l.stopping && (l.now >= l.o.Duration || ctx.Err() != nil) {
			l.stopping = true
			l.stopped = l.now
			if l.o.Rate > 0 && ctx.Err() == nil {
				l.stopped = l.o.Duration
			}
			after, err := threadCPU()
			if err != nil {
				return err
			}
			l.cpu = after - before
			patience = l.now + max(leastPatience, l.longest)
			if l.longest == 0 {
				patience = l.now + l.o.Timeout
			}
		}
		if l.stopping {
			if ctx.Err() != nil {
				return nil
			}
			if l.o.Rate == 0 && l.now >= patience {
				l.giveUp()
			}
			if l.inFlight == 0 && !l.due(l.now) {
				l.giveUp()
				return nil
			}
		}
		if err := l.wait(); err != nil {
			return err
		}
	}
}

// wait waits for events and handles them, and looks after the clients from time
// to time.
func (l *loop) wait() error {
	every := max(time.Millisecond, min(scanEvery, l.o.Timeout/8))
	if l.resting > 0 {
		every = time.Millisecond
	}
	until := every
	if !l.stopping {
		until = min(until, max(0, l.o.Duration-l.now))
	}
	l.arm()
	n, err := unix.EpollWait(l.poll, l.events, int((until+time.Millisecond-1)/time.Millisecond))
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("load: waiting for events: %w", err)
	}
	l.tick()
	for _, ev := range l.events[:max(0, n)] {
		if ev.Fd < 0 {
			continue // the timer
		}
		if c := &l.clients[ev.Fd]; c.generation == ev.Pad {
			l.handle(c, ev.Events)
		}
	}
	if l.now-l.scanned >= every {
		l.scanned = l.now
		l.scan()
	}
	return nil
}

func (l *loop) tick() { l.now = time.Since(l.begun) }

// scan ends what takes too long and the rests that are over.
func (l *loop) scan() {
	for i := range l.clients {
		c := &l.clients[i]
		switch {
		case c.restUntil > 0 && l.now >= c.restUntil:
			c.restUntil = 0
			l.resting--
			l.advance(c)
		case c.count > 0 && l.now-c.first().due >= l.o.Timeout:
			l.fail(c, KindTimeout)
		case c.ending && l.now >= c.endBy:
			l.disconnect(c)
			l.advance(c)
		}
	}
}

// giveUp counts the uncounted clients of a closed loop, and drops the requests that they wait
// for.
func (l *loop) giveUp() {
	if l.o.Rate > 0 {
		return
	}
	for i := range l.clients {
		if c := &l.clients[i]; !c.heard {
			c.heard = true
			f := *c.first()
			l.inFlight -= c.count
			c.count = 0
			l.disconnect(c)
			l.outcome(f, KindNoAnswer, 0)
			record(l.routes[f.route].latency, l.now-f.due)
		}
	}
}

func (l *loop) close() {
	for i := range l.clients {
		if c := &l.clients[i]; c.fd >= 0 {
			unix.Close(c.fd)
		}
	}
	for _, fd := range []int{l.poll, l.timer} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// threadCPU is the processor time of the calling thread, user and system.
func threadCPU() (time.Duration, error) {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &used); err != nil {
		return 0, fmt.Errorf("load: reading the processor time: %w", err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}
