package proxy

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// protocol is the protocol of an upstream.
type protocol uint8

const (
	protoHTTP protocol = iota
	protoUwsgi
	protoHTTPS
	protoH2C // HTTP/2 without TLS
)

var schemes = map[string]struct {
	proto protocol
	port  uint16 // where none is given; 0: one has to be
}{
	"http":  {protoHTTP, 80},
	"uwsgi": {protoUwsgi, 0},
	"https": {protoHTTPS, 443},
	"h2c":   {protoH2C, 80},
}

// address is the address of an upstream as the configuration has it.
type address struct {
	proto protocol
	path  string // of a unix socket; empty for TCP
	host  string // a name or an IP address
	srv   bool   // host is a name that SRV records are looked up for; they have the ports
	port  uint16
}

// parseAddress reads an address: http://127.0.0.1:8080, http://[::1], uwsgi://app:3031, http://unix:/run/app.sock, or without a
// scheme, 127.0.0.1:8080, unix:/run/app.sock, /run/app.sock and @name, for which scheme stands.
func parseAddress(s, scheme string) (a address, err error) {
	rest := s
	if before, after, found := strings.Cut(s, "://"); found {
		scheme, rest = strings.ToLower(before), after
	}
	kind, ok := schemes[scheme]
	if !ok {
		return a, fmt.Errorf("upstream %q: %s is not spoken: write http://, https://, h2c:// or uwsgi://", s, scheme)
	}
	a.proto = kind.proto
	rest = strings.TrimSuffix(rest, "/")
	switch path, isUnix := strings.CutPrefix(rest, "unix:"); {
	case rest == "" || path == "":
		return a, fmt.Errorf("upstream %q: the address is missing", s)
	case isUnix, rest[0] == '/', rest[0] == '@':
		a.path = strings.TrimSuffix(path, ":") // nginx has a colon behind
		return a, nil
	}
	if name, ok := strings.CutPrefix(rest, "srv:"); ok {
		if name == "" || strings.ContainsAny(name, "/?#@ :") {
			return a, fmt.Errorf("upstream %q: srv: needs a name, such as srv:_http._tcp.api.example", s)
		}
		a.srv, a.host = true, name
		return a, nil
	}
	if strings.ContainsAny(rest, "/?#@ ") {
		return a, fmt.Errorf("upstream %q: only an address, without path or user: the path is the client's", s)
	}
	host, port := rest, ""
	switch {
	case strings.HasPrefix(rest, "[") && strings.HasSuffix(rest, "]"):
	case strings.HasPrefix(rest, "["), strings.Count(rest, ":") == 1:
		host, port, err = net.SplitHostPort(rest)
	case strings.Contains(rest, ":"):
		err = errors.New("too many colons")
	}
	if err != nil {
		return a, fmt.Errorf("upstream %q: write host:port, and an IPv6 address in brackets, as in [::1]:8080", s)
	}
	a.host, a.port = strings.Trim(host, "[]"), kind.port
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return a, fmt.Errorf("upstream %q: port %q is not a number from 1 to 65535", s, port)
		}
		a.port = uint16(n)
	}
	if a.port == 0 {
		return a, fmt.Errorf("upstream %q: the port is missing, as in %s:3031", s, rest)
	}
	if a.host == "" {
		a.host = "127.0.0.1" // as uWSGI has it
	}
	return a, nil
}

// String returns the address with its scheme.
func (a address) String() string {
	scheme := [...]string{protoHTTP: "http://", protoUwsgi: "uwsgi://", protoHTTPS: "https://", protoH2C: "h2c://"}[a.proto]
	switch {
	case a.path != "":
		return scheme + "unix:" + a.path
	case a.srv:
		return scheme + "srv:" + a.host
	}
	return scheme + net.JoinHostPort(a.host, strconv.Itoa(int(a.port)))
}

// authority is what a client of the upstream's own names as Host.
func (a address) authority() []byte {
	switch {
	case a.path != "":
		return []byte("localhost")
	case a.port == schemes["http"].port && a.proto != protoHTTPS, a.port == schemes["https"].port && a.proto == protoHTTPS:
		host := net.JoinHostPort(a.host, "")
		return []byte(host[:len(host)-1])
	}
	return []byte(net.JoinHostPort(a.host, strconv.Itoa(int(a.port))))
}
