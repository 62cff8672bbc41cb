package engine

import (
	"fmt"
	"sync"
)

// Bounds of the work that waits for disks.
const (
	diskThreads = 8
	diskQueue   = 4096
)

// disk holds the goroutines that wait for disks in place of the loops. The first use starts
// them.
type disk struct {
	mu     sync.Mutex
	pool   *Pool
	closed bool
}

// do runs job on a goroutine, or returns why it cannot.
func (s *Server) do(job func()) error {
	d := &s.disk
	d.mu.Lock()
	if d.pool == nil && !d.closed {
		d.pool = NewPool(s.opt.DiskThreads, diskQueue, s.opt.Logf)
	}
	pool := d.pool
	d.mu.Unlock()
	if pool == nil {
		return fmt.Errorf("work for a disk: %w", ErrServerClosed)
	}
	return pool.Go(job)
}

// close ends the goroutines once their jobs are done. It does not wait: a disk may hang.
func (d *disk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.pool != nil {
		go d.pool.Close()
	}
}

// Offload runs job, which may wait for a disk, on a goroutine of the server, then done on the
// loop. When x has ended by then, gone runs on the loop instead, to free what job has made.
// After a panic in job gone runs, and x is answered with 500.
// When the server is closed gone runs on the goroutine. The handler returns at once.
//
// It returns an error, and nothing runs, when thousands of jobs wait already.
func (x *Exchange) Offload(job func(), done func(x *Exchange), gone func()) error {
	ref := x.Ref()
	return x.loop.srv.do(func() {
		over := false
		defer func() {
			if over {
				return
			}
			// The pool logs the panic. What job has made so far is freed, too.
			if ref.PostOr(func(x *Exchange) { defer x.Abort(); gone() }, gone) != nil {
				gone()
			}
		}()
		job()
		over = true
		if ref.PostOr(done, gone) != nil {
			gone()
		}
	})
}
