package proxy

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
	proxyproto "github.com/uwsgo/uwsgo/codec/proxy"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/forwarded"
)

// client returns the address of the client, if it is known.
func client(x *engine.Exchange) []byte {
	if r := x.Request(); r.Proto == codec.UWSGI {
		return r.Var("REMOTE_ADDR")
	}
	return x.AppendRemoteAddr(nil)
}

// appendPeer appends the address that the request has come from: the client's, or that of the
// last trusted proxy. It appends nothing for a unix socket, and for what is no address.
func appendPeer(dst []byte, x *engine.Exchange, from *forwarded.Origin) []byte {
	r := x.Request()
	switch {
	case from.Trusted():
		return append(dst, from.Peer...)
	case r.Proto == codec.UWSGI:
		addr := r.Var("REMOTE_ADDR")
		if _, err := netip.ParseAddr(string(addr)); err != nil {
			return dst
		}
		return append(dst, addr...)
	}
	return x.AppendRemoteAddr(dst)
}

var (
	nameFor       = []byte("X-Forwarded-For")
	nameProto     = []byte("X-Forwarded-Proto")
	nameHost      = []byte("X-Forwarded-Host")
	nameForwarded = []byte("Forwarded")
	valueHTTP     = []byte("http")
	valueHTTPS    = []byte("https")
	separator     = []byte(", ")
)

// drops reports whether a field of the client is not passed on. A field that names the client is
// passed on only if a trusted proxy has written it. Fields that this proxy writes replace the client's.
func (c *call) drops(name []byte) bool {
	if !forwarded.Names(name) {
		return false
	}
	if c.slot.address.proto != protoUwsgi {
		for _, own := range [...][]byte{nameFor, nameProto, nameHost, nameForwarded} {
			if codec.EqualName(name, own) {
				return true
			}
		}
	}
	return !c.from.Heeds(name)
}

// appendHead appends the request head for the upstream.
func (c *call) appendHead(dst []byte) ([]byte, error) {
	cfg := &c.port.h.cfg
	r := c.x.Request()
	c.from = forwarded.From.Of(c.x)
	if c.slot.address.proto == protoUwsgi {
		return c.appendPacket(dst)
	}
	o := &c.onward
	o.Target, o.Host, o.Default = c.port.h.uri, c.port.h.host, c.slot.host
	o.Length, o.Expect, o.Upgrade = c.length, c.expect && c.slot.transport == nil, c.upgrade && c.slot.transport == nil
	o.Header = o.Header[:0]
	b := c.text[:0]
	if c.from.Heeds(nameFor) {
		b = joined(b, r, nameFor)
	}
	at := len(b)
	if at > 0 {
		b = append(b, separator...)
	}
	if b = appendPeer(b, c.x, c.from); len(b) == at+len(separator) && at > 0 {
		b = b[:at] // a unix socket
	}
	if len(b) > 0 {
		o.Header = append(o.Header, codec.Header{Name: nameFor, Value: slices.Clip(b)})
	}
	proto := valueHTTP
	if c.x.HTTPS() {
		proto = valueHTTPS
	}
	o.Header = append(o.Header, codec.Header{Name: nameProto, Value: proto})
	if host := r.Bytes(r.Authority); len(host) > 0 {
		o.Header = append(o.Header, codec.Header{Name: nameHost, Value: host})
	}
	if cfg.Forwarded {
		// Views of b, should it move, stay what they are.
		from := len(b)
		b = c.appendForwarded(b, proto)
		o.Header = append(o.Header, codec.Header{Name: nameForwarded, Value: b[from:]})
	}
	c.text = b
	return http1.AppendRequest(dst, r, o)
}

// joined appends the values of all fields with that name.
func joined(dst []byte, r *codec.Request, name []byte) []byte {
	for _, f := range r.Fields {
		if len(r.Bytes(f.Name)) == len(name) && codec.EqualName(r.Bytes(f.Name), name) {
			if len(dst) > 0 {
				dst = append(dst, separator...)
			}
			dst = append(dst, r.Bytes(f.Value)...)
		}
	}
	return dst
}

// appendForwarded appends the value of Forwarded, RFC 7239.
func (c *call) appendForwarded(dst, proto []byte) []byte {
	r := c.x.Request()
	if c.from.Heeds(nameForwarded) {
		if before := joined(nil, r, nameForwarded); len(before) > 0 {
			dst = append(append(dst, before...), separator...)
		}
	}
	peer := string(appendPeer(nil, c.x, c.from))
	switch {
	case peer == "":
		peer = "unknown"
	case strings.Contains(peer, ":"):
		peer = `"[` + peer + `]"`
	}
	dst = append(append(dst, "for="...), peer...)
	if host := r.Bytes(r.Authority); len(host) > 0 && !bytes.ContainsAny(host, `"\\`) {
		dst = append(append(append(dst, `;host="`...), host...), '"')
	}
	return append(append(dst, ";proto="...), proto...)
}

// appendPacket appends the request for an upstream that speaks uwsgi. REMOTE_ADDR and HTTPS say there
// who the client is.
func (c *call) appendPacket(dst []byte) ([]byte, error) {
	x, r, h := c.x, c.x.Request(), c.port.h
	o := uwsgi.Onward{
		Modifier1: h.cfg.Modifier1, Modifier2: h.cfg.Modifier2, Length: c.length, Host: h.host, HTTPS: x.HTTPS(), Drop: c.dropFunc,
	}
	if o.Target = h.uri; len(o.Target) == 0 {
		c.text = http1.AppendTarget(c.text[:0], r)
		o.Target = c.text
	}
	if r.Proto != codec.UWSGI {
		o.Vars = append(o.Vars, uwsgi.Var{Name: "REMOTE_ADDR", Value: string(x.AppendRemoteAddr(nil))})
		if port := x.RemotePort(); port != 0 {
			o.Vars = append(o.Vars, uwsgi.Var{Name: "REMOTE_PORT", Value: strconv.Itoa(int(port))})
		}
		name, port := string(r.Bytes(r.Authority)), "80"
		if x.HTTPS() {
			port = "443"
		}
		if ln := x.Listener(); ln != nil && !ln.Unix() {
			port = strconv.Itoa(int(ln.Port()))
		}
		if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, ']') {
			name = name[:i]
		}
		o.Vars = append(o.Vars, uwsgi.Var{Name: "SERVER_NAME", Value: name})
		if r.Var("SERVER_PORT") == nil {
			o.Vars = append(o.Vars, uwsgi.Var{Name: "SERVER_PORT", Value: port})
		}
	}
	return uwsgi.AppendRequest(dst, r, &o)
}

// appendProxy appends the header of the PROXY protocol that tells the client's address. The address that it
// came to is not known behind a trusted proxy, so that of the upstream stands there.
func (c *call) appendProxy(dst []byte) []byte {
	var from netip.AddrPort
	if ip, err := netip.ParseAddr(string(client(c.x))); err == nil {
		from = netip.AddrPortFrom(ip.WithZone(""), c.x.RemotePort())
	}
	to, _ := netip.ParseAddrPort(c.slot.addr.String())
	return proxyproto.Append(dst, c.port.h.cfg.ProxyProtocol, from, to)
}
