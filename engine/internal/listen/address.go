package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kind tells the families of listening sockets apart.
type Kind uint8

// The kinds of listening sockets.
const (
	TCP      Kind = iota // IPv4, IPv6 or both
	Unix                 // a socket in the file system
	Abstract             // a Linux socket that has a name but no file
)

// Address is where to listen, or where a [Listener] does.
type Address struct {
	Kind Kind
	// Host is the host of a TCP address as it was written, without brackets: a
	// name, an IP address, or "" for every address of the machine.
	Host string
	// Port is the TCP port; 0 asks the kernel for a free one.
	Port uint16
	// Path is the file of a Unix address, or the name of an Abstract one without
	// its "@".
	Path string
}

// resolveTimeout bounds the look-up of a host name. A server that cannot find
// its own address should say so rather than hang at start.
const resolveTimeout = 10 * time.Second

// MaxPath is the length in bytes of the longest path of a unix socket: sun_path without its
// closing NUL. It is 107 on Linux, 103 elsewhere.
const MaxPath = len(unix.RawSockaddrUnix{}.Path) - 1

// Parse reads an address in uWSGI's spelling:
//
//	:8080             every address of the machine, IPv4 and IPv6
//	127.0.0.1:8080    one address; names such as localhost are looked up by [Open]
//	[::1]:8080        one IPv6 address; [::] is every address, as in uWSGI
//	/run/app.sock     a unix socket
//	app.sock          also one: whatever has no colon
//	@app              an abstract unix socket (Linux)
//
// Unlike uWSGI it allows a colon in a path that starts with "/" or "./". It refuses a lone
// number, IP address or localhost: uWSGI would make a file of that name.
func Parse(s string) (Address, error) {
	switch {
	case s == "":
		return Address{}, errors.New("empty address: write :port, host:port, a path or @name")
	case strings.IndexByte(s, 0) >= 0:
		return Address{}, fmt.Errorf("address %q: a NUL byte cannot be part of it", s)
	case s[0] == '@':
		return parseAbstract(s)
	case s[0] == '/', strings.HasPrefix(s, "./"), strings.HasPrefix(s, "../"), !strings.Contains(s, ":"):
		return parsePath(s)
	}
	return parseTCP(s)
}

func parseAbstract(s string) (Address, error) {
	if runtime.GOOS != "linux" {
		return Address{}, fmt.Errorf("address %q: abstract unix sockets exist on Linux only; use a path", s)
	}
	if len(s) == 1 {
		return Address{}, fmt.Errorf("address %q: a name must follow the @", s)
	}
	if len(s)-1 > MaxPath {
		return Address{}, fmt.Errorf("address %q: the name is %d bytes long, the limit is %d", s, len(s)-1, MaxPath)
	}
	return Address{Kind: Abstract, Path: s[1:]}, nil
}

func parsePath(s string) (Address, error) {
	if _, err := strconv.ParseUint(s, 10, 64); err == nil {
		return Address{}, fmt.Errorf("address %q: write \":%s\" for a TCP port or \"./%s\" for a unix socket of that name", s, s, s)
	}
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil || strings.EqualFold(s, "localhost") {
		return Address{}, fmt.Errorf("address %q: its port is missing: write \"%s:8080\", or \"./%s\" for a unix socket of that name", s, s, s)
	}
	if strings.HasSuffix(s, "/") {
		return Address{}, fmt.Errorf("address %q: it ends in a slash; name the socket's file, not its directory", s)
	}
	if len(s) > MaxPath {
		return Address{}, fmt.Errorf("address %q: the path is %d bytes long, the limit for unix sockets is %d; use a shorter or a relative one", s, len(s), MaxPath)
	}
	return Address{Kind: Unix, Path: s}, nil
}

func parseTCP(s string) (Address, error) {
	colon := strings.LastIndexByte(s, ':')
	host, port := s[:colon], s[colon+1:]
	switch {
	case strings.HasPrefix(s, "unix:"):
		return Address{}, fmt.Errorf("address %q: write the path alone, %q", s, strings.TrimPrefix(s[len("unix:"):], "//"))
	case strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]"):
		host = host[1 : len(host)-1]
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return Address{}, fmt.Errorf("address %q: %q is not an IPv6 address", s, host)
		}
	case strings.ContainsAny(host, "*/ "):
		return Address{}, fmt.Errorf("address %q: %q is not a host name or an IP address; \":%s\" listens on every address", s, host, port)
	case strings.ContainsAny(host, ":[]"):
		return Address{}, fmt.Errorf("address %q: write an IPv6 address in brackets, as in [::1]:8080", s)
	}
	n, err := parsePort(port)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: %w", s, err)
	}
	return Address{Kind: TCP, Host: host, Port: n}, nil
}

// parsePort takes digits only, up to 65535: no sign and no service name.
func parsePort(s string) (uint16, error) {
	if s == "" {
		return 0, errors.New("the port after the colon is missing")
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("port %q is not a number from 0 to 65535", s)
	}
	return uint16(n), nil
}

// String spells a the way uWSGI's log does and [Parse] reads.
func (a Address) String() string {
	switch a.Kind {
	case Unix:
		return a.Path
	case Abstract:
		return "@" + a.Path
	}
	port := strconv.Itoa(int(a.Port))
	if strings.Contains(a.Host, ":") {
		return "[" + a.Host + "]:" + port
	}
	return a.Host + ":" + port
}

// resolve returns the IP address of a TCP address that has a host. Of a name
// with several it is the first IPv4 one, as in uWSGI, or else the first.
func (a Address) resolve() (netip.Addr, error) {
	if ip, err := netip.ParseAddr(a.Host); err == nil {
		return ip.Unmap(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", a.Host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("cannot look up host %q: %w", a.Host, err)
	}
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			return ip.Unmap(), nil
		}
	}
	if len(ips) == 0 {
		return netip.Addr{}, fmt.Errorf("host %q has no address", a.Host)
	}
	return ips[0], nil
}
