package engine

import (
	"errors"
	"fmt"
	"log"
	"runtime/debug"
	"sync"

	"github.com/uwsgo/uwsgo/engine/internal/printable"
)

// ErrPoolFull is returned by [Pool.Go] when its queue is full.
var ErrPoolFull = errors.New("goroutine pool: too many jobs wait")

// Pool is a fixed number of goroutines for work that blocks. Requests cannot start more than that.
// Any goroutine may use it.
type Pool struct {
	jobs chan func()
	wg   sync.WaitGroup
	logf func(format string, args ...any)

	mu     sync.RWMutex // guards closed against Go
	closed bool
}

// NewPool starts size goroutines. Up to queue jobs may wait. logf gets panics; nil means
// log.Printf.
func NewPool(size, queue int, logf func(format string, args ...any)) *Pool {
	if logf == nil {
		logf = log.Printf
	}
	p := &Pool{jobs: make(chan func(), max(queue, 0)), logf: logf}
	for range max(size, 1) {
		p.wg.Go(p.work)
	}
	return p
}

// work runs jobs. When a job ends its goroutine (runtime.Goexit), another takes its place.
func (p *Pool) work() {
	over := false
	defer func() {
		if !over {
			p.wg.Go(p.work)
		}
	}()
	for job := range p.jobs {
		p.run(job)
	}
	over = true
}

func (p *Pool) run(job func()) {
	defer func() {
		if r := recover(); r != nil {
			p.report(r, debug.Stack())
		}
	}()
	job()
}

// report logs a panic. The embedder's String method or logger may panic as well.
func (p *Pool) report(reason any, stack []byte) {
	defer func() { _ = recover() }()
	p.logf("panic in goroutine pool: %s\n%s", printable.Text(fmt.Sprint(reason), false), stack)
}

// Go runs job on a goroutine of the pool. It never blocks: it returns [ErrPoolFull] instead.
func (p *Pool) Go(job func()) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return fmt.Errorf("goroutine pool: %w", ErrServerClosed)
	}
	select {
	case p.jobs <- job:
		return nil
	default:
		return ErrPoolFull
	}
}

// Close waits for the jobs that were accepted and ends the goroutines.
func (p *Pool) Close() {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	p.mu.Unlock()
	if !closed {
		close(p.jobs)
	}
	p.wg.Wait()
}
