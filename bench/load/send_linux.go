package load

import "golang.org/x/sys/unix"

// flush connects if necessary, and sends the output.
func (l *loop) flush(c *client) {
	if c.fd < 0 && c.count > 0 {
		fd, err := l.dialer.dial()
		if err == unix.EAGAIN {
			l.rest(c, backlogFull)
			return
		}
		if err != nil {
			l.unreachable(c)
			return
		}
		c.fd = fd
	}
	blocked := false
	for !c.broken && !c.ending && c.sent < c.count && !l.full(c, c.sent) {
		n, errno := send(c.fd, l.outgoing(c))
		if errno == unix.EAGAIN {
			blocked = true
			break
		}
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 && !c.connected {
			l.unreachable(c)
			return
		}
		if errno != 0 {
			c.broken = true
			break
		}
		if !c.connected {
			c.connected = true
			l.connects++
		}
		l.wrote(c, n)
	}
	l.watch(c, blocked)
}

// full reports whether the connection has had all its requests before the i-th flight.
func (l *loop) full(c *client, i int) bool {
	return l.o.PerConnection > 0 && c.answered+i >= l.o.PerConnection
}

// bytes returns the output of the i-th flight.
func (l *loop) bytes(c *client, i int) []byte {
	w := &l.wires[c.at(i).route]
	if l.full(c, i+1) {
		return w.last
	}
	return w.keep
}

// outgoing is what to send next: one request, or in a pipeline several at once.
func (l *loop) outgoing(c *client) []byte {
	if c.count-c.sent == 1 && len(l.wires[c.at(c.sent).route].lastAt) == 0 {
		return l.bytes(c, c.sent)[c.offset:]
	}
	l.out = l.appendFlight(l.out[:0], c, c.sent)
	for i := c.sent + 1; i < c.count && !l.full(c, i) && len(l.out) < readSize; i++ {
		l.out = l.appendFlight(l.out, c, i)
	}
	return l.out[c.offset:]
}

// appendFlight appends the i-th flight with its number.
func (l *loop) appendFlight(dst []byte, c *client, i int) []byte {
	f := c.at(i)
	w := &l.wires[f.route]
	at := w.keepAt
	if l.full(c, i+1) {
		at = w.lastAt
	}
	return appendNumbered(dst, l.bytes(c, i), at, f.number)
}

// wrote moves on by n bytes.
func (l *loop) wrote(c *client, n int) {
	for n > 0 {
		size := len(l.bytes(c, c.sent))
		step := min(n, size-c.offset)
		n -= step
		if c.offset += step; c.offset == size {
			c.sent++
			c.offset = 0
		}
	}
}

// watch tells epoll what a connection waits for.
func (l *loop) watch(c *client, blocked bool) {
	if c.fd < 0 || c.polled && c.blocked == blocked {
		return
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: c.number, Pad: c.generation}
	if blocked {
		ev.Events |= unix.EPOLLOUT
	}
	op := unix.EPOLL_CTL_MOD
	if !c.polled {
		op = unix.EPOLL_CTL_ADD
	}
	if err := unix.EpollCtl(l.poll, op, c.fd, &ev); err != nil {
		l.unreachable(c) // out of memory, or of fs.epoll.max_user_watches
		return
	}
	c.polled, c.blocked = true, blocked
}
