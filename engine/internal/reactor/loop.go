package reactor

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
)

// ReadBufferSize is the length in bytes of the buffer that a loop reads into.
const ReadBufferSize = 64 << 10

// Events says what a descriptor is ready for.
type Events uint8

// The bits of [Events].
const (
	Readable   Events = 1 << iota // there is something to read, an end of file included
	Writable                      // the socket has room again
	EndOfInput                    // the peer has half-closed: an end of file follows the unread input
	Hangup                        // the peer is gone in both directions, or the descriptor has an error
)

// Source gets the events of a descriptor. Ready runs on the loop's goroutine and must not
// block.
type Source interface {
	Ready(ev Events)
}

// ErrStopped is returned by [Loop.Post] once the loop has stopped.
var ErrStopped = errors.New("event loop has stopped")

// Loop is one event loop. Its methods belong to the goroutine in Run, and before Run to the
// maker of the loop, except where they say otherwise.
type Loop struct {
	// Immutable.
	index  int
	handle Handle

	// Owned by the loop's goroutine.
	poller   *netpoll.Poller
	sources  []Source // by descriptor
	buf      []byte
	now      int64
	gather   int64
	wheel    wheel
	kick     *time.Timer // wakes the loop for the wheel's next timer
	kickAt   int64
	waker    waker
	reminded bool     // waker has been told to wake the poller
	posts    []func() // posts that run now, from postAt on
	postAt   int
	turns    turns
	// OnPanic is called after the loop has recovered from a panic in a source, a timer or a
	// posted function. Set before Run.
	OnPanic func(reason any, stack []byte)

	mu      sync.Mutex // guards what follows
	posted  []func()   // posts that wait
	woken   bool       // waker knows of them
	stopped bool

	// Readable by any goroutine.
	wakeups atomic.Uint64
}

// New makes a loop. index is its place among the loops of its server.
func New(index int) (*Loop, error) {
	p, err := netpoll.OpenPoller()
	if err != nil {
		return nil, fmt.Errorf("open poller: %w", err)
	}
	w, err := newWaker()
	if err == nil {
		if err = p.AddRead(&netpoll.PollAttachment{FD: w.fd}, true); err != nil {
			w.close()
		}
	}
	if err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("open poller: %w", err)
	}
	l := &Loop{index: index, poller: p, waker: w, buf: make([]byte, ReadBufferSize)}
	l.handle.loop = l
	l.wheel.init()
	l.turns.init()
	return l, nil
}

// Index returns the loop's place among the loops of its server. Any goroutine.
func (l *Loop) Index() int { return l.index }

// Now returns nanoseconds on the monotonic clock of all loops, as of the present event.
func (l *Loop) Now() int64 { return l.now }

// Buffer returns the loop's scratch buffer of [ReadBufferSize] bytes. Its content lasts until
// the current callback returns.
func (l *Loop) Buffer() []byte { return l.buf }

// Wakeups returns how often the loop has handled an event. Any goroutine.
func (l *Loop) Wakeups() uint64 { return l.wakeups.Load() }

// Add watches fd, edge-triggered, for reading, and for writing when write is true. It calls s.
// fd must be non-blocking.
func (l *Loop) Add(fd int, s Source, write bool) error {
	l.set(fd, s)
	var err error
	pa := netpoll.PollAttachment{FD: fd}
	if write {
		err = l.poller.AddReadWrite(&pa, true)
	} else {
		err = l.poller.AddRead(&pa, true)
	}
	if err != nil {
		l.sources[fd] = nil
	}
	return err
}

func (l *Loop) set(fd int, s Source) {
	for fd >= len(l.sources) {
		l.sources = append(l.sources, make([]Source, max(64, len(l.sources)))...)
	}
	l.sources[fd] = s
}

// Forget drops the source of fd before the caller closes fd. Closing takes the descriptor out
// of the poller. A descriptor that lives on elsewhere, for example in a child, needs
// [Loop.Remove].
func (l *Loop) Forget(fd int) {
	if fd < len(l.sources) {
		l.sources[fd] = nil
	}
}

// Remove stops watching fd without closing it.
func (l *Loop) Remove(fd int) error {
	l.Forget(fd)
	return l.poller.Delete(fd)
}

