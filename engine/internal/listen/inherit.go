package listen

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Adopt makes a Listener of a socket that systemd opened (descriptors 3 and up), or a
// predecessor. It checks that fd is a listening stream socket and makes it non-blocking and
// close-on-exec. Unlink does nothing on it, because its file is the maker's, until
// [Listener.Inherit].
func Adopt(fd int) (*Listener, error) {
	fail := func(what string, err error) (*Listener, error) {
		return nil, fmt.Errorf("inherited descriptor %d: %s: %w", fd, what, err)
	}
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fail("it is no socket", err)
	}
	if typ != unix.SOCK_STREAM {
		return fail("it must be a stream socket (systemd: ListenStream=)", unix.ESOCKTNOSUPPORT)
	}
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return fail("cannot tell whether it listens", err)
	}
	if listening == 0 {
		return fail("it does not listen (systemd: Accept=no)", unix.EINVAL)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return fail("cannot tell its address", err)
	}
	l := &Listener{FD: fd}
	switch bound := bound.(type) {
	case *unix.SockaddrInet4:
		l.Address = Address{Kind: TCP, Host: netip.AddrFrom4(bound.Addr).String(), Port: uint16(bound.Port)}
	case *unix.SockaddrInet6:
		l.Address = Address{Kind: TCP, Host: netip.AddrFrom16(bound.Addr).String(), Port: uint16(bound.Port)}
	case *unix.SockaddrUnix:
		l.Address = Address{Kind: Unix, Path: bound.Name}
		if len(bound.Name) > 0 && bound.Name[0] == '@' {
			l.Address = Address{Kind: Abstract, Path: bound.Name[1:]}
		}
	default:
		return fail("it must be a TCP or a unix socket", unix.EAFNOSUPPORT)
	}
	if l.Address.Kind == TCP {
		if l.SetNoDelay, err = listenerNoDelay(fd); err != nil {
			return fail("set TCP_NODELAY", err)
		}
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return fail("make it non-blocking", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		return fail("make it close-on-exec", err)
	}
	return l, nil
}

// Inherit sets the path of an adopted socket, and lets Unlink remove the file of a unix socket.
// The kernel knows a unix socket that [Open] made by the private name that it had at first.
func (l *Listener) Inherit(address string) error {
	a, err := Parse(address)
	if err != nil {
		return err
	}
	if a.Kind != l.Address.Kind {
		return fmt.Errorf("inherited descriptor %d is not a socket of the kind of %s", l.FD, address)
	}
	l.Address = a
	if a.Kind != Unix {
		return nil
	}
	file, err := os.Lstat(a.Path)
	switch {
	case errors.Is(err, os.ErrNotExist): // somebody removed it on purpose
	case err != nil:
		return fmt.Errorf("inherited socket: %w", err)
	case file.Mode().Type() == os.ModeSocket:
		l.made = file
	}
	return nil
}
