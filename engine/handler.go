package engine

import "github.com/uwsgo/uwsgo/engine/internal/reactor"

// Handler answers requests.
//
// The loop that owns x calls Serve when the head of the request is complete. Serve must not block.
// It answers, asks for the body, passes x to something that answers later on the same loop, or
// keeps x.Ref() for another goroutine. A handler that keeps x itself must watch it
// ([Exchange.Watch]) and drop it when the client goes. One Handler serves all loops at the same
// time; x.Loop().Index() is the key for values of one loop.
//
// After the answer ([Exchange.Reply], [Exchange.End] and so on) x belongs to the engine again and
// must not be touched. A panic in Serve is logged and answered with 500.
type Handler interface {
	Serve(x *Exchange)
}

// HandlerFunc is a function as a [Handler].
type HandlerFunc func(x *Exchange)

// Serve calls f.
func (f HandlerFunc) Serve(x *Exchange) { f(x) }

// Loop is one of a server's event loops. Any goroutine may call Index, Post and Wakeups. Index
// returns the loop's number, from 0. Post has the loop run a function; it returns an error once
// the loop has stopped. Now returns nanoseconds on the clock of all loops; only the loop's own
// goroutine may call it. Methods that attach descriptors and timers are not exported.
type Loop = reactor.Handle

// Watcher follows an exchange that has no answer yet. The loop calls both methods, never from
// within a call that the watcher makes.
type Watcher interface {
	// Drained says that enough output has gone to the client for more to be welcome:
	// see [Exchange.Buffered].
	Drained(x *Exchange)
	// Gone says that the client has gone, or that it was given up on. The exchange
	// ends when Gone returns and must not be touched any more.
	Gone(x *Exchange)
}
