package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Slow is a crowd of clients that read an answer, or send a body, a little at a
// time until Finish.
type Slow struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	whole   atomic.Int64 // clients whose exchange was right to the end
	waiting atomic.Int64 // clients in the middle of theirs
}

// slowStep is how often a slow client takes or gives slowBytes.
const (
	slowStep  = 100 * time.Millisecond
	slowBytes = 512
)

// SlowReaders starts n clients that ask for path, whose body has size bytes,
// and read it slowly.
func SlowReaders(addr, path string, size int64, n int) *Slow {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
	return startSlow(addr, n, func(ctx context.Context, c net.Conn, middle func()) error {
		if _, err := c.Write(request); err != nil {
			return err
		}
		middle()
		slow := &throttled{ctx: ctx, r: c}
		got, err := readAnswer(bufio.NewReaderSize(slow, slowBytes))
		if err == nil && got != size {
			err = fmt.Errorf("body of %d bytes, not %d", got, size)
		}
		return err
	})
}

// SlowUploaders starts n clients that POST size bytes slowly and want an answer.
func SlowUploaders(addr string, size, n int) *Slow {
	head := fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", size)
	return startSlow(addr, n, func(ctx context.Context, c net.Conn, middle func()) error {
		if _, err := c.Write(head); err != nil {
			return err
		}
		middle()
		piece := make([]byte, slowBytes)
		for sent := 0; sent < size; {
			step := piece[:min(len(piece), size-sent)]
			if ctx.Err() != nil { // finishing: the rest at once
				step = make([]byte, size-sent)
			}
			n, err := c.Write(step)
			if err != nil {
				return err
			}
			sent += n
			pause(ctx)
		}
		_, err := readAnswer(bufio.NewReader(c))
		return err
	})
}

func startSlow(addr string, n int, run func(context.Context, net.Conn, func()) error) *Slow {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Slow{cancel: cancel}
	for range n {
		s.running.Go(func() {
			c, err := (&net.Dialer{Timeout: ioLimit, Control: smallBuffer}).Dial("tcp", addr)
			if err != nil {
				return
			}
			defer c.Close()
			if run(ctx, c, func() { s.waiting.Add(1) }) == nil {
				s.whole.Add(1)
			}
		})
	}
	return s
}

// smallBuffer keeps the kernel from taking most of an answer at once. It must be
// set before the connection is made: one that shrinks later stalls.
func smallBuffer(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10)
	})
	return errors.Join(err, failed)
}

// Started is the number of clients that are in the middle of their exchange.
func (s *Slow) Started() int { return int(s.waiting.Load()) }

// Finish lets all clients read or send the rest at once, and gives the number
// whose exchange was right to the end.
func (s *Slow) Finish() int {
	s.cancel()
	s.running.Wait()
	return int(s.whole.Load())
}

// throttled reads slowBytes a slowStep until its context ends.
type throttled struct {
	ctx context.Context
	r   net.Conn
}

func (t *throttled) Read(p []byte) (int, error) {
	if t.ctx.Err() == nil {
		pause(t.ctx)
		p = p[:min(len(p), slowBytes)]
	}
	if err := t.r.SetReadDeadline(time.Now().Add(ioLimit)); err != nil {
		return 0, err
	}
	return t.r.Read(p)
}

// pause waits one slowStep, or until ctx ends.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(slowStep):
	}
}
