package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// The open loop. Request i of all threads is due at i/Rate; thread t has those with i ≡ t
// modulo the threads. Due requests that wait for a client need no queue: they are the range of
// numbers between next and the present.

// dueTime is when the next request of this thread is due.
func (l *loop) dueTime() time.Duration {
	return time.Duration(float64(l.number()) * float64(time.Second) / l.o.Rate)
}

// due tells whether a request of an open loop is due.
func (l *loop) due(now time.Duration) bool {
	if l.o.Rate == 0 {
		return false
	}
	t := l.dueTime()
	return t <= now && t < l.o.Duration
}

// dispatch gives requests that are due to clients with nothing to do, and those
// that nobody took within the timeout up.
func (l *loop) dispatch() {
	for l.due(l.now) {
		at := l.dueTime()
		if l.now-at >= l.o.Timeout {
			l.outcome(l.make(at), KindTimeout, 0)
			continue
		}
		if len(l.free) == 0 {
			return
		}
		c := &l.clients[l.free[len(l.free)-1]]
		l.free = l.free[:len(l.free)-1]
		l.ask(c, l.make(at))
		l.flush(c)
	}
}

// startTimer makes the timer that wakes the loop when a request is due. epoll
// itself waits in milliseconds.
func (l *loop) startTimer() (err error) {
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return err
	}
	// Edge-triggered: setting the timer again clears it, so it is never read.
	return unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, l.timer, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: -1})
}

// arm sets the timer to when the next request is due. While all clients are busy it need not:
// the first free one takes a due request.
func (l *loop) arm() {
	if l.timer < 0 || l.stopping || len(l.free) == 0 || l.armed == l.next {
		return
	}
	l.armed = l.next
	l.tick()
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(1, l.dueTime()-l.now)))}
	_ = unix.TimerfdSettime(l.timer, 0, &spec, nil) // fails for times that are none
}
