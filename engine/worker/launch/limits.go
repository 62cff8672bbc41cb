package launch

import "time"

// Limits says when a process is replaced; zero values set no limit. The successor is ready
// before the process is retired, and a pool replaces one process at a time. Each process gets
// up to a tenth on top of the limits, so that workers that started together do not end
// together.
type Limits struct {
	MaxRequests      uint64 // requests answered by the process
	MaxRequestsDelta uint64 // added once for worker 2, twice for worker 3, and so on
	MaxLifetime      time.Duration
	MaxLifetimeDelta time.Duration // as MaxRequestsDelta
	MinLifetime      time.Duration // before it only the evil limits count
	RSS, AS          int64         // bytes of resident memory, and of address space
	// EvilRSS and EvilAS, in bytes, kill a process at once. Its requests fail with
	// worker.ErrWorkerDied.
	EvilRSS, EvilAS int64
}
