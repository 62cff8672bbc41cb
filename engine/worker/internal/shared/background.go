package shared

import "sync/atomic"

// Background is a process beside the workers, one after another. The supervisor writes it.
type Background struct {
	PID       atomic.Int64  // 0 while there is none
	SpawnedAt atomic.Int64  // Unix nanoseconds
	Spawns    atomic.Uint64 // so far
	Ready     atomic.Bool   // it does what it is for
}
