package load

import (
	"bufio"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// closingRequest asks for one answer on a connection of its own.
const closingRequest = "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"

// Closing asks for GET / from a number of clients for d, each request on a new
// connection with "Connection: close". The client waits until the server has
// closed, unless keepsOpen says that this server never does.
func Closing(addr string, clients int, d time.Duration, keepsOpen bool) Result {
	begun := time.Now()
	return closeEach(addr, clients, keepsOpen, func() bool { return time.Since(begun) < d })
}

// Count asks as Closing does, until requests have been asked.
func Count(addr string, clients, requests int) Result {
	var asked atomic.Int64
	return closeEach(addr, clients, false, func() bool { return asked.Add(1) <= int64(requests) })
}

// closeEach asks from each client for as long as more says so.
func closeEach(addr string, clients int, keepsOpen bool, more func() bool) Result {
	var (
		total   Result
		times   []time.Duration
		mu      sync.Mutex
		running sync.WaitGroup
		begun   = time.Now()
	)
	for range clients {
		running.Go(func() {
			var mine Result
			var took []time.Duration
			reader := bufio.NewReader(nil)
			for more() {
				asked := time.Now()
				if err := askAndClose(addr, reader, keepsOpen); err != nil {
					mine.Errors++
					continue
				}
				mine.Requests++
				took = append(took, time.Since(asked))
			}
			mu.Lock()
			defer mu.Unlock()
			total.Requests += mine.Requests
			total.Errors += mine.Errors
			times = append(times, took...)
		})
	}
	running.Wait()
	total.Elapsed = time.Since(begun)
	if len(times) > 0 {
		slices.Sort(times)
		total.P99 = times[len(times)*99/100]
	}
	return total
}

func askAndClose(addr string, r *bufio.Reader, keepsOpen bool) error {
	c, err := net.DialTimeout("tcp", addr, ioLimit)
	if err != nil {
		return err
	}
	defer c.Close()
	r.Reset(c)
	if _, err := exchange(c, r, []byte(closingRequest)); err != nil {
		return err
	}
	if keepsOpen {
		return nil
	}
	_, err = io.Copy(io.Discard, r)
	return err
}
