package load

import (
	"maps"
	"sync"
)

// crowd counts what became of many clients at once. Goroutine-safe.
type crowd struct {
	mu     sync.Mutex
	errors map[string]int64
}

func (c *crowd) wrong(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.errors == nil {
		c.errors = map[string]int64{}
	}
	c.errors[kind]++
}

// Errors counts the wrong and missing answers so far, by kind.
func (c *crowd) Errors() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.errors)
}

// each calls f(0) to f(n-1) from 32 goroutines, and returns when all are done.
func each(n int, f func(int)) {
	next := make(chan int)
	var running sync.WaitGroup
	for range min(n, 32) {
		running.Go(func() {
			for k := range next {
				f(k)
			}
		})
	}
	for k := range n {
		next <- k
	}
	close(next)
	running.Wait()
}
