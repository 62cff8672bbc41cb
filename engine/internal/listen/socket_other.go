//go:build !linux

package listen

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket makes a stream socket, non-blocking and close-on-exec. The lock keeps a
// fork from happening before the second flag is set, as in the package net.
func socket(family int) (int, error) {
	syscall.ForkLock.RLock()
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// deferAccept does nothing: the option is Linux's own.
func deferAccept(int) error { return nil }

// listenerNoDelay leaves TCP_NODELAY to be set on each connection, because
// whether they inherit it is not documented here.
func listenerNoDelay(int) (perConn bool, err error) { return true, nil }

// maxBacklog is what the kernel silently cuts every backlog down to.
func maxBacklog() int {
	if n, err := unix.SysctlUint32("kern.ipc.somaxconn"); err == nil && n > 0 {
		return int(n)
	}
	return 128
}

// Accept takes one connection off the backlog of the listening socket fd and
// returns it, non-blocking and close-on-exec, with its other end in peer. The
// error is the system's: EAGAIN when no connection waits; EMFILE, ENFILE and
// ENOBUFS when the machine has run out of something, which calls for a pause;
// ECONNABORTED when a client has left already, which does not.
func Accept(fd int, peer *Peer) (int, error) {
	for {
		nfd, sa, err := accept(fd)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return -1, err
		}
		*peer = Peer{}
		switch sa := sa.(type) {
		case *unix.SockaddrInet4:
			peer.Family, peer.Port = FamilyInet4, uint16(sa.Port)
			copy(peer.Addr[:], sa.Addr[:])
		case *unix.SockaddrInet6:
			peer.Port = uint16(sa.Port)
			peer.setIP6(sa.Addr)
		}
		return nfd, nil
	}
}
