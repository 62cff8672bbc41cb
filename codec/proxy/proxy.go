// Package proxy reads the header of the PROXY protocol, versions 1 and 2, by which a proxy
// that passes on bytes tells who its client is: HAProxy's send-proxy, nginx's proxy_protocol,
// the load balancers of clouds.
//
// It trusts its input. The caller must check that the peer may send a header.
package proxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"

	"github.com/uwsgo/uwsgo/codec"
)

// Bounds of a header.
const (
	maxLine = 107      // bytes of a header of version 1, by the specification
	maxMore = 16 << 10 // bytes behind the fixed part of one of version 2: addresses and extensions
)

// ErrNone says that the bytes are no header, and the beginning of something else.
var ErrNone = errors.New("no PROXY header")

// ErrMalformed says that a header breaks the rules of its version.
var ErrMalformed = &codec.Error{ID: "proxy_header", Status: 400, Message: "the PROXY header is malformed"}

var (
	begin1    = []byte("PROXY ")
	signature = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// Parse reads the header at the start of b and returns its size n. n is 0 while b may be the
// beginning of a header. client is invalid when the proxy speaks for itself, as in a health
// check, or does not know: the client is then the peer.
func Parse(b []byte) (client netip.AddrPort, n int, err error) {
	switch {
	case begins(b, signature):
		return parse2(b)
	case begins(b, begin1):
		return parse1(b)
	}
	return client, 0, ErrNone
}

// begins reports whether b begins like want, as far as there is of it.
func begins(b, want []byte) bool {
	n := min(len(b), len(want))
	return bytes.Equal(b[:n], want[:n])
}

// parse1 reads a line such as "PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n".
func parse1(b []byte) (client netip.AddrPort, n int, err error) {
	end := bytes.IndexByte(b[:min(len(b), maxLine)], '\n')
	if end < 0 {
		if len(b) >= maxLine {
			return client, 0, ErrMalformed
		}
		return client, 0, nil
	}
	line, ok := bytes.CutSuffix(b[:end], []byte("\r"))
	if !ok || len(line) < len(begin1) {
		return client, 0, ErrMalformed
	}
	n = end + 1
	fields := bytes.Split(line[len(begin1):], []byte(" "))
	kind := string(fields[0])
	if kind == "UNKNOWN" {
		return client, n, nil
	}
	if len(fields) != 5 || kind != "TCP4" && kind != "TCP6" {
		return client, 0, ErrMalformed
	}
	from, ok1 := address(fields[1], fields[3], kind == "TCP4")
	_, ok2 := address(fields[2], fields[4], kind == "TCP4")
	if !ok1 || !ok2 {
		return client, 0, ErrMalformed
	}
	return from, n, nil
}

// address reads an address and a port of version 1.
func address(host, port []byte, is4 bool) (a netip.AddrPort, ok bool) {
	ip, err := netip.ParseAddr(string(host))
	if err != nil || ip.Zone() != "" || ip.Is4() != is4 {
		return a, false
	}
	p, err := strconv.ParseUint(string(port), 10, 16)
	if err != nil || len(port) > 1 && port[0] == '0' || port[0] == '+' {
		return a, false
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(p)), true
}

// What the fixed part of version 2 has behind the signature.
const (
	fixed2 = 16 // bytes with the signature
	local  = 0x20
	onward = 0x21
	inet4  = 1 // the upper half of the family
	inet6  = 2
	unix   = 3
)

func parse2(b []byte) (client netip.AddrPort, n int, err error) {
	if len(b) < fixed2 {
		return client, 0, nil
	}
	command, family, transport := b[12], b[13]>>4, b[13]&0xf
	more := int(binary.BigEndian.Uint16(b[14:]))
	if command != local && command != onward || family > unix || transport > 2 || more > maxMore {
		return client, 0, ErrMalformed
	}
	n = fixed2 + more
	if len(b) < n {
		return client, 0, nil
	}
	if command == local {
		return client, n, nil
	}
	rest := b[fixed2:n]
	switch {
	case family == inet4 && len(rest) >= 12:
		client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest[:4])), binary.BigEndian.Uint16(rest[8:]))
	case family == inet6 && len(rest) >= 36:
		client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest[:16])).Unmap(), binary.BigEndian.Uint16(rest[32:]))
	case family == inet4 || family == inet6 || family == unix && len(rest) < 216:
		return client, 0, ErrMalformed
	}
	return client, n, nil
}

// Append appends a header of version 1 or 2 that tells of a client. Where from is no address, that of a
// unix socket for one, the header says that the proxy does not know. to is where the client connected; one
// of the other family goes as an IPv6 address.
func Append(dst []byte, version int, from, to netip.AddrPort) []byte {
	a, b := from.Addr().Unmap(), to.Addr().Unmap()
	if a.IsValid() && !b.IsValid() {
		b = netip.IPv4Unspecified()
	}
	if a.Is4() != b.Is4() {
		a, b = netip.AddrFrom16(a.As16()), netip.AddrFrom16(b.As16())
	}
	if version == 1 {
		if !from.IsValid() {
			return append(dst, "PROXY UNKNOWN\r\n"...)
		}
		kind := "PROXY TCP6 "
		if a.Is4() {
			kind = "PROXY TCP4 "
		}
		dst = append(a.AppendTo(append(dst, kind...)), ' ')
		dst = append(b.AppendTo(dst), ' ')
		dst = append(strconv.AppendUint(dst, uint64(from.Port()), 10), ' ')
		return append(strconv.AppendUint(dst, uint64(to.Port()), 10), "\r\n"...)
	}
	dst = append(dst, signature...)
	if !from.IsValid() {
		return append(dst, local, 0, 0, 0)
	}
	const stream = 1
	size, family := byte(36), byte(inet6)
	if a.Is4() {
		size, family = 12, inet4
	}
	dst = append(dst, onward, family<<4|stream, 0, size)
	dst = append(append(dst, a.AsSlice()...), b.AsSlice()...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(dst, from.Port()), to.Port())
}
