package engine

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// transport moves a connection's bytes. Its methods never block: they return unix.EAGAIN when
// nothing can move now. Events of the descriptor wake the connection, whatever its transport.
type transport interface {
	read(p []byte) (int, error)
	// peek reads bytes and leaves them to be read again.
	peek(p []byte) (int, error)
	write(p []byte) (int, error)
	// sendFile sends up to n bytes of f from off.
	sendFile(f *os.File, off, n int64) (int64, error)
	// closeWrite half-closes: no more output follows.
	closeWrite() error
	// close closes. After cut the peer sees an error in place of an end.
	close()
	cut()
}

// socket is a bare descriptor.
type socket struct{ fd int }

func (s *socket) read(p []byte) (int, error)  { return reactor.Read(s.fd, p) }
func (s *socket) peek(p []byte) (int, error)  { return reactor.Peek(s.fd, p) }
func (s *socket) write(p []byte) (int, error) { return reactor.Write(s.fd, p) }

func (s *socket) sendFile(f *os.File, off, n int64) (int64, error) {
	return sendfile(s.fd, f, off, n)
}

func (s *socket) closeWrite() error { return unix.Shutdown(s.fd, unix.SHUT_WR) }

func (s *socket) close() { _ = unix.Close(s.fd) }

// cut makes the close of a TCP connection a reset. Of unix sockets see conn_hold.go.
func (s *socket) cut() {
	_ = unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}
