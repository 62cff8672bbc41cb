package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// client is one of the askers of a loop, with at most one connection at a time.
type client struct {
	number  int32
	heard   bool // something about it has been counted
	served  bool // it has got a right answer
	flights []flight
	head    int // index of the oldest in flights, a ring
	count   int // how many there are

	restUntil time.Duration // when it dials again; 0: it does not rest

	// The connection; reset by disconnect.
	fd         int
	generation int32 // counts connections: events of an earlier one are stale
	connected  bool
	polled     bool // registered with epoll
	blocked    bool // the socket is full; epoll tells when it has room
	broken     bool // a write failed; what can be read tells why
	ending     bool // the server said that it closes
	expecting  bool // answer is ready for the first flight
	endBy      time.Duration
	answered   int // answers on this connection
	sent       int // flights that are on their way in full
	offset     int // bytes that are on their way of the one behind them
	answer     answer
}

// flight is a request between the moment it is due and its outcome.
type flight struct {
	due    time.Duration // when it was due, or begun
	number int64
	route  int32
}

// at gives the i-th flight from the oldest.
func (c *client) at(i int) *flight {
	if i += c.head; i >= len(c.flights) {
		i -= len(c.flights)
	}
	return &c.flights[i]
}

func (c *client) first() *flight { return c.at(0) }

// make makes the next request, due at that time.
func (l *loop) make(due time.Duration) flight {
	i := l.number()
	l.next++
	return flight{due: due, number: i, route: int32(l.order[i%int64(len(l.order))])}
}

// number returns the number of the next request.
func (l *loop) number() int64 { return l.next*int64(l.o.Threads) + int64(l.thread) }

// outcome counts what became of a request, and tells who wants to know.
func (l *loop) outcome(f flight, kind string, status int) {
	switch {
	case kind != "":
		l.wrong(f.route, kind, f.due, l.now)
	case l.stopping && l.o.Rate == 0:
		l.tardy(f.route, f.due, l.now)
	default:
		l.longest = max(l.longest, l.now-f.due)
		l.right(f.route, f.due, l.now)
	}
	if l.o.Heard != nil {
		l.o.Heard(Outcome{Number: f.number, Route: l.wires[f.route].name, Kind: kind, Status: status, Due: f.due, Took: l.now - f.due})
	}
}

// ask adds a request to those of a client.
func (l *loop) ask(c *client, f flight) {
	c.count++
	*c.at(c.count - 1) = f
	l.inFlight++
}

// done takes the oldest request from a client.
func (l *loop) done(c *client) {
	if c.head++; c.head == len(c.flights) {
		c.head = 0
	}
	c.count--
	l.inFlight--
	c.heard = true
	c.expecting = false
	if c.sent > 0 {
		c.sent--
	}
}

// advance lets a client go on after an end. In a closed loop it sends the next request; in an
// open loop it is free for due ones.
func (l *loop) advance(c *client) {
	if c.ending || c.restUntil > 0 {
		return
	}
	if l.o.Rate == 0 {
		for !l.stopping && c.count < len(c.flights) {
			l.ask(c, l.make(l.now))
		}
	} else if c.count == 0 {
		l.free = append(l.free, c.number)
		l.dispatch()
		return
	}
	l.flush(c)
}

// rest lets a client wait before it dials again.
func (l *loop) rest(c *client, d time.Duration) {
	c.restUntil = l.now + d
	l.resting++
}

// unreachable is the outcome of a request for which there is no connection.
func (l *loop) unreachable(c *client) {
	f := *c.first()
	l.done(c)
	l.disconnect(c)
	l.outcome(f, KindConnect, 0)
	if l.o.Rate == 0 {
		l.rest(c, unreached)
		return
	}
	l.free = append(l.free, c.number)
}

// disconnect closes the connection. Flights stay, to be sent on the next one.
func (l *loop) disconnect(c *client) {
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
	c.fd = -1
	c.generation++
	c.connected, c.polled, c.blocked, c.broken, c.ending, c.expecting = false, false, false, false, false, false
	c.answered, c.sent, c.offset = 0, 0, 0
}

