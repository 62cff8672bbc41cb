package listen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// openTCP listens on one address, or on all. For all it makes one IPv6 socket that takes IPv4
// connections too, or an IPv4 socket on a machine without IPv6.
func (l *Listener) openTCP(o Options) error {
	host := l.Address.Host
	if host == "" || host == "::" {
		err := l.listenTCP(netip.IPv6Unspecified(), o)
		if host == "::" || !noIPv6(err) {
			return err
		}
		return l.listenTCP(netip.IPv4Unspecified(), o)
	}
	ip, err := l.Address.resolve()
	if err != nil {
		return err
	}
	return l.listenTCP(ip, o)
}

// noIPv6 reports whether err means a machine without IPv6, not a fault that IPv4 would meet
// too.
func noIPv6(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) ||
		errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ENOPROTOOPT)
}

func (l *Listener) listenTCP(ip netip.Addr, o Options) error {
	family := unix.AF_INET6
	if ip.Is4() {
		family = unix.AF_INET
	}
	fd, err := socket(family)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	if err := l.setUpTCP(fd, ip, o); err != nil {
		_ = unix.Close(fd)
		return err
	}
	l.FD = fd
	return nil
}

func (l *Listener) setUpTCP(fd int, ip netip.Addr, o Options) error {
	if ip.Is6() {
		only := 1
		if ip.IsUnspecified() {
			only = 0 // IPv4 connections arrive here as ::ffff:a.b.c.d
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return fmt.Errorf("set IPV6_V6ONLY: %w", err)
		}
	}
	// Without it a restart fails for a minute while old connections time out.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("set SO_REUSEADDR: %w", err)
	}
	if o.ReusePort {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, soReusePort, 1); err != nil {
			return fmt.Errorf("set SO_REUSEPORT: %w", err)
		}
	}
	if o.DeferAccept {
		if err := deferAccept(fd); err != nil {
			return fmt.Errorf("set TCP_DEFER_ACCEPT: %w", err)
		}
	}
	var err error
	if l.SetNoDelay, err = listenerNoDelay(fd); err != nil {
		return fmt.Errorf("set TCP_NODELAY: %w", err)
	}
	sa, err := sockaddr(ip, l.Address.Port)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, sa); err != nil {
		return l.explainTCP(err)
	}
	if err := unix.Listen(fd, l.Backlog); err != nil {
		return l.explainTCP(err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("ask for the port: %w", err)
	}
	switch bound := bound.(type) {
	case *unix.SockaddrInet4:
		l.Address.Port = uint16(bound.Port)
	case *unix.SockaddrInet6:
		l.Address.Port = uint16(bound.Port)
	}
	return nil
}

// explainTCP adds advice to an error of bind or listen.
func (l *Listener) explainTCP(err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%w: another program has port %d; stop it or choose another port", err, l.Address.Port)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: ports below 1024 are for root; use a higher one, or grant CAP_NET_BIND_SERVICE", err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%w: no interface of this machine has that address; \":%d\" listens on all of them", err, l.Address.Port)
	}
	return err
}

func sockaddr(ip netip.Addr, port uint16) (unix.Sockaddr, error) {
	if ip.Is4() {
		return &unix.SockaddrInet4{Port: int(port), Addr: ip.As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(port), Addr: ip.As16()}
	if zone := ip.Zone(); zone != "" {
		itf, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, fmt.Errorf("no interface is named %q: %w", zone, err)
		}
		sa.ZoneId = uint32(itf.Index)
	}
	return sa, nil
}
