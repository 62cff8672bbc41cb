package main

import (
	"maps"
	"sync"
	"time"
)

// memoryWatch remembers the memory of worker processes, because a log line must not wait for files
// of the system. A goroutine looks at each process once a second.
type memoryWatch struct {
	shared bool // also what they share, which takes longer
	fresh  chan struct{}
	done   chan struct{}
	ended  chan struct{}

	mu   sync.Mutex
	seen map[int]memoryOf // by process id
}

// memoryOf is in bytes: resident, virtual, private, and the process's part of shared memory.
type memoryOf struct{ rss, vsz, uss, pss int64 }

// memoryEach is the time between two looks.
const memoryEach = time.Second

func watchMemory(shared bool) *memoryWatch {
	m := &memoryWatch{shared: shared, fresh: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{}), seen: map[int]memoryOf{}}
	go m.run()
	return m
}

// stop ends the goroutine. It is safe to repeat.
func (m *memoryWatch) stop() {
	select {
	case <-m.done:
	default:
		close(m.done)
	}
	<-m.ended
}

func (m *memoryWatch) run() {
	defer close(m.ended)
	t := time.NewTicker(memoryEach)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-m.fresh:
		case <-m.done:
			return
		}
		m.mu.Lock()
		pids := maps.Clone(m.seen)
		m.mu.Unlock()
		for pid := range pids {
			now := measure(pid, m.shared)
			m.mu.Lock()
			if now == (memoryOf{}) {
				delete(m.seen, pid)
			} else {
				m.seen[pid] = now
			}
			m.mu.Unlock()
		}
	}
}

// of returns the memory of a process. It looks itself the first time, so that no line says 0; what
// processes share follows a moment later. Any loop.
func (m *memoryWatch) of(pid int) memoryOf {
	m.mu.Lock()
	seen, ok := m.seen[pid]
	m.mu.Unlock()
	if ok {
		return seen
	}
	seen = measure(pid, false)
	m.mu.Lock()
	m.seen[pid] = seen
	m.mu.Unlock()
	select {
	case m.fresh <- struct{}{}:
	default:
	}
	return seen
}
