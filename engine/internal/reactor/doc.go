// Package reactor is the event loop under engine and engine/worker: one
// goroutine per [Loop] waits on gnet's poller (epoll or kqueue) and calls the
// [Source] of each descriptor that is ready, the timers that are due and the
// functions that other goroutines posted. Work that goes on takes turns ([Turn]).
// It is the only importer of gnet.
//
// Everything a loop calls runs on the loop's goroutine and must not block.
// What belongs to a loop is touched by that goroutine alone, without locks;
// other goroutines reach it with [Loop.Post].
//
// Descriptors are watched edge-triggered, for reading and writing in one
// registration: a source that has been told that it may read must read until a
// short read or EAGAIN before it is told again. Not reading is thus all it
// takes to pause a connection, and no system call is spent on changing what is
// waited for.
package reactor
