package load

import (
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sources is from how many loopback addresses connections are made in turn, if a connection
// carries only some requests. Each address has about 28,000 ports to one server, and a port
// rests for a minute after its connection. This many addresses are enough for 100,000
// connections a second.
const sources = 250

// dialer makes non-blocking sockets to one address. Each loop has its own.
type dialer struct {
	family int
	to     unix.Sockaddr
	tcp    bool
	from   *unix.SockaddrInet4 // nil: the kernel chooses
}

// newDialer resolves the address of a target once. many says that connections
// will be made in such numbers that ports could run out.
func newDialer(t Target, many bool) (*dialer, error) {
	if t.Network == "unix" {
		return &dialer{family: unix.AF_UNIX, to: &unix.SockaddrUnix{Name: t.Address}}, nil
	}
	addr, err := net.ResolveTCPAddr("tcp", t.Address)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if ip := addr.IP.To4(); ip != nil || addr.IP == nil {
		to := &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte{127, 0, 0, 1}}
		copy(to.Addr[:], ip)
		d := &dialer{family: unix.AF_INET, to: to, tcp: true}
		if many && to.Addr[0] == 127 {
			d.from = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
		}
		return d, nil
	}
	to := &unix.SockaddrInet6{Port: addr.Port}
	copy(to.Addr[:], addr.IP.To16())
	if addr.Zone != "" {
		nic, err := net.InterfaceByName(addr.Zone)
		if err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
		to.ZoneId = uint32(nic.Index)
	}
	return &dialer{family: unix.AF_INET6, to: to, tcp: true}, nil
}

// dial begins a connection. A socket on which the connection is still being made
// is no error. EAGAIN means that a unix socket's backlog is full.
func (d *dialer) dial() (fd int, err error) {
	fd, err = unix.Socket(d.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if d.tcp {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if d.from != nil && err == nil {
		// Without it, bind would take a port that no other connection could use.
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err == nil {
			err = unix.Bind(fd, d.from)
		}
		d.from.Addr[3] = d.from.Addr[3]%sources + 1
	}
	if err == nil {
		err = unix.Connect(fd, d.to)
	}
	if err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// receive reads from a non-blocking socket. The scheduler is not told of the
// call, as it returns at once; that goes for send too.
func receive(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), errno
}

// send writes to a non-blocking socket. Unlike write(2) it raises no SIGPIPE.
func send(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
		uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}
