package engine

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// Bounds of TLS.
const (
	helloMax      = 16<<10 + recordHead // a ClientHello larger than one record is refused
	handshakeMax  = 128 << 10           // bytes that a client may send ahead within a handshake
	handshakesMax = 1024                // under way on one loop; beyond it the oldest gives way
	fileStep      = 64 << 10            // bytes of a file encrypted at a time
	recordHead    = 5
	tlsWeight     = 16 << 10 // estimated bytes of a connection's keys and buffers
)

// sealed is the transport of TLS: crypto/tls over a socket that does not block.
//
// The handshake runs on a goroutine of its own: it computes for a millisecond, and crypto/tls
// cannot be interrupted. It starts when the whole ClientHello is there, so a client that only
// connects costs nothing. The loop moves bytes between the socket and that goroutine. After the
// handshake only the loop uses the connection: crypto/tls reads and writes the bytes in [wire],
// and tries again later when there are none.
type sealed struct {
	sock  *socket
	conn  *tls.Conn
	wire  *wire
	phase sealedPhase
	isCut bool // it closes without close_notify
}

type sealedPhase uint8

const (
	sealedHello     sealedPhase = iota // the ClientHello is coming
	sealedHandshake                    // a goroutine has the connection
	sealedOpen
	sealedFailed
)

func newSealed(s *socket, ln *Listener) *sealed {
	w := &wire{fd: s.fd, ln: ln}
	w.came.L = &w.mu
	return &sealed{sock: s, wire: w, conn: tls.Server(w, ln.tls)}
}

// read decrypts into p. During the handshake it passes input to the handshake and returns no
// data.
func (s *sealed) read(p []byte) (int, error) {
	switch s.phase {
	case sealedOpen:
	case sealedFailed:
		return reactor.Read(s.sock.fd, p) // the caller drops it
	case sealedHello, sealedHandshake:
		return s.collect(p)
	}
	n, err := s.conn.Read(p)
	switch {
	case n > 0 || err == nil:
		return n, nil
	case errors.Is(err, errAgain):
		return 0, unix.EAGAIN
	case errors.Is(err, io.EOF):
		return 0, nil
	case s.wire.err != nil:
		return 0, s.wire.err
	}
	_ = s.wire.flush() // the alert that tells the client why
	return 0, unix.EPROTO
}

// collect reads the socket for the handshake. p is scratch.
func (s *sealed) collect(p []byte) (int, error) {
	for {
		n, err := reactor.Read(s.sock.fd, p)
		if err != nil {
			return n, err
		}
		if n == 0 {
			if s.phase == sealedHello && !s.wire.helloWhole() {
				return 0, nil
			}
			s.wire.endInput() // bytes before the end count, as on a bare socket
			return 0, unix.EAGAIN
		}
		if !s.wire.put(p[:n]) {
			return 0, unix.EMSGSIZE
		}
	}
}

// peek is for unix sockets that hold back a request's end. TLS shows a cut by itself.
func (s *sealed) peek([]byte) (int, error) { return 0, unix.EOPNOTSUPP }

// write encrypts all of p, and keeps what the socket does not take: see pending.
func (s *sealed) write(p []byte) (int, error) {
	if err := s.wire.flush(); err != nil {
		return 0, err
	}
	if _, err := s.conn.Write(p); err != nil {
		return 0, unix.EPIPE
	}
	if err := s.wire.flush(); err != nil && err != unix.EAGAIN {
		return 0, err
	}
	return len(p), nil
}

// sendFile encrypts a piece of f.
func (s *sealed) sendFile(f *os.File, off, n int64) (int64, error) {
	if err := s.wire.flush(); err != nil {
		return 0, err
	}
	b := bytebufferpool.Get()
	defer putBuffer(b)
	if n = min(n, fileStep); int64(cap(b.B)) < n {
		b.B = make([]byte, n)
	}
	got, err := f.ReadAt(b.B[:n], off)
	if got == 0 {
		if err == io.EOF {
			err = nil // the file has shrunk
		}
		return 0, err
	}
	sent, err := s.write(b.B[:got])
	return int64(sent), err
}

func (s *sealed) closeWrite() error {
	s.notify()
	return s.sock.closeWrite()
}

// notify sends close_notify: the answer is whole. Without it the client takes the end for a
// cut.
func (s *sealed) notify() {
	if s.phase == sealedOpen && !s.isCut {
		_ = s.conn.CloseWrite()
	}
	_ = s.wire.flush()
}

func (s *sealed) close() {
	s.notify()
	s.wire.abandon()
	s.sock.close()
}

func (s *sealed) cut() {
	s.isCut = true
	s.sock.cut()
}

// pending returns how many encrypted bytes wait for the socket.
func (s *sealed) pending() int { return s.wire.waiting() }

// awake notes that the socket is readable, and whether its end follows.
func (s *sealed) awake(ending bool) {
	s.wire.dry, s.wire.ending = false, s.wire.ending || ending
}

// errAgain tells crypto/tls that nothing can be read now. crypto/tls does not treat a temporary
// error as the end, and goes on from there later.
var errAgain error = again{}

type again struct{}

