package main

import (
	"maps"
	"sync"
	"time"
)

// memoryWatch remembers what worker processes have of memory, as a log line must not wait
// for files of the system's. Its goroutine looks at each process once a second.
type memoryWatch struct {
	shared bool // also what they share, which takes longer to find out
	fresh  chan struct{}
	done   chan struct{}
	ended  chan struct{}

	mu   sync.Mutex
	seen map[int]memoryOf // by process id
}

// memoryOf are bytes: resident, virtual, not shared with others, and a part of all memory.
type memoryOf struct{ rss, vsz, uss, pss int64 }

// memoryEach is how often processes are looked at.
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

// of returns what a process has. The first time it looks itself, so that no line tells of
// nothing; what is shared is known a moment later. Any loop.
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
