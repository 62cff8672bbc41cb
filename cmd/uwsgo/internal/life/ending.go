package life

import (
	"context"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sameSignal is how long further signals count as the first: some programs signal both the
	// process and its group.
	sameSignal = 300 * time.Millisecond
	// quickEnd is how long a quick end may take. A zygote that does not obey has a second of it.
	quickEnd = 3 * time.Second
)

// Ending is how a server comes to its end: who asks for it, how patient it is, and what has to be
// undone. Later and Undo belong to one goroutine, everything else is for all.
type Ending struct {
	// Asked gets the signals that ask for the end. After the first the server finishes what is at
	// hand, after the second it ends quickly.
	Asked chan os.Signal
	// Patience ends when the end has to be quick. Hurry ends it.
	Patience context.Context
	Hurry    func()
	// Started says that the start is over. Undo takes back more of a start that fails. The
	// goroutine of Later and Undo sets it.
	Started bool

	quit func() // ends the process as it is
	most time.Duration
	now  func() time.Time

	insisting atomic.Bool // somebody waits for the next signal
	undo      []func()
}

// NewEnding makes the Ending of a server whose end nobody has asked for. quit ends a process that
// does not get on with a quick end.
func NewEnding(quit func()) *Ending {
	e := &Ending{Asked: make(chan os.Signal, 2), quit: quit, most: quickEnd, now: time.Now}
	e.Patience, e.Hurry = context.WithCancel(context.Background())
	return e
}

// Ask asks for the end as a signal does. It does nothing after two others.
func (e *Ending) Ask(sig os.Signal) {
	select {
	case e.Asked <- sig:
	default:
	}
}

// Insist waits for the next signal after the first one: then the end has to be quick. A process
// that does not get on even so quits, and the kernel ends its workers.
func (e *Ending) Insist() {
	if e.insisting.Swap(true) {
		return
	}
	once := e.now()
	for <-e.Asked; e.now().Sub(once) < sameSignal; {
		<-e.Asked
	}
	e.Hurry()
	time.AfterFunc(e.most, e.quit)
}

// Within calls do with a context that ends after d, or with the patience.
func (e *Ending) Within(d time.Duration, do func(context.Context)) {
	ctx, cancel := context.WithTimeout(e.Patience, d)
	defer cancel()
	do(ctx)
}

// Later has Undo call fn, before what was given earlier.
func (e *Ending) Later(fn func()) { e.undo = append(e.undo, fn) }

// Undo undoes everything, the last first.
func (e *Ending) Undo() {
	for _, fn := range slices.Backward(e.undo) {
		fn()
	}
	e.undo = nil
}

// Early calls giveUp when the end is asked for before over is called. over says that the start is
// over, and may be called again.
func (e *Ending) Early(giveUp func()) (over func()) {
	done := make(chan struct{})
	go func() {
		select {
		case <-e.Asked:
			giveUp()
			e.Insist()
		case <-done:
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}
