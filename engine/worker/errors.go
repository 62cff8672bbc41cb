package worker

import (
	"errors"

	"github.com/uwsgo/uwsgo/engine/worker/internal/supervisor"
)

// What [Client.Fail] is told, and what [Port.Begin] and [Port.Send] return.
var (
	// ErrAppFailed: the app raised, or broke PEP 3333, before it sent anything. The
	// traceback is on stderr. The client gets 500.
	ErrAppFailed = errors.New("the app failed before it sent anything")
	// ErrAborted: after Head the app raised, or sent a length other than it had declared. The
	// connection must be closed, because the body is incomplete.
	ErrAborted = errors.New("the app failed while it sent its answer")
	// ErrWorkerDied: the worker process that had the request has died. 502 before Head, close
	// after it.
	ErrWorkerDied = errors.New("the worker died")
	// ErrHarakiri: the request took longer than [Config].Harakiri. 504 before Head,
	// close after it.
	ErrHarakiri = errors.New("the request took longer than harakiri allows")
	// ErrQueueFull: [Config].Queue requests wait already. 503 with Retry-After.
	ErrQueueFull = errors.New("the request queue is full")
	// ErrQueueTimeout: the request waited longer than [Config].QueueTimeout, or would have to.
	// It never runs. 503 with Retry-After.
	ErrQueueTimeout = errors.New("the request waited too long for a worker")
	// ErrBodyDue: too many requests run without their bodies, see [Job].BodyDue. The request
	// waits for its body, or until there is room, see [Port.Notify].
	ErrBodyDue = errors.New("too many requests already run without their bodies")
	// ErrHalfClosed: the request waited for a second or more, and its client had closed its
	// side of the connection by then: see [HalfCloser]. No app ran. 503, for a client that
	// still reads.
	ErrHalfClosed = errors.New("the client closed its side of the connection while its request waited")
	// ErrTooLarge: environ and body in memory are more than [MaxRequest] bytes. 431,
	// or pass the body as a file.
	ErrTooLarge = errors.New("the request is too large for the queue")
	// ErrNoDescriptors: a file could not be passed on. Either the workers have no descriptor
	// left for the body, and no app ran; or the server has none left for the answer's file.
	// The log names the limit. 503.
	ErrNoDescriptors = errors.New("no file descriptor is left for the body of the request, or for the file of its answer")
	// ErrPanicked: a method of the [Client] panicked; the log has its stack. 500, or close
	// where the answer has begun.
	ErrPanicked = errors.New("the code that sends the answer panicked")
	// ErrStopped: [Pool.Stop] has been called. 503.
	ErrStopped = supervisor.ErrStopped
)

// RaisedError is [ErrAppFailed] with a page for the client, see [Exceptions].Tell.
type RaisedError struct {
	Page string // plain text
}

// Error returns the text of [ErrAppFailed]; the page may be long.
func (e *RaisedError) Error() string { return ErrAppFailed.Error() }

// Unwrap returns [ErrAppFailed].
func (e *RaisedError) Unwrap() error { return ErrAppFailed }
