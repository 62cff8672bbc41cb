package engine

import (
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/listen"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// retryAccept is how long accepting pauses when there are no descriptors.
const retryAccept = 100 * time.Millisecond

// acceptor accepts the connections of one listener for one loop. The loops of a
// server share each listening socket, so none of its backlog is lost whatever
// becomes of a loop.
type acceptor struct {
	loop     *loop
	listener *Listener
	peer     listen.Peer
	retry    reactor.Timer
	turn     reactor.Turn // run
	look     [1]unix.PollFd
	short    bool // out of descriptors; said so once
	paused   bool // accepts nobody until told to; see Server.Pause
	closed   bool // it has stopped accepting
}

func (l *loop) accept(ln *Listener) error {
	a := &acceptor{loop: l, listener: ln}
	a.retry.Fn, a.turn.Fn = a.run, a.run
	if err := l.Add(ln.fd(), a, false); err != nil {
		return err
	}
	l.accepting = append(l.accepting, a)
	return nil
}

// Ready implements reactor.Source.
func (a *acceptor) Ready(reactor.Events) { a.run() }

// run accepts some of those who wait. It has a longer share than a connection, as it
// stands for many.
func (a *acceptor) run() {
	if !a.closed && !a.paused && a.accept(acceptLast, acceptShare) {
		a.loop.Again(&a.turn)
	}
}

// accept takes in up to n connections, for about so long, while the bound on
// connections allows. It reports whether more may be waiting.
func (a *acceptor) accept(n int, share int64) (more bool) {
	l := a.loop
	for i := range n {
		if i > 0 && l.Spent() > share {
			return true
		}
		if i > 0 && i < askBefore && !a.waiting() {
			return false
		}
		if l.srv.isFull() {
			return false // roomAgain takes it up
		}
		fd, err := listen.Accept(a.listener.fd(), &a.peer)
		switch err {
		case nil:
		case unix.EAGAIN:
			return false
		case unix.EINTR, unix.ECONNABORTED, unix.EPROTO:
			continue
		default:
			// Descriptors or memory are out, most often. Clients wait in the backlog meanwhile.
			l.count.noFiles.Add(1)
			if !a.short {
				a.short = true
				l.srv.opt.Logf("cannot accept connections on %s: %v: %s; trying again every %v", a.listener, err, remedy(err), retryAccept)
			}
			l.After(&a.retry, retryAccept)
			return false
		}
		a.short = false
		l.srv.conns.Add(1)
		if a.listener.setNoDelay {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		}
		l.opened(a, fd)
	}
	return true
}

// remedy says what an operator can do about an error of accept.
func remedy(err error) string {
	switch err {
	case unix.EMFILE:
		return "raise the process's limit on open files (ulimit -n)"
	case unix.ENFILE:
		return "raise the system's limit on open files (sysctl fs.file-max)"
	case unix.ENOBUFS, unix.ENOMEM:
		return "the system has no memory for sockets: give it more, or let fewer connections be open"
	case unix.EPERM, unix.EACCES:
		return "a firewall or security module forbids it: look at its log"
	case unix.EBADF, unix.ENOTSOCK, unix.EINVAL, unix.EOPNOTSUPP:
		return "it is no listening socket any more: something in this process has closed or replaced it; start the server again"
	}
	return "the system's documentation of accept(2) says what it means"
}

// askBefore is up to how many connections at a time the acceptor asks whether another
// waits before it accepts one. To accept when nobody waits costs the kernel a socket,
// ten times as much as to ask; where many come the asking costs more.
const askBefore = 4

// waiting reports whether a connection waits. One that comes later is an event of its
// own.
func (a *acceptor) waiting() bool {
	a.look[0] = unix.PollFd{Fd: int32(a.listener.fd()), Events: unix.POLLIN}
	n, err := unix.Poll(a.look[:], 0)
	return n > 0 || err != nil
}

// stop takes in who waits already, as far as the bound on connections allows, and
// nobody else.
func (a *acceptor) stop() {
	// A bound, or those who keep coming would keep the loop from ever ending.
	a.accept(acceptLast, math.MaxInt64)
	a.closed = true
	a.loop.Disarm(&a.retry)
	a.loop.Cancel(&a.turn)
	_ = a.loop.Remove(a.listener.fd())
}
