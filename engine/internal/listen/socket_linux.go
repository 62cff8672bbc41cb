package listen

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const soReusePort = unix.SO_REUSEPORT

// deferSeconds is how long the kernel keeps a connection that sends nothing from
// us: uWSGI's default socket-timeout. Such a connection is handed out after all,
// and then falls under the timeout for heads.
const deferSeconds = 4

// socket makes a stream socket, non-blocking and close-on-exec.
func socket(family int) (int, error) {
	return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}

func deferAccept(fd int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, deferSeconds)
}

// listenerNoDelay sets TCP_NODELAY where connections inherit it and reports
// whether it must be set on each of them instead. On Linux they do.
func listenerNoDelay(fd int) (perConn bool, err error) {
	return false, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// maxBacklog is what the kernel silently cuts every backlog down to.
func maxBacklog() int {
	b, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && n > 0 {
			return n
		}
	}
	return 4096 // the default since Linux 5.4; /proc may be hidden
}

// Accept takes one connection off the backlog of the listening socket fd and
// returns it, non-blocking and close-on-exec, with its other end in peer. The
// error is the system's: EAGAIN when no connection waits; EMFILE, ENFILE, ENOBUFS
// and ENOMEM when the machine has run out of something, which calls for a pause;
// ECONNABORTED when a client has left already, which does not. It does not
// allocate, which is why it is not [unix.Accept4].
func Accept(fd int, peer *Peer) (int, error) {
	var sa unix.RawSockaddrAny
	for {
		size := uint32(unsafe.Sizeof(sa))
		nfd, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&sa)),
			uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return -1, errno
		}
		*peer = Peer{}
		switch sa.Addr.Family {
		case unix.AF_INET:
			in := (*unix.RawSockaddrInet4)(unsafe.Pointer(&sa))
			peer.Family, peer.Port = FamilyInet4, networkOrder(in.Port)
			copy(peer.Addr[:], in.Addr[:])
		case unix.AF_INET6:
			in := (*unix.RawSockaddrInet6)(unsafe.Pointer(&sa))
			peer.Port = networkOrder(in.Port)
			peer.setIP6(in.Addr)
		}
		return int(nfd), nil
	}
}

// networkOrder reads a port that lies in memory as it came over the network.
func networkOrder(port uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&port))[:])
}