func (again) Error() string   { return "nothing to read now" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// wire is the net.Conn below crypto/tls. During the handshake a goroutine reads and writes it,
// and waits for the loop to put input. Afterwards it belongs to the loop, or for HTTP/2 to
// net/http, which uses the socket through plain.
type wire struct {
	fd    int
	ln    *Listener
	plain net.Conn // set for HTTP/2 only
	over  func()   // called when plain is closed
	post  func()   // makes the loop flush; set during the handshake
	open  bool     // only the loop uses it
	// dry says that the socket is read empty: a read came up short. When ending is set only the
	// end of file counts.
	dry, ending bool
	err         error // of the socket

	mu     sync.Mutex // guards what follows during the handshake
	came   sync.Cond
	in     []byte
	out    *bytebufferpool.ByteBuffer
	outAt  int
	ended  bool // the client has half-closed; in has the last bytes
	closed bool
}

// put adds input for the handshake. It reports false when there is too much.
func (w *wire) put(p []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.in)+len(p) > handshakeMax {
		return false
	}
	w.in = append(w.in, p...)
	w.came.Signal()
	return true
}

// endInput adds an end of file for the handshake.
func (w *wire) endInput() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.came.Signal()
}

// helloWhole reports whether the first record is complete, or the input is not TLS.
func (w *wire) helloWhole() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.in) == 0 {
		return false
	}
	if w.in[0] != recordHandshake {
		return true
	}
	return len(w.in) >= recordHead && len(w.in) >= recordHead+(int(w.in[3])<<8|int(w.in[4]))
}

const recordHandshake = 22

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	if w.plain != nil {
		if len(w.in) > 0 {
			return w.take(p), nil
		}
		return w.plain.Read(p)
	}
	if !w.open {
		w.mu.Lock()
		defer w.mu.Unlock()
		for len(w.in) == 0 {
			switch {
			case w.closed:
				return 0, net.ErrClosed
			case w.ended:
				return 0, io.EOF
			}
			w.came.Wait()
		}
		return w.take(p), nil
	}
	if len(w.in) > 0 {
		return w.take(p), nil
	}
	for !w.dry {
		n, err := reactor.Read(w.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			w.dry = true
		case err != nil:
			w.err = err
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			w.dry = n < len(p) && !w.ending
			return n, nil
		}
	}
	return 0, errAgain
}

func (w *wire) take(p []byte) int {
	n := copy(p, w.in)
	if w.in = w.in[n:]; len(w.in) == 0 {
		w.in = nil
	}
	return n
}

// Write implements net.Conn. It keeps all of p; flush sends it.
func (w *wire) Write(p []byte) (int, error) {
	if w.plain != nil {
		return w.plain.Write(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, net.ErrClosed
	}
	if w.out == nil {
		w.out = bytebufferpool.Get()
	}
	w.out.B = append(w.out.B, p...)
	if !w.open && w.post != nil {
		w.post()
	}
	return len(p), nil
}

// flush sends the waiting output. It returns unix.EAGAIN when the socket is full.
func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.out != nil && w.plain == nil && !w.closed {
		n, err := reactor.Write(w.fd, w.out.B[w.outAt:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if w.outAt += n; w.outAt == len(w.out.B) {
			w.drop()
		}
	}
	return nil
}

func (w *wire) drop() {
	if w.out != nil {
		putBuffer(w.out)
	}
	w.out, w.outAt = nil, 0
}

// held is how many bytes it has, of both directions.
func (w *wire) held() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := cap(w.in)
	if w.out != nil {
		n += len(w.out.B) - w.outAt
	}
	return n
}

func (w *wire) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		return 0
	}
	return len(w.out.B) - w.outAt
}

// abandon ends a handshake and drops its output.
func (w *wire) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.drop()
	w.came.Signal()
}

// handOver makes plain the connection from now on, and calls over when it is closed. It returns
// unsent output.
func (w *wire) handOver(plain net.Conn, over func()) (rest []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out != nil {
		rest = append(rest, w.out.B[w.outAt:]...)
		w.drop()
	}
	var once sync.Once
	w.plain, w.over = plain, func() { once.Do(over) }
	return rest
}

// Close implements net.Conn.
func (w *wire) Close() error {
	if w.plain == nil {
		return nil // the loop closes it
	}
	defer w.over()
	return w.plain.Close()
}

// LocalAddr implements net.Conn.
func (w *wire) LocalAddr() net.Addr {
	if w.plain != nil {
		return w.plain.LocalAddr()
	}
	return wireAddr(w.ln.String())
}

// RemoteAddr implements net.Conn.
func (w *wire) RemoteAddr() net.Addr {
	if w.plain != nil {
		return w.plain.RemoteAddr()
	}
	return wireAddr("")
}

type wireAddr string

func (wireAddr) Network() string  { return "tcp" }
func (a wireAddr) String() string { return string(a) }

// SetDeadline implements net.Conn. The loop's timers apply.
func (w *wire) SetDeadline(t time.Time) error {
	if w.plain != nil {
		return w.plain.SetDeadline(t)
	}
	return nil
}

// SetReadDeadline implements net.Conn.
func (w *wire) SetReadDeadline(t time.Time) error {
	if w.plain != nil {
		return w.plain.SetReadDeadline(t)
	}
	return nil
}

// SetWriteDeadline implements net.Conn.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.plain != nil {
		return w.plain.SetWriteDeadline(t)
	}
	return nil
}
