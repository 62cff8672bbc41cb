package engine

import (
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/listen"
)

// ParseAddress parses an address of [Server.Listen] for package net: "tcp" and host:port, or
// "unix" and a path, or "unix" and @ with an abstract name.
func ParseAddress(addr string) (network, address string, err error) {
	a, err := listen.Parse(addr)
	if err != nil {
		return "", "", err
	}
	if a.Kind == listen.TCP {
		return "tcp", a.String(), nil
	}
	return "unix", a.String(), nil
}

// Socket is a listening socket for code that serves with package net. It is made, named and
// removed as a server's are: its path appears with its mode and owner when clients can connect.
// One goroutine at a time may call its methods.
type Socket struct{ ln *listen.Listener }

// OpenSocket listens on addr, see [Server.Listen].
func OpenSocket(addr string, o ListenOptions) (*Socket, error) {
	a, err := listen.Parse(addr)
	if err != nil {
		return nil, err
	}
	ln, err := listen.Open(a, listen.Options{Backlog: o.Backlog, Mode: o.Mode, Owner: o.Owner})
	if err != nil {
		return nil, err
	}
	return &Socket{ln}, nil
}

// AdoptSocket takes over the listening socket f at addr, and closes f.
func AdoptSocket(f *os.File, addr string) (*Socket, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	ln, err := listen.Adopt(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	if ln.Address.Kind != listen.TCP {
		if err := ln.Inherit(addr); err != nil {
			_ = ln.Close()
			return nil, err
		}
	}
	return &Socket{ln}, nil
}

// Listener returns the socket as a net.Listener. Close that separately.
func (s *Socket) Listener() (net.Listener, error) {
	f, err := s.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ln, err := net.FileListener(f)
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // it does not know the path
	}
	return ln, err
}

// String returns the address as uWSGI spells it, with the port that the kernel chose for
// port 0.
func (s *Socket) String() string { return s.ln.String() }

// File returns a copy of the socket for another process.
func (s *Socket) File() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(s.ln.FD), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), s.String()), nil
}

// OwnsFile reports whether there is a file for Unlink to remove.
func (s *Socket) OwnsFile() bool { return s.ln.OwnsFile() }

// Unlink removes the file of a unix socket, unless another has taken its place, and reports
// whether it did. Call it before Close.
func (s *Socket) Unlink() (bool, error) { return s.ln.Unlink() }

// Close closes the socket; its file stays.
func (s *Socket) Close() error { return s.ln.Close() }
