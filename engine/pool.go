package engine

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/uwsgo/uwsgo/engine/internal/printable"
)

// ErrPoolFull is returned by [Pool.Go] when as many jobs wait as may.
var ErrPoolFull = errors.New("goroutine pool: too many jobs wait")

// Pool is a fixed number of goroutines for work that blocks, so that no flood of
// requests can start more of it than was planned for. Any goroutine may use it.
type Pool struct {
	jobs chan func()
	wg   sync.WaitGroup
	logf func(format string, args ...any)

	mu     sync.RWMutex // guards closed against Go
	closed bool
}

// NewPool starts size goroutines; up to queue jobs may wait for one. logf is told
// of panics.
func NewPool(size, queue int, logf func(format string, args ...any)) *Pool {
	p := &Pool{jobs: make(chan func(), max(queue, 0)), logf: logf}
	for range max(size, 1) {
		p.wg.Go(func() {
			for job := range p.jobs {
				p.run(job)
			}
		})
	}
	return p
}

func (p *Pool) run(job func()) {
	defer func() {
		if r := recover(); r != nil {
			p.logf("panic in goroutine pool: %s\n%s", printable.Text(fmt.Sprint(r), false), debug.Stack())
		}
	}()
	job()
}

// Go has a goroutine of the pool run job. It never blocks: it returns
// [ErrPoolFull] instead.
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
