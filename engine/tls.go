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
	handshakeMax  = 128 << 10           // what a client may send ahead within a handshake
	handshakesMax = 1024                // under way on one loop; beyond it the oldest gives way
	fileStep      = 64 << 10            // of a file encrypted at a time
	recordHead    = 5
	tlsWeight     = 16 << 10 // what the keys and buffers of a connection are counted as
)

// sealed is the transport of TLS: crypto/tls over a socket that does not block.
//
// The handshake runs on a goroutine of its own, as it computes for a millisecond and
// crypto/tls cannot be interrupted in it. It starts when the whole ClientHello is there, so
// that a client that has only connected costs nothing. From then on the loop moves bytes
// between the socket and that goroutine. When it has ended the loop alone uses the connection:
// crypto/tls reads and writes what [wire] has, and tries again later where there is nothing.
type sealed struct {
	sock  *socket
	conn  *tls.Conn
	wire  *wire
	phase sealedPhase
	isCut bool // closed without the notice that all has been said
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

// read decrypts into p. During the handshake it passes on what has come, and has nothing.
func (s *sealed) read(p []byte) (int, error) {
	switch s.phase {
	case sealedOpen:
	case sealedFailed:
		return reactor.Read(s.sock.fd, p) // to be thrown away
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
	_ = s.wire.flush() // the alert that says why
	return 0, unix.EPROTO
}

// collect takes what has come for the handshake. p is scratch.
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
			s.wire.endInput() // what has come before the end counts, as on a bare socket
			return 0, unix.EAGAIN
		}
		if !s.wire.put(p[:n]) {
			return 0, unix.EMSGSIZE
		}
	}
}

// peek is for unix sockets that hold a request's end back; TLS shows a cut by itself.
func (s *sealed) peek([]byte) (int, error) { return 0, unix.EOPNOTSUPP }

// write encrypts all of p. What the socket does not take is kept: see pending.
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
			err = nil // the file has become shorter
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

// notify says that the answer is whole: without it the client takes the end for a cut.
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

// pending is how many encrypted bytes wait for the socket.
func (s *sealed) pending() int { return s.wire.waiting() }

// awake is told that the socket has more to read, and whether that goes on to its end.
func (s *sealed) awake(ending bool) {
	s.wire.dry, s.wire.ending = false, s.wire.ending || ending
}

// errAgain is what crypto/tls gets where there is nothing to read now. It takes an error
// that calls itself temporary for no end, and goes on where it was.
var errAgain error = again{}

type again struct{}

func (again) Error() string   { return "nothing to read now" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// wire is the net.Conn below crypto/tls. During the handshake a goroutine reads and writes
// it, and waits for the loop to put what has come; afterwards it belongs to the loop, or, for
// HTTP/2, to net/http, which reads the socket by plain.
type wire struct {
	fd    int
	ln    *Listener
	plain net.Conn // nil but for HTTP/2
	over  func()   // called when that has been closed
	post  func()   // has the loop flush; set during the handshake
	open  bool     // the loop uses it alone
	// dry says that the socket has been read empty: a read came up short. Where it is ending
	// only the end of file says so.
	dry, ending bool
	err         error // of the socket

	mu     sync.Mutex // guards what follows during the handshake
	came   sync.Cond
	in     []byte
	out    *bytebufferpool.ByteBuffer
	outAt  int
	ended  bool // the client has ended its side; in has what came before
	closed bool
}

// put adds what has come to what the handshake reads. It reports false where that is too
// much.
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

// endInput has the handshake read an end after what has come.
func (w *wire) endInput() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.came.Signal()
}

// helloWhole reports whether all of the first record has come, or of what is none.
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

// flush sends what waits. It returns unix.EAGAIN where the socket does not take all of it.
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

func (w *wire) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		return 0
	}
	return len(w.out.B) - w.outAt
}

// abandon ends a handshake that is under way, and drops what waits.
func (w *wire) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.drop()
	w.came.Signal()
}

// handOver has plain read and written from now on. over is called when that is closed. It
// returns what has not been sent yet.
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
		return nil // the loop does
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

// SetDeadline implements net.Conn. The loop's timers bound what it does.
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
