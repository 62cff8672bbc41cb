package engine

import "github.com/uwsgo/uwsgo/engine/internal/reactor"

// Handler answers requests.
//
// Serve runs on the loop that owns x, when the head of the request is complete, and must
// not block: it answers, asks for the body, hands x to
// something that will answer on the same loop later, or keeps x.Ref() for
// another goroutine. Whoever keeps x itself must watch it ([Exchange.Watch]), so as
// to let go of it when the client does. One Handler serves all loops, at the same time; what it
// keeps per loop it finds by x.Loop().Index().
//
// Once x has been answered ([Exchange.Reply], [Exchange.End] and so on) it
// belongs to the engine again and must not be touched. A panic in Serve is
// logged and answered with 500.
type Handler interface {
	Serve(x *Exchange)
}

// HandlerFunc is a function as a [Handler].
type HandlerFunc func(x *Exchange)

// Serve calls f.
func (f HandlerFunc) Serve(x *Exchange) { f(x) }

// Loop is one of a server's event loops. Any goroutine may call Index, its number from 0, Post,
// which has the loop run a function and returns an error once the loop has stopped, and Wakeups.
// Now, nanoseconds on the clock of all loops, is for the loop's own goroutine. What attaches
// descriptors and timers to a loop is not exported.
type Loop = reactor.Handle

// Watcher is told what becomes of an exchange that is still to be answered.
// Both run on the loop, never from within a call that the watcher makes.
type Watcher interface {
	// Drained says that enough output has gone to the client for more to be welcome:
	// see [Exchange.Buffered].
	Drained(x *Exchange)
	// Gone says that the client has gone, or that it was given up on. The exchange
	// ends when Gone returns and must not be touched any more.
	Gone(x *Exchange)
}
