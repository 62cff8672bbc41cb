package outbound

import (
	"io"
	"os"
	"syscall"
	"time"

	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// User owns a [Conn]. The loop calls the methods, never from within a call of the user to the Conn. The
// user may pass the Conn on to another user at any time: [Conn.Use].
type User interface {
	// Connected says that the connection is made. It is not called if [Conn.Established] was already
	// true after [Dialer.Dial].
	Connected(c *Conn)
	// Received passes input. p is valid during the call, and the user may change it. The user takes
	// all of it.
	Received(c *Conn, p []byte)
	// Sent says that all buffered output has been sent.
	Sent(c *Conn)
	// Late says that the time of [Conn.After] has passed.
	Late(c *Conn)
	// Closed is the last call, unless the user has closed c. io.EOF says that the server has ended the
	// connection; any other error says that it broke or was not made. c must not be used afterwards.
	Closed(c *Conn, err error)
}

// Bounds of what a dialer keeps.
const (
	spareConns = 256
	keepOut    = 128 << 10
	readSize   = 64 << 10
)

// Dialer makes the connections of one loop.
type Dialer struct {
	loop  *reactor.Loop
	buf   []byte // not the loop's own: clients that get an answer may read their next request into that
	spare []*Conn
}

// On returns a dialer for a loop.
func On(h *reactor.Handle) *Dialer {
	return &Dialer{loop: reactor.Of(h), buf: make([]byte, readSize)}
}

// Conn is a connection to a server. It keeps no buffer while nothing waits to be sent.
type Conn struct {
	d     *Dialer
	user  User
	fd    int
	out   *bytebufferpool.ByteBuffer // output that the socket has not taken, from at
	at    int
	timer reactor.Timer
	turn  reactor.Turn
	gen   uint32 // counts the connections that this struct has been
	fault error  // of a write; what the server has sent before is read first

	established bool
	blocked     bool // the socket takes no more output for now
	unread      bool // the kernel may hold bytes that have not been read
	ending      bool // the server has ended its side: read on until the end shows
	held        bool // nobody wants more input for now
	half        bool // no more is to be written once out is empty
}

// Dial begins to connect. Output written before the connection is made waits. After an error u gets no
// calls.
func (d *Dialer) Dial(a Addr, u User) (*Conn, error) {
	fd, err := socket(a.family)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if a.family != unix.AF_UNIX {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	for {
		if err = unix.Connect(fd, a.sa); err != unix.EINTR {
			break
		}
	}
	if err != nil && err != unix.EINPROGRESS {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("connect", err)
	}
	var c *Conn
	if n := len(d.spare); n > 0 {
		c = d.spare[n-1]
		d.spare = d.spare[:n-1]
	} else {
		c = &Conn{d: d}
		c.timer.Fn, c.turn.Fn = c.late, c.goOn
	}
	c.fd, c.user, c.established = fd, u, err == nil
	if err := d.loop.Add(fd, c, true); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// socket opens one that does not block and that children do not inherit.
func socket(family int) (int, error) {
	syscall.ForkLock.RLock()
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err == nil {
		if err = unix.SetNonblock(fd, true); err != nil {
			_ = unix.Close(fd)
		}
	}
	return fd, err
}

// Use gives the connection to another user.
func (c *Conn) Use(u User) { c.user = u }

// Established reports whether the connection has been made.
func (c *Conn) Established() bool { return c.established }

// Buffered returns how many bytes wait to be sent. A user with too much buffered output waits for
// Sent.
func (c *Conn) Buffered() int {
	if c.out == nil {
		return 0
	}
	return len(c.out.B) - c.at
}

// After arranges a call of Late in d. Another After or [Conn.Disarm] replaces it.
func (c *Conn) After(d time.Duration) { c.d.loop.After(&c.timer, d) }

// Disarm cancels the call of Late.
func (c *Conn) Disarm() { c.d.loop.Disarm(&c.timer) }

// Fresh reports whether the server has neither ended the connection nor sent anything, as far as the
// kernel knows. It costs a system call.
func (c *Conn) Fresh() bool {
	p := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n == 0
}

// KeepAlive turns on TCP keep-alive, for connections that are often silent for long.
func (c *Conn) KeepAlive() { _ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1) }

// Hold stops the calls of Received, or resumes them.
func (c *Conn) Hold(hold bool) {
	if c.held == hold {
		return
	}
	if c.held = hold; !hold && c.unread {
		c.d.loop.Again(&c.turn)
	}
}

// Write sends p, and buffers what the socket does not take. p may be reused when it returns. Closed
// reports an error.
func (c *Conn) Write(p []byte) {
	if c.fault != nil {
		return
	}
	if c.established && !c.blocked && c.out == nil {
		n := c.write(p)
		if p = p[n:]; len(p) == 0 || c.fault != nil {
			return
		}
	}
	if c.out == nil {
		c.out = bytebufferpool.Get()
	}
	c.out.B = append(c.out.B, p...)
}

// write writes as much of p as the socket takes.
func (c *Conn) write(p []byte) (done int) {
	for done < len(p) {
		n, err := reactor.Write(c.fd, p[done:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			c.blocked = true
			return done
		case err != nil:
			// The server may have answered before it ended the connection.
			c.fault = os.NewSyscallError("write", err)
			c.free()
			c.unread, c.held = true, false
			c.d.loop.Again(&c.turn)
			return done
		default:
			done += n
		}
	}
	return done
}

func (c *Conn) free() {
	if c.out == nil {
		return
	}
	if cap(c.out.B) <= keepOut {
		bytebufferpool.Put(c.out)
	}
	c.out, c.at = nil, 0
}

// flush sends what waits.
func (c *Conn) flush() {
	if c.out != nil {
		if c.at += c.write(c.out.B[c.at:]); c.fault != nil || c.at < len(c.out.B) {
			return
		}
		c.free()
		c.user.Sent(c)
		return
	}
}

// CloseWrite closes the write side once all output has been sent.
func (c *Conn) CloseWrite() {
	c.half = true
	c.shut()
}

func (c *Conn) shut() {
	if c.half && c.out == nil && c.fd >= 0 {
		c.half = false
		_ = unix.Shutdown(c.fd, unix.SHUT_WR)
	}
}

// Close closes the connection. The user gets no more calls and must not use c afterwards.
func (c *Conn) Close() {
	if c.fd < 0 {
		return
	}
	l := c.d.loop
	l.Disarm(&c.timer)
	l.Cancel(&c.turn)
	l.Forget(c.fd)
	_ = unix.Close(c.fd)
	c.free()
	*c = Conn{d: c.d, fd: -1, timer: c.timer, turn: c.turn, gen: c.gen + 1}
	if len(c.d.spare) < spareConns {
		c.d.spare = append(c.d.spare, c)
	}
}

// fail closes the connection and tells its user.
func (c *Conn) fail(err error) {
	u := c.user
	c.Close()
	u.Closed(c, err)
}

func (c *Conn) late() { c.user.Late(c) }

func (c *Conn) goOn() { c.read() }

// Ready implements reactor.Source.
func (c *Conn) Ready(ev reactor.Events) {
	gen := c.gen
	if !c.established {
		errno, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && errno != 0 {
			err = syscall.Errno(errno)
		}
		if err != nil {
			c.fail(os.NewSyscallError("connect", err))
			return
		}
		if _, err := unix.Getpeername(c.fd); err != nil {
			return // the event is of an earlier descriptor with this number
		}
		c.established = true
		if c.user.Connected(c); c.gen != gen {
			return
		}
		c.flush()
	} else if ev&reactor.Writable != 0 && c.blocked {
		c.blocked = false
		c.flush()
	}
	if c.gen != gen {
		return
	}
	c.shut()
	if ev&reactor.Readable != 0 {
		c.unread = true
		c.ending = c.ending || ev&reactor.EndOfInput != 0
		c.read()
	}
}

// read reads what the kernel has, in steps, so that others have their turn. Events are
// edge-triggered.
func (c *Conn) read() {
	gen, l := c.gen, c.d.loop
	for first := true; c.unread && !c.held; first = false {
		if !first && l.Spent() > reactor.Share {
			l.Again(&c.turn)
			return
		}
		buf := c.d.buf
		n, err := reactor.Read(c.fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			if c.unread = false; c.fault != nil {
				c.fail(c.fault)
			}
			return
		case err != nil:
			c.fail(os.NewSyscallError("read", err))
			return
		case n == 0:
			c.fail(io.EOF)
			return
		}
		if n < len(buf) && !c.ending && c.fault == nil {
			c.unread = false
		}
		if c.user.Received(c, buf[:n]); c.gen != gen {
			return
		}
	}
}
