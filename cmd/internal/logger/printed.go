package logger

import (
	"bytes"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mostMessage bounds a message made of several packets.
	mostMessage = 64 << 10
	// pipeSize is the room of the pipe.
	pipeSize = 1 << 20
	// restTime is how long the beginning of a line waits for its end.
	restTime = time.Second
	// mostReads bounds the reads before others have a turn.
	mostReads = 256
	// drainTime is how long the end waits for the rest of the pipe.
	drainTime = 50 * time.Millisecond
)

// printed takes what children print. Their standard output and error is the writing end. It reads
// at once, so that no child waits for a disk, and keeps what it has read until the queue asks.
type printed struct {
	write   *os.File
	read    *os.File
	raw     syscall.RawConn
	fd      int  // of read
	packets bool // each read returns one write
	wrap    func(dst, message []byte) []byte
	arrived func() // tells the queue

	ended chan struct{}

	mu      sync.Mutex
	buf     []byte
	rest    []byte // the beginning of a message
	waiting bool   // for the end of rest, with a timer
	out     batch
	dropped uint64
}

func newPrinted(wrap func(dst, message []byte) []byte, arrived func()) (*printed, error) {
	p := &printed{wrap: wrap, arrived: arrived, ended: make(chan struct{}), buf: make([]byte, mostMessage)}
	fds, packets, err := packetPipe()
	if err != nil {
		return nil, err
	}
	p.packets = packets
	if err := unix.SetNonblock(fds[0], true); err != nil {
		_, _ = unix.Close(fds[0]), unix.Close(fds[1])
		return nil, err
	}
	p.fd = fds[0]
	p.read, p.write = os.NewFile(uintptr(fds[0]), "log"), os.NewFile(uintptr(fds[1]), "log")
	if p.raw, err = p.read.SyscallConn(); err != nil {
		_, _ = p.read.Close(), p.write.Close()
		return nil, err
	}
	return p, nil
}

// start begins to read.
func (p *printed) start() { go p.run() }

func (p *printed) run() {
	defer close(p.ended)
	_ = p.raw.Read(func(uintptr) bool {
		for {
			p.mu.Lock()
			more, end := p.fill()
			some := !p.out.empty()
			p.mu.Unlock()
			if some {
				p.arrived()
			}
			if !more {
				return end
			}
		}
	})
}

// fill reads what there is, at most so much at once. It reports whether there may be more, and
// whether nobody can write any more.
func (p *printed) fill() (more, end bool) {
	for range mostReads {
		n, err := unix.Read(p.fd, p.buf)
		switch {
		case err == unix.EINTR:
		case err != nil: // EAGAIN: there is no more
			return false, err != unix.EAGAIN
		case n == 0:
			return false, true
		default:
			p.take(p.buf[:n])
		}
	}
	return true, false
}

// take turns what was read into messages.
func (p *printed) take(b []byte) {
	if !p.packets {
		for {
			i := bytes.IndexByte(b, '\n')
			if i < 0 {
				break
			}
			p.rest = append(p.rest, b[:i+1]...)
			p.message()
			b = b[i+1:]
		}
		if len(b) == 0 {
			return
		}
	}
	p.rest = append(p.rest, b...)
	switch {
	case p.rest[len(p.rest)-1] == '\n':
		p.message()
	case len(p.rest) >= mostMessage:
		p.rest = append(p.rest, '\n')
		p.message()
	case !p.waiting:
		p.waiting = true
		time.AfterFunc(restTime, func() {
			p.mu.Lock()
			p.waiting = false
			p.finish()
			p.mu.Unlock()
			p.arrived()
		})
	}
}

// finish ends a message without an end.
func (p *printed) finish() {
	if len(p.rest) > 0 {
		p.rest = append(p.rest, '\n')
		p.message()
	}
}

// message gives rest to the queue.
func (p *printed) message() {
	if len(p.out.data)+len(p.rest) > maxPending {
		p.dropped++
	} else {
		p.out.data = p.wrap(p.out.data, p.rest)
		p.out.end()
	}
	p.rest = p.rest[:0]
}

// drain moves everything that was printed into b.
func (p *printed) drain(b *batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.ended: // the descriptor may be another's by now
	default:
		p.fill()
	}
	*b, p.out = p.out, *b
}

// lost returns how many messages had no room.
func (p *printed) lost() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// close takes what is left. Children that live on may write no more: the server does not wait for
// them.
func (p *printed) close() {
	_ = p.write.Close()
	_ = p.read.SetReadDeadline(time.Now().Add(drainTime))
	<-p.ended
	p.mu.Lock()
	p.finish()
	p.mu.Unlock()
	_ = p.read.Close()
}
