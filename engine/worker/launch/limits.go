package launch

import "time"

// Limits say when a process has served long enough and is replaced; zero values set
// none. Its successor is ready before it finishes its requests and goes, and one
// process of a pool is replaced at a time. So that workers that started together do
// not end together, each process has up to a tenth more than the limits say.
type Limits struct {
	MaxRequests      uint64 // answered by the process
	MaxRequestsDelta uint64 // so many more for worker 2, twice as many more for worker 3
	MaxLifetime      time.Duration
	MaxLifetimeDelta time.Duration // as MaxRequestsDelta
	MinLifetime      time.Duration // no limit but the evil ones counts before
	RSS, AS          int64         // bytes of resident memory, and of address space
	// EvilRSS and EvilAS, in bytes, are limits at which a process is killed at once;
	// what it has in hand fails with worker.ErrWorkerDied.
	EvilRSS, EvilAS int64
}
