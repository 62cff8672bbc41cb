package succession

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine"
)

// Socket is a listening socket that comes from systemd (LISTEN_FDS) or from the predecessor.
type Socket struct {
	FD   int
	Addr net.Addr
	// Address is the socket's address now; empty where only systemd knows it.
	Address string
	// Always says that the socket serves though no option names it, as systemd's do.
	Always bool

	option string // its address in the predecessor's options; empty for systemd's
	file   string // of a unix socket, to be removed when nobody listens any more
}

// IsOf reports whether the socket has an address of the options.
func (s Socket) IsOf(option string) bool {
	return sameAddress(option, s.Addr) || s.Addr.Network() == "tcp" && option == s.option
}

// FromSystemd returns the sockets that systemd has passed, and removes its variables, so that the
// app does not take the sockets for its own.
func FromSystemd() ([]Socket, error) {
	var socks []Socket
	for _, f := range activation.Files(true) {
		s, err := Inherited(f)
		if err != nil {
			return nil, err
		}
		socks = append(socks, s)
	}
	return socks, nil
}

// Inherited takes a socket that was opened by who has started the server, and closes f.
func Inherited(f *os.File) (Socket, error) {
	at := int(f.Fd())
	addr, err := listensOn(f)
	if err != nil {
		return Socket{}, fmt.Errorf("inherited descriptor %d is no listening stream socket (systemd: ListenStream=, Accept=no): %w", at, err)
	}
	// f closes its descriptor some day; this copy is the server's.
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	_ = f.Close()
	if err != nil {
		return Socket{}, fmt.Errorf("inherited descriptor %d: %w", at, err)
	}
	return Socket{FD: fd, Addr: addr, Always: true}, nil
}

// listensOn returns the address of a listening stream socket.
func listensOn(f *os.File) (net.Addr, error) {
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	return ln.Addr(), nil
}

// sameAddress reports whether an address of the options is that of a socket.
func sameAddress(option string, addr net.Addr) bool {
	network, address, err := engine.ParseAddress(option)
	if err != nil || network != addr.Network() {
		return false
	}
	switch addr := addr.(type) {
	case *net.UnixAddr:
		if address[0] == '@' {
			return address == addr.Name
		}
		path, err := filepath.Abs(address)
		return err == nil && path == filepath.Clean(addr.Name)
	case *net.TCPAddr:
		host, port, err := net.SplitHostPort(address)
		if err != nil || port != strconv.Itoa(addr.Port) {
			return false
		}
		if host == "" {
			return addr.IP.IsUnspecified()
		}
		return net.ParseIP(host).Equal(addr.IP)
	}
	return false
}
