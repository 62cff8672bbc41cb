package load

import (
	"bufio"
	"net"
	"sync"
)

const keepAliveRequest = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"

// Idle holds open connections, each of which has had at least one answer.
type Idle struct {
	conns []net.Conn
}

// OpenIdle opens n connections to addr and asks once on each, 32 at a time. It
// keeps those that were answered; Answered tells how many.
func OpenIdle(addr string, n int) *Idle {
	idle := &Idle{}
	var mu sync.Mutex
	each(n, func(int) {
		c, err := net.DialTimeout("tcp", addr, ioLimit)
		if err != nil {
			return
		}
		if _, err := exchange(c, bufio.NewReaderSize(c, 1024), []byte(keepAliveRequest)); err != nil {
			c.Close()
			return
		}
		mu.Lock()
		idle.conns = append(idle.conns, c)
		mu.Unlock()
	})
	return idle
}

// Answered is the number of connections held open.
func (i *Idle) Answered() int { return len(i.conns) }

// AskAgain asks once more on each and gives the number of answers.
func (i *Idle) AskAgain() int {
	var mu sync.Mutex
	answered := 0
	each(len(i.conns), func(k int) {
		c := i.conns[k]
		if _, err := exchange(c, bufio.NewReaderSize(c, 1024), []byte(keepAliveRequest)); err == nil {
			mu.Lock()
			answered++
			mu.Unlock()
		}
	})
	return answered
}

// Close closes all connections.
func (i *Idle) Close() {
	for _, c := range i.conns {
		c.Close()
	}
}

// each calls f(0) to f(n-1) from 32 goroutines.
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
