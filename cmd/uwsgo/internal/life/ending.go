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
	// sameSignal is how long after the first a signal is taken for the same one: some send
	// it to the process and to its group.
	sameSignal = 300 * time.Millisecond
	// quickEnd is how long what is to end at once may take. A zygote that does not obey has
	// a second of it.
	quickEnd = 3 * time.Second
)

// Ending is how a server comes to its end: who asks for it, how patient it is, and what has to
// be taken back. Later and Undo belong to one goroutine, the rest is for all.
type Ending struct {
	// Asked gets the signals that ask for the end: the first for one that finishes what is
	// at hand, the second for a quick one.
	Asked chan os.Signal
	// Patience ends when what ends the server must be quick, which Hurry says.
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

// NewEnding makes an Ending of a server whose end has not been asked for. quit ends a
// process that does not get on with a quick end.
func NewEnding(quit func()) *Ending {
	e := &Ending{Asked: make(chan os.Signal, 2), quit: quit, most: quickEnd, now: time.Now}
	e.Patience, e.Hurry = context.WithCancel(context.Background())
	return e
}

// Ask asks for the end as a signal does, unless that has been done twice.
func (e *Ending) Ask(sig os.Signal) {
	select {
	case e.Asked <- sig:
	default:
	}
}

// Insist waits, once the end has been asked for, for who asks again: then it is to be quick.
// What does not get on even so ends as it is: the kernel ends the workers then.
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

// Within has do done with a context that ends after d, or when the patience does.
func (e *Ending) Within(d time.Duration, do func(context.Context)) {
	ctx, cancel := context.WithTimeout(e.Patience, d)
	defer cancel()
	do(ctx)
}

// Later has fn run by Undo, before what was given earlier.
func (e *Ending) Later(fn func()) { e.undo = append(e.undo, fn) }

// Undo takes back what has been done, the last first.
func (e *Ending) Undo() {
	for _, fn := range slices.Backward(e.undo) {
		fn()
	}
	e.undo = nil
}

// Early has giveUp called when the end is asked for before over says that the start is over.
// over may be called again.
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
