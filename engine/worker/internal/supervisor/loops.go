package supervisor

import (
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// Loops is the data plane as the supervisor sees it: what runs on the event loops. Only
// the supervisor's goroutine calls its methods, and none of them waits for a loop.
type Loops interface {
	// Attach gives the loops their ends of the streams of a process that is to be forked,
	// by thread and then by loop. The descriptors are theirs from then on.
	Attach(p *shared.Process, fds [][]int) Streams
	// Serve lets them give requests to a process, in stream mode.
	Serve(p *shared.Process)
	// Retire says that the threads of a process take no more requests.
	Retire(p *shared.Process)
	// Resize says for how many threads their bounds and lanes are to be.
	Resize(threads int)
	// Late says that what a thread has claimed has run for too long. If the claim still
	// stands, the request is failed and [Supervisor.Confess] called.
	Late(p *shared.Process, core int, claim Claim, age time.Duration)
	// Deadline returns how long the request with that id may run in nanoseconds: 0 for as
	// long as the pool says, negative for ever.
	Deadline(id uint64) int64
	// Active returns how many requests have begun and not ended.
	Active() int64
	// Quit has the threads that have no request finish, in stream mode.
	Quit()
	// Close fails what is left. Then the loops use the queue no more, and done is called.
	Close(done func())
}

// Streams are those between the threads of one process and the loops. The supervisor's
// goroutine calls its methods.
type Streams interface {
	// Detach has each loop read the last words of the process, which has ended, and end what
	// it had. Then done is called, on a loop or, where all have stopped, at once. sure says
	// that the process is gone, not only as good as dead.
	Detach(sure bool, done func())
	// Retire has each thread finish once it has no request, in stream mode.
	Retire()
}

// Claim is what a thread has taken: the id of a request, [shared.Finishing], or 0 for
// nothing, and since when, on CLOCK_MONOTONIC.
type Claim struct {
	ID    uint64
	Since int64
}
