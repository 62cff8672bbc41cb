package outbound

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// Addr is where to connect to. It does not change. The zero value is no address.
type Addr struct {
	family int
	sa     unix.Sockaddr
	text   string
}

// TCP returns the address of a TCP port.
func TCP(ap netip.AddrPort) (Addr, error) {
	ip := ap.Addr().Unmap()
	a := Addr{text: netip.AddrPortFrom(ip, ap.Port()).String()}
	switch {
	case ip.Is4():
		a.family, a.sa = unix.AF_INET, &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ip.As4()}
	case ip.Is6():
		sa := &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ip.As16()}
		if zone := ip.Zone(); zone != "" {
			nic, err := net.InterfaceByName(zone)
			if err != nil {
				return Addr{}, fmt.Errorf("address %s: %w", ap, err)
			}
			sa.ZoneId = uint32(nic.Index)
		}
		a.family, a.sa = unix.AF_INET6, sa
	default:
		return Addr{}, fmt.Errorf("%s is no IP address with a port", ap)
	}
	return a, nil
}

// Unix returns the address of a unix socket: a path, or @ and a name without a file (Linux).
func Unix(path string) (Addr, error) {
	most := len(unix.RawSockaddrUnix{}.Path) - 1
	if path == "" || len(path) > most || strings.ContainsRune(path, 0) {
		return Addr{}, fmt.Errorf("unix socket %q: a path has 1 to %d bytes", path, most)
	}
	return Addr{family: unix.AF_UNIX, sa: &unix.SockaddrUnix{Name: path}, text: path}, nil
}

// String returns the address as it is written in logs.
func (a Addr) String() string { return a.text }

// Network returns "tcp" or "unix".
func (a Addr) Network() string {
	if a.family == unix.AF_UNIX {
		return "unix"
	}
	return "tcp"
}
