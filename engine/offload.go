package engine

import (
	"fmt"
	"sync"
)

// Bounds of what waits for disks.
const (
	diskThreads = 8
	diskQueue   = 4096
)

// disk is the goroutines of a server that may wait for disks, so that its loops do not. They
// are there from the first use on.
type disk struct {
	mu     sync.Mutex
	pool   *Pool
	closed bool
}

// do has a goroutine run job, or returns why not.
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

// close ends the goroutines when they have done what they have. Nobody waits: a disk may hang.
func (d *disk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.pool != nil {
		go d.pool.Close()
	}
}

// Offload has a goroutine of the server's run job, which may wait for a disk, and then done on the
// loop. Where x has ended by then gone runs there instead, to free what job has got; once the server is
// closed it runs on the goroutine. The handler returns meanwhile.
//
// It returns an error, and nothing runs, when thousands wait already.
func (x *Exchange) Offload(job func(), done func(x *Exchange), gone func()) error {
	ref := x.Ref()
	return x.loop.srv.do(func() {
		over := false
		defer func() {
			if !over { // the pool logs the panic
				_ = ref.Post((*Exchange).Abort)
			}
		}()
		job()
		over = true
		if ref.PostOr(done, gone) != nil {
			gone()
		}
	})
}
