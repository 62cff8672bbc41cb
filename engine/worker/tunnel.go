package worker

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// Tunneler is implemented by a [Client] that lets an app take over the client's connection, for a
// WebSocket. The app's process has one end of a socket pair, the loop the other. So the app has a
// real socket, whatever the protocol of the client is.
//
// After Tunnel the request goes on until End, Fail or [Port.Cancel]. The connection may live longer: it
// ends with TunnelClosed.
type Tunneler interface {
	Client
	// Tunnel takes the connection over with this response head. If that is not possible, it ends the
	// request, closes t and returns false.
	Tunnel(core *Core, status []byte, headers *Headers, t *Tunnel) bool
	// TunnelData has bytes for the client; the view is valid during the call.
	TunnelData(p []byte)
	// TunnelRoom says that the app has taken all bytes sent to it.
	TunnelRoom()
	// TunnelClosed says that the app has closed its end, or has died.
	TunnelClosed()
}

// Tunnel is the loop's end of the socket pair. It belongs to the loop of the port.
type Tunnel struct {
	port   *Port
	fd     int
	to     Tunneler
	out    []byte // did not fit
	frames frames // from the app
	turn   reactor.Turn
	held   bool // the client does not take what there is
	ended  bool // the client sends no more
	closed bool
}

// Send passes bytes of the client to the app, and returns how many wait. If more than 64 KiB wait, the
// caller should not read the client before TunnelRoom.
func (t *Tunnel) Send(p []byte) int {
	if t.closed {
		return 0
	}
	if len(t.out) == 0 {
		n, _ := reactor.Write(t.fd, p)
		p = p[max(n, 0):]
	}
	t.out = append(t.out, p...)
	return len(t.out)
}

// EndInput tells the app that the client sends no more.
func (t *Tunnel) EndInput() {
	t.ended = true
	t.flush()
}

// Hold stops reading the app while the client has no room.
func (t *Tunnel) Hold(on bool) {
	if t.held == on || t.closed {
		return
	}
	if t.held = on; !on {
		t.port.loop.Again(&t.turn)
	}
}

// Close ends the tunnel. The client of the port gets no more calls.
func (t *Tunnel) Close() {
	if t.closed {
		return
	}
	t.closed = true
	delete(t.port.tunnels, t)
	t.port.loop.Cancel(&t.turn)
	t.port.loop.Forget(t.fd)
	_ = unix.Close(t.fd)
}

// Ready is called by the loop.
func (t *Tunnel) Ready(ev reactor.Events) {
	if ev&reactor.Writable != 0 && len(t.out) > 0 {
		t.flush()
	}
	if ev&reactor.Readable != 0 {
		t.read()
	}
}

func (t *Tunnel) flush() {
	if t.closed {
		return
	}
	waited := len(t.out) > 0
	for len(t.out) > 0 {
		n, err := reactor.Write(t.fd, t.out)
		if err == unix.EAGAIN {
			return
		}
		if err != nil && err != unix.EINTR {
			n = len(t.out) // the app has closed its end
		}
		t.out = t.out[max(n, 0):]
	}
	t.out = nil
	if t.ended {
		_ = unix.Shutdown(t.fd, unix.SHUT_WR)
	}
	if waited && !t.ended {
		t.port.tellRoom(t.to)
	}
}

// read passes bytes of the app to the client.
func (t *Tunnel) read() {
	for !t.held && !t.closed {
		if t.port.loop.Spent() > reactor.Share {
			t.port.loop.Again(&t.turn)
			return
		}
		b := t.port.loop.Buffer()
		n, err := reactor.Read(t.fd, b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case n <= 0 || err != nil:
			t.gone()
			return
		}
		t.frames.pass(b[:n])
		t.port.tellTunnelData(t.to, b[:n])
	}
}

// gone handles the end of the app's side. A client that got no Close frame is told that the server
// goes away, as when the app's process is replaced.
func (t *Tunnel) gone() {
	if t.frames.whole() && !t.frames.closing {
		t.port.tellTunnelData(t.to, goingAway)
	}
	to := t.to
	t.Close()
	t.port.tellTunnelClosed(to)
}

// goingAway is a Close frame with status 1001 (RFC 6455 7.4.1).
var goingAway = []byte{0x88, 2, 0x03, 0xe9}

// frames finds the ends of the WebSocket frames that a server sends (RFC 6455 5.2).
type frames struct {
	head    []byte // of the frame at hand, as far as it has come
	left    uint64 // bytes of its payload that are to come
	closing bool   // a Close frame has come
}

// whole reports whether no frame is unfinished.
func (f *frames) whole() bool { return len(f.head) == 0 && f.left == 0 }

func (f *frames) pass(b []byte) {
	for len(b) > 0 {
		if f.left > 0 {
			n := min(f.left, uint64(len(b)))
			f.left -= n
			b = b[n:]
			continue
		}
		f.head = append(f.head, b[0])
		b = b[1:]
		f.begin()
	}
}

// begin looks whether the head is complete.
func (f *frames) begin() {
	h := f.head
	if len(h) < 2 {
		return
	}
	need, size := 2, uint64(h[1]&0x7f)
	switch size {
	case 126:
		need = 4
	case 127:
		need = 10
	}
	if h[1]&0x80 != 0 {
		need += 4
	}
	if len(h) < need {
		return
	}
	switch size {
	case 126:
		size = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		size = binary.BigEndian.Uint64(h[2:])
	}
	f.closing = f.closing || h[0]&0x0f == 8
	f.head, f.left = f.head[:0], size
}

// tunnel makes a tunnel from a descriptor of the app's socket pair. It returns nil if it cannot.
func (p *Port) tunnel(f *os.File, to Tunneler) *Tunnel {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	_ = f.Close()
	if err != nil {
		return nil
	}
	t := &Tunnel{port: p, fd: fd, to: to}
	t.turn.Fn = t.read
	if unix.SetNonblock(fd, true) != nil {
		_ = unix.Close(fd)
		return nil
	}
	if p.loop.Add(fd, t, true) != nil {
		_ = unix.Close(fd)
		return nil
	}
	if p.tunnels == nil {
		p.tunnels = map[*Tunnel]bool{}
	}
	p.tunnels[t] = true
	return t
}