// handle takes one event.
func (l *loop) handle(c *client, events uint32) {
	generation := c.generation
	if events&unix.EPOLLOUT != 0 || !c.connected {
		l.flush(c)
	}
	if c.generation == generation && events&^unix.EPOLLOUT != 0 {
		l.read(c, events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
	}
}

// read takes input. ended says that no more follows.
func (l *loop) read(c *client, ended bool) {
	n, errno := receive(c.fd, l.in)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return
	case errno != 0 || n == 0:
		l.ended(c, errno == 0)
		return
	}
	l.tick()
	before := c.count
	switch {
	case !l.take(c, l.in[:n]):
	case ended && n < len(l.in) && c.fd >= 0 && c.count > 0:
		l.ended(c, true)
	case ended && n < len(l.in): // behind the answer, before another request
		l.disconnect(c)
		l.advance(c)
	case c.count < before:
		l.advance(c)
	}
}

// take checks bytes of answers. It tells whether the connection goes on, or has
// ended in the regular way; otherwise the client has gone on already.
func (l *loop) take(c *client, p []byte) bool {
	for len(p) > 0 {
		if c.ending || c.sent == 0 && c.offset == 0 {
			l.stray(c)
			return false
		}
		f := *c.first()
		if !c.expecting {
			c.answer.expect(&l.wires[f.route], f.number)
			c.expecting = true
		}
		n, done, bad := c.answer.feed(p)
		if bad != "" {
			l.fail(c, bad)
			return false
		}
		if !done {
			return true
		}
		p = p[n:]
		asked := l.full(c, 1)
		announced := !c.answer.keepAlive()
		if c.sent == 0 {
			l.fail(c, KindEarly)
			return false
		}
		if len(p) > 0 && (asked || announced || c.sent == 1 && c.offset == 0) {
			l.fail(c, KindExtra)
			return false
		}
		l.succeed(c, f)
		switch {
		case announced: // it is known how the server goes on: it closes
			c.ending = true
			c.endBy = l.now + endingLimit
		case asked: // not all servers follow
			l.disconnect(c)
		}
	}
	return true
}

// succeed counts the right answer to the oldest request.
func (l *loop) succeed(c *client, f flight) {
	l.done(c)
	c.answered++
	if !c.served {
		c.served = true
		l.served++
	}
	l.outcome(f, "", c.answer.code)
}

// fail counts an error of the oldest request and gives up the connection.
func (l *loop) fail(c *client, kind string) {
	f, status := *c.first(), 0
	if c.expecting {
		status = c.answer.code
	}
	l.done(c)
	l.disconnect(c)
	l.outcome(f, kind, status)
	l.advance(c)
}

// stray counts bytes that belong to no request. The last one that was answered is
// blamed, which can have been counted as right already.
func (l *loop) stray(c *client) {
	f := c.at(len(c.flights) - 1) // the one before the oldest
	l.outcome(*f, KindExtra, 0)
	idle := c.count == 0 && !c.ending
	l.disconnect(c)
	if !idle { // otherwise it waits for something to do already
		l.advance(c)
	}
}

// ended handles the end of a connection from the other side. clean says that it
// was closed and not reset.
func (l *loop) ended(c *client, clean bool) {
	f := *c.first()
	switch {
	case c.ending:
		l.disconnect(c)
	case c.count == 0 && c.fd >= 0: // it waited for nothing
		l.disconnect(c)
		return
	case c.expecting && c.answer.begun():
		bad := KindClosedEarly
		if clean {
			bad = c.answer.end()
		}
		if bad == "" && c.sent == 0 {
			bad = KindEarly
		}
		if bad != "" {
			l.fail(c, bad)
			return
		}
		l.succeed(c, f)
		l.disconnect(c)
	case c.answered > 0:
		if c.sent > 0 || c.offset > 0 {
			l.outcome(f, KindUnannounced, 0)
		}
		l.disconnect(c)
	default:
		l.fail(c, KindNoAnswer)
		return
	}
	l.advance(c)
}