// Post runs fn on the loop, in the order of the posts. Any goroutine may call it. On the loop's
// own goroutine fn runs after the present event. The loop polls for events after each
// millisecond of posts. Post returns [ErrStopped], and fn never runs, once the loop has
// stopped.
func (l *Loop) Post(fn func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return ErrStopped
	}
	l.posted = append(l.posted, fn)
	if !l.woken {
		l.woken = true
		l.waker.wake() // under the lock, as Close may follow
	}
	return nil
}

// Stop makes Run return after the functions posted so far. Any goroutine.
func (l *Loop) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.stopped = true
		l.waker.wake()
	}
}

// Run handles events on the calling goroutine until Stop.
func (l *Loop) Run() error {
	l.clock()
	err := l.poller.Polling(l.event)
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	if l.kick != nil {
		l.kick.Stop()
	}
	if errors.Is(err, gneterrors.ErrEngineShutdown) {
		err = nil
	}
	return err
}

// Close frees the poller of a loop that does not run: after Run, or instead of it.
func (l *Loop) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	l.waker.close()
	return l.poller.Close()
}

// epoch is the start of the clock of all loops, so that they can compare times.
var epoch = time.Now()

// Clock returns nanoseconds on the clock of all loops. Any goroutine.
func Clock() int64 { return int64(time.Since(epoch)) }

func (l *Loop) clock() { l.now = Clock() }

// Gather makes the loop wait for d each time it wakes from sleep. It then finds more work at
// once and wakes less often; a wake-up costs as much as a small request. It is for a producer
// that knows that no worker is idle meanwhile. 0 ends it.
func (l *Loop) Gather(d time.Duration) { l.gather = int64(d) }

// awake is how long after the last event the loop cannot have slept.
const awake = int64(5 * time.Microsecond)

func (l *Loop) event(fd int, ev netpoll.IOEvent, flags netpoll.IOFlags) error {
	if fd == l.waker.fd {
		l.waker.woken()
		if !l.chores() {
			return gneterrors.ErrEngineShutdown
		}
		return nil
	}
	last := l.now
	l.clock()
	if l.gather > 0 && l.now-last > awake {
		pause(l.gather)
		l.clock()
	}
	l.wakeups.Add(1)
	if fd < len(l.sources) {
		if s := l.sources[fd]; s != nil {
			l.ready(s, ev, flags)
		}
	}
	l.tick()
	if l.gather > 0 {
		l.clock() // for awake
	}
	return nil
}

func (l *Loop) ready(s Source, ev netpoll.IOEvent, flags netpoll.IOFlags) {
	defer l.recovered()
	e := ended(ev, flags)
	if netpoll.IsReadEvent(ev) {
		e |= Readable
	}
	if netpoll.IsWriteEvent(ev) {
		e |= Writable
	}
	s.Ready(e)
}

func (l *Loop) protect(fn func()) {
	defer l.recovered()
	l.clock()
	fn()
}

func (l *Loop) recovered() {
	if r := recover(); r != nil {
		stack := debug.Stack()
		if l.OnPanic != nil {
			l.OnPanic(r, stack)
		}
	}
}

// tick runs the due timers and sets the wake-up for the next.
func (l *Loop) tick() {
	if l.wheel.count == 0 {
		return
	}
	if l.now >= l.wheel.due() {
		l.wheel.advance(l.now, l.protect)
		if l.wheel.count == 0 {
			return
		}
	}
	next := l.wheel.due()
	if l.kickAt != 0 && l.kickAt <= next {
		return
	}
	l.kickAt = next
	if d := time.Duration(next - l.now); l.kick == nil {
		l.kick = time.AfterFunc(d, func() { _ = l.Post(func() { l.kickAt = 0 }) })
	} else {
		l.kick.Reset(d)
	}
}

// Arm sets t to fire at the given time of the loop's clock: never earlier, and at most a [Tick]
// plus the present work later. Arming again moves it. Moving it later costs next to nothing, so
// a timeout may move with every read.
func (l *Loop) Arm(t *Timer, at int64) {
	l.wheel.arm(t, at, l.now)
}

// After arms t to fire d from now.
func (l *Loop) After(t *Timer, d time.Duration) {
	l.wheel.arm(t, l.now+int64(d), l.now)
}

// Disarm stops t until it is armed again.
func (l *Loop) Disarm(t *Timer) { t.at = 0 }
