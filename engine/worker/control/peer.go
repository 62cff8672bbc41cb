package control

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// outbox is how many frames may wait for a process that does not read.
const outbox = 256

// Errors of [Peer.Tell].
var (
	ErrExited = errors.New("the process has exited")
	ErrBusy   = errors.New("the process does not read its notices")
)

// Peer is a process at the other end of a channel. Any goroutine may call its methods.
type Peer struct {
	Worker     int // the worker's number from 1; 0 for every other process
	Generation int // its zygote's number
	// Kind says of a process beside the workers which it is, such as mule, and Number which
	// of its kind, from 1. Kind is empty for workers and zygotes.
	Kind   string
	Number int

	hub   *Hub
	conn  net.Conn
	fault func()
	out   chan []byte
	done  chan struct{} // closed by Close
	once  sync.Once
	pid   atomic.Int64
}

// Zygote reports whether the process forks the others.
func (p *Peer) Zygote() bool { return p.Worker == 0 && p.Kind == "" }

// PID returns the process id, 0 while unknown.
func (p *Peer) PID() int { return int(p.pid.Load()) }

// SetPID sets the process id.
func (p *Peer) SetPID(pid int) { p.pid.Store(int64(pid)) }

// String names the process for the log.
func (p *Peer) String() string {
	switch {
	case p.Kind != "":
		return fmt.Sprintf("%s %d (pid: %d)", p.Kind, p.Number, p.PID())
	case p.Worker == 0:
		return fmt.Sprintf("the zygote (pid: %d)", p.PID())
	}
	return fmt.Sprintf("worker %d (pid: %d)", p.Worker, p.PID())
}

// Tell sends a notice. It never waits. ErrBusy says that too many notices wait, ErrExited that
// nobody reads them. Nothing is sent then.
func (p *Peer) Tell(name string, args ...any) error {
	b, err := appendFrame(nil, append([]any{0, name}, args...)...)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return ErrExited
	default:
	}
	select {
	case p.out <- b:
		return nil
	default:
		return ErrBusy
	}
}

// Serving says that the process takes requests from now on. The supervisor calls Serving,
// Retiring and Close, which tell the observers.
func (p *Peer) Serving() {
	for _, o := range p.hub.observers {
		o.Serving(p)
	}
}

// Retiring says that the process takes no more requests.
func (p *Peer) Retiring() {
	for _, o := range p.hub.observers {
		o.Retiring(p)
	}
}

// Close ends the channel of a process that has exited or is being ended.
func (p *Peer) Close() {
	p.once.Do(func() {
		close(p.done)
		_ = p.conn.Close()
		p.hub.mu.Lock()
		delete(p.hub.peers, p)
		p.hub.mu.Unlock()
		for _, o := range p.hub.observers {
			o.Exited(p)
		}
	})
}

// read answers the calls of the process until its end.
func (p *Peer) read() {
	r := bufio.NewReader(p.conn)
	var recent [16]int // numbers of calls
	for n := 0; ; n++ {
		c, err := readCall(r)
		switch {
		case err == nil && c.id != 0 && slices.Contains(recent[:], c.id):
			continue // a handler of a signal has sent it, just before the call around it did
		case errors.Is(err, errFrame):
			select {
			case <-p.done:
			default:
				p.hub.logf("%s has sent what the server does not understand, on the channel of the uwsgi module (%v): it is ended", p, err)
				p.fault()
			}
			return
		case err != nil:
			return // it has exited, or has closed its end
		}
		recent[n%len(recent)] = c.id
		value, err := p.answer(c)
		if c.id == 0 {
			if err != nil {
				p.hub.logf("%s: %s: %v", p, c.name, err)
			}
			continue
		}
		var b []byte
		if err == nil {
			b, err = appendFrame(nil, c.id, value)
		}
		if err != nil {
			kind := "OSError"
			if refusal, ok := errors.AsType[*Refusal](err); ok {
				kind = refusal.Kind
			}
			text := err.Error()
			if b, err = appendFrame(nil, -c.id, kind, text); err != nil { // not UTF-8
				b, _ = appendFrame(nil, -c.id, kind, fmt.Sprintf("%+q", text[:min(len(text), 1000)]))
			}
		}
		select {
		case p.out <- b:
		case <-p.done:
			return
		}
	}
}

// answer runs the service of a call.
func (p *Peer) answer(c call) (value any, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%s failed: %v", c.name, reason)
		}
	}()
	s := p.hub.services[c.name]
	if s == nil {
		return nil, &Refusal{"NotImplementedError", fmt.Sprintf("this server has no service named %.100q", c.name)}
	}
	return s(p, c.args)
}

// write sends frames on a goroutine of its own, so that nobody else waits for the process.
func (p *Peer) write() {
	for {
		select {
		case b := <-p.out:
			if _, err := p.conn.Write(b); err != nil {
				return
			}
		case <-p.done:
			return
		}
	}
}
