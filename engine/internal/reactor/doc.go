// Package reactor is the event loop under engine and engine/worker. Each [Loop] has one
// goroutine. It waits on gnet's poller (epoll or kqueue) and calls the [Source] of each ready
// descriptor, due timers, and functions that other goroutines posted. Long work takes turns
// ([Turn]). This package alone imports gnet.
//
// All callbacks run on the loop's goroutine and must not block. Only that goroutine touches the
// loop's state, without locks. Other goroutines use [Loop.Post].
//
// Descriptors are watched edge-triggered, with one registration for reading and writing. A
// readable source must read until a short read or EAGAIN before it hears again. So a connection
// pauses when it does not read, which costs no system call.
package reactor
