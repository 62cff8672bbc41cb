package supervisor

import (
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// Loops is the data plane, which runs on the event loops, as the supervisor sees it. Only the
// supervisor's goroutine calls its methods. None of them waits for a loop.
type Loops interface {
	// Attach gives the loops their ends of a process's streams before its fork, by thread and
	// then by loop. The loops own the descriptors from then on.
	Attach(p *shared.Process, fds [][]int) Streams
	// Serve lets them send requests to a process, in stream mode.
	Serve(p *shared.Process)
	// Retire says that the threads of a process take no more requests.
	Retire(p *shared.Process)
	// Resize sets the number of threads for their bounds and lanes.
	Resize(threads int)
	// Late says that a thread's claim is too old. If the claim still stands, the loop fails the
	// request and calls [Supervisor.Confess].
	Late(p *shared.Process, core int, claim Claim, age time.Duration)
	// Deadline returns how long the request with that id may run, in nanoseconds: 0 for the
	// pool's limit, negative for ever.
	Deadline(id uint64) int64
	// Active returns how many requests have begun and not ended.
	Active() int64
	// Quit tells threads without a request to finish, in stream mode.
	Quit()
	// Close fails the remaining requests. Then the loops stop using the queue, and done is
	// called.
	Close(done func())
}

// Streams are those between the threads of one process and the loops. The supervisor's
// goroutine calls its methods.
type Streams interface {
	// Detach makes each loop read the last frames of an exited process and end its requests.
	// Then done is called, on a loop, or at once when all loops have stopped. sure says that
	// the process has exited; otherwise it was killed and may live on.
	Detach(sure bool, done func())
	// Retire has each thread finish once it has no request, in stream mode.
	Retire()
}

// Claim is a thread's claim: the id of a request, [shared.Finishing], or 0 for nothing, and
// since when, on CLOCK_MONOTONIC.
type Claim struct {
	ID    uint64
	Since int64
}
