package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// maxPending bounds the bytes that wait to be written: some 20,000 lines, a
	// third of a second of what one machine can answer.
	maxPending = 4 << 20
	// gatherTime is how long lines wait for company after a write, so that a
	// busy server makes 50 writes a second instead of one a request.
	gatherTime = 20 * time.Millisecond
	// gatherSize is how many bytes end that wait early.
	gatherSize = 64 << 10
	// closeTime bounds the wait of Close for a reader that does not read.
	closeTime = 2 * time.Second
)

// Sink takes log lines from any goroutine and writes them, in order, from one
// goroutine of its own. No writer ever waits for the disk or a pipe: lines go
// into a buffer, which is written when the last write is done. Lines are lost
// only when what is behind the sink stands still until the buffer is full, or
// refuses them (disk full); they are counted, and a line in the log says how
// many when it goes on.
//
// A Sink on standard error whose reader has gone is hit by SIGPIPE: programs that
// log there ignore that signal.
type Sink struct {
	out       writer
	file      *os.File
	datagrams bool // one line each
	owned     bool // out is to be closed

	mu      sync.Mutex
	pending []byte
	closed  bool
	dropped uint64 // lines
	told    uint64 // of those, the log says so

	wake    chan struct{} // there is something to write; cap 1
	hurry   chan struct{} // do not wait for company; cap 1
	closing chan struct{}
	done    chan struct{}
}

type writer interface {
	Write(p []byte) (int, error)
	Close() error
}

// Open opens the target of logto and starts the sink's goroutine, which runs
// until [Sink.Close]. The target is a host:port, which gets a UDP datagram for
// each line, or a file, which is appended to and made with mode 0640; "" is
// standard error. A path with a colon must begin with "/" or ".".
func Open(target string) (*Sink, error) {
	return OpenBy(target, func(path string, mode os.FileMode) (*os.File, error) {
		return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, mode)
	})
}

// OpenBy is [Open] with another way to open a file to append to.
func OpenBy(target string, file func(path string, mode os.FileMode) (*os.File, error)) (*Sink, error) {
	s := &Sink{
		wake:    make(chan struct{}, 1),
		hurry:   make(chan struct{}, 1),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	if err := s.open(target, file); err != nil {
		return nil, fmt.Errorf("log target %q: %w", target, err)
	}
	go s.run()
	return s, nil
}

func (s *Sink) open(target string, file func(string, os.FileMode) (*os.File, error)) error {
	switch {
	case target == "":
		s.out, s.file = os.Stderr, os.Stderr
	case strings.Contains(target, ":") && target[0] != '/' && target[0] != '.':
		c, err := net.Dial("udp", target)
		if err != nil {
			return err
		}
		if s.file, err = c.(*net.UDPConn).File(); err != nil {
			c.Close()
			return err
		}
		s.out, s.datagrams, s.owned = c, true, true
	default:
		f, err := file(target, 0o640)
		if err != nil {
			return err
		}
		s.out, s.file, s.owned = f, f, true
	}
	return nil
}

// File returns the descriptor behind the sink, for the standard error of child
// processes. It stays the sink's: do not close it, nor use it after Close.
func (s *Sink) File() *os.File { return s.file }

// Write takes whole lines: p must end with a newline. It copies p, never blocks
// and is safe for all goroutines. When there is no room it drops p and returns
// no error, for there is nothing a caller could do; after Close it returns
// [os.ErrClosed].
func (s *Sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return 0, os.ErrClosed
	}
	if len(s.pending)+len(p) > maxPending {
		s.dropped += countLines(p)
		s.mu.Unlock()
		return len(p), nil
	}
	first, full := len(s.pending) == 0, len(s.pending) < gatherSize
	s.pending = append(s.pending, p...)
	full = full && len(s.pending) >= gatherSize
	s.mu.Unlock()
	if first {
		notify(s.wake)
	}
	if full {
		notify(s.hurry)
	}
	return len(p), nil
}

// Dropped returns how many lines were lost.
func (s *Sink) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// Close writes what is pending and closes the target, unless it is standard
// error. It waits at most two seconds for a target that stands still, and
// returns an error when lines were left over.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.closing)
	select {
	case <-s.done:
	case <-time.After(closeTime):
		return errors.New("closing the log: its reader does not read, the last lines are lost")
	}
	if !s.owned {
		return nil
	}
	err := s.out.Close()
	if s.datagrams {
		err = errors.Join(err, s.file.Close())
	}
	return err
}

func (s *Sink) run() {
	defer close(s.done)
	gather := time.NewTimer(0)
	var spare []byte
	for {
		select {
		case <-s.wake:
			spare = s.flush(spare)
		case <-s.closing:
			s.flush(spare)
			return
		}
		gather.Reset(gatherTime)
		select {
		case <-gather.C:
		case <-s.hurry:
		case <-s.closing:
		}
	}
}

// flush writes what is pending. Writers fill spare meanwhile; the buffer that
// flush returns is the next spare.
func (s *Sink) flush(spare []byte) []byte {
	s.mu.Lock()
	batch := s.pending
	s.pending = spare[:0]
	untold := s.dropped - s.told
	s.mu.Unlock()

	lost := s.write(batch)
	if untold > 0 && lost == 0 && s.write(fmt.Appendf(nil, "*** %d log lines were lost: what takes the log was stuck or full ***\n", untold)) == 0 {
		s.mu.Lock()
		s.told += untold
		s.mu.Unlock()
	}
	if lost > 0 {
		s.mu.Lock()
		s.dropped += lost
		s.mu.Unlock()
	}
	if cap(batch) > 4*gatherSize {
		return nil // memory of a burst
	}
	return batch
}

// write writes the lines in p and returns how many of them were lost.
func (s *Sink) write(p []byte) (lost uint64) {
	if !s.datagrams {
		n, err := s.out.Write(p)
		if err != nil {
			lost = countLines(p[n:])
		}
		return lost
	}
	for len(p) > 0 {
		n := bytes.IndexByte(p, '\n') + 1
		if _, err := s.out.Write(p[:n]); err != nil {
			lost++
		}
		p = p[n:]
	}
	return lost
}

func countLines(p []byte) uint64 { return uint64(bytes.Count(p, []byte{'\n'})) }

// notify sets a flag that one goroutine waits for.
func notify(flag chan struct{}) {
	select {
	case flag <- struct{}{}:
	default:
	}
}
