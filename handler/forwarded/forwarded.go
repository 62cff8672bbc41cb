// Package forwarded is a handler that tells later handlers about the client in front of a front
// server: its address, whether it encrypts, and the host and prefix of its request. It reads
// Forwarded (RFC 7239) or X-Forwarded-For and its kin.
//
// Only a trusted proxy's fields count. The handler removes the fields of other peers, so that
// they do not mislead an app that reads them itself.
package forwarded

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// Proxies are addresses of front servers. The zero value trusts nobody.
type Proxies struct {
	prefixes []netip.Prefix
	unix     bool
}

// Parse reads addresses and networks such as 10.0.0.0/8, and the words unix, for unix sockets,
// and loopback.
func Parse(words []string) (p Proxies, err error) {
	for _, word := range words {
		switch word {
		case "unix":
			p.unix = true
			continue
		case "loopback":
			p.prefixes = append(p.prefixes, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
			continue
		case "*":
			return p, fmt.Errorf("%q would let every client say who it is: name the networks of your proxies, such as 10.0.0.0/8, loopback or unix", word)
		}
		prefix, err := netip.ParsePrefix(word)
		if err != nil {
			addr, wrong := netip.ParseAddr(word)
			if wrong != nil {
				return p, fmt.Errorf("%q is neither an address nor a network: write 10.0.0.0/8, 2001:db8::/32, 192.0.2.1, loopback or unix", word)
			}
			prefix = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		}
		if prefix.Bits() == 0 {
			return p, fmt.Errorf("%q would let every client say who it is: name the networks of your proxies", word)
		}
		p.prefixes = append(p.prefixes, prefix.Masked())
	}
	return p, nil
}

// trusts reports whether addr is a proxy's address. It is empty for a unix socket.
func (p *Proxies) trusts(addr string) bool {
	if addr == "" {
		return p.unix
	}
	ip, err := netip.ParseAddr(addr)
	return err == nil && p.contains(ip)
}

func (p *Proxies) contains(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(p.prefixes, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// Handler applies forwarded fields. It keeps no state per loop.
type Handler struct {
	next    engine.Handler
	proxies Proxies
	heeds   [len(names)]bool
}

// Origin says of a request whose fields a trusted proxy has written.
type Origin struct {
	by *Handler
	// Peer is the address that the request came from: the proxy's, empty for a unix socket.
	Peer string
}

// Trusted reports whether the request has come from a trusted proxy.
func (o *Origin) Trusted() bool { return o.by != nil }

// Heeds reports whether a field counts, as the proxy is trusted to write it.
func (o *Origin) Heeds(name []byte) bool {
	if o.by == nil {
		return false
	}
	i := index(name)
	return i >= 0 && o.by.heeds[i]
}

// From is the Origin of an exchange, for handlers that pass requests on. It is the zero value unless a
// Handler has found a trusted proxy.
var From = engine.NewKey[Origin]()

// Names reports whether a field is one of those that say who a client is.
func Names(name []byte) bool { return index(name) >= 0 }

func index(name []byte) int {
	if len(name) < 8 {
		return -1
	}
	if c := name[0] | 0x20; c != 'x' && c != 'f' {
		return -1
	}
	return slices.IndexFunc(names[:], func(n string) bool { return len(n) == len(name) && codec.EqualName(name, []byte(n)) })
}

// Usual are the default fields: those that common front server configurations write.
var Usual = []string{"X-Forwarded-For", "X-Forwarded-Proto"}

// New returns a Handler in front of next that applies fields; nil means [Usual]. Name only
// fields that the front server writes itself. It passes on other fields from the client, which
// could then forge its origin.
func New(next engine.Handler, p Proxies, fields []string) (*Handler, error) {
	h := &Handler{next: next, proxies: p}
	if fields == nil {
		fields = Usual
	}
	for _, field := range fields {
		i := slices.IndexFunc(names[:], func(name string) bool { return strings.EqualFold(name, field) })
		if i < 0 {
			return nil, fmt.Errorf("%q is not a header that names the client: use %s", field, strings.Join(names[:], ", "))
		}
		h.heeds[i] = true
	}
	return h, nil
}

// names are the fields that it knows, and removes when the peer is not trusted.
var names = [...]string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Host", "X-Forwarded-Port",
	"X-Forwarded-Prefix", "X-Real-Ip", "X-Scheme", "X-Url-Scheme", "Front-End-Https",
}

// Serve implements [engine.Handler].
func (h *Handler) Serve(x *engine.Exchange) {
	r := x.Request()
	found, any := look(r)
	if any {
		if from := peer(x); !h.proxies.trusts(from) {
			for i := range names {
				if found[i] != nil {
					r.DelField([]byte(names[i]))
				}
			}
		} else {
			*From.Of(x) = Origin{by: h, Peer: from}
			if err := h.heed(x, &found); err != nil {
				x.ReplyText(400, "Bad Request: "+err.Error()+"\n")
				return
			}
		}
	}
	h.next.Serve(x)
}

// peer is the address that the request comes from. Over uwsgi it is the front server's client.
func peer(x *engine.Exchange) string {
	r := x.Request()
	if r.Proto != codec.UWSGI {
		return string(x.AppendRemoteAddr(nil))
	}
	addr := string(r.Var("REMOTE_ADDR"))
	if addr == "" {
		return "unknown" // a missing address is not a unix socket
	}
	if strings.HasPrefix(addr, "unix:") { // nginx's word for it
		return ""
	}
	return addr
}

// values are those of the fields in names, joined where a field comes several times.
type values [len(names)][]byte

// look finds the fields. It is all that a request without them costs.
func look(r *codec.Request) (v values, any bool) {
	for _, f := range r.Fields {
		name := r.Bytes(f.Name)
		if len(name) < 8 {
			continue
		}
		if c := name[0] | 0x20; c != 'x' && c != 'f' {
			continue
		}
		for i := range names {
			if len(name) == len(names[i]) && codec.EqualName(name, []byte(names[i])) {
				if v[i] != nil {
					v[i] = append(append(slices.Clip(v[i]), ", "...), r.Bytes(f.Value)...)
				} else {
					v[i] = append([]byte{}, r.Bytes(f.Value)...)
				}
				any = true
			}
		}
	}
	return v, any
}

const (
	iForwarded = iota
	iFor
	iProto
	iScheme
	iSSL
	iHost
	iPort
	iPrefix
	iRealIP
	iXScheme
	iURLScheme
	iFrontEnd
)

// heed applies the fields. Forwarded takes precedence over the others, as in RFC 7239.
func (h *Handler) heed(x *engine.Exchange, v *values) error {
	r := x.Request()
	for i := range v {
		if !h.heeds[i] {
			v[i] = nil
		}
	}
	var hops []hop
	switch {
	case v[iForwarded] != nil:
		var err error
		if hops, err = parse(v[iForwarded]); err != nil {
			return err
		}
	case v[iFor] != nil:
		for part := range bytes.SplitSeq(v[iFor], []byte(",")) {
			hops = append(hops, hop{node: string(bytes.TrimSpace(part))})
		}
	case v[iRealIP] != nil:
		hops = []hop{{node: string(bytes.TrimSpace(v[iRealIP]))}}
	}
	// The nearest proxy has written the last element. If that names a trusted proxy, the
	// element before it counts.
	scheme, host := "", ""
	for _, hop := range slices.Backward(hops) {
		scheme, host = cmp.Or(hop.proto, scheme), cmp.Or(hop.host, host)
		if hop.node == "" {
			if hop.proto == "" && hop.host == "" {
				continue // an empty element
			}
			break // that proxy does not name its client, and nobody else knows
		}
		addr, port, ok := address(hop.node)
		if !ok {
			break // unknown or hidden: only the proxy that says so is known
		}
		x.SetRemote(addr.String(), port)
		if !h.proxies.contains(addr) {
			break
		}
	}
	if v[iForwarded] == nil {
		scheme, host = last(v[iProto]), last(v[iHost])
		for _, i := range []int{iScheme, iXScheme, iURLScheme} {
			if scheme == "" {
				scheme = last(v[i])
			}
		}
		if scheme == "" && (strings.EqualFold(last(v[iSSL]), "on") || strings.EqualFold(last(v[iFrontEnd]), "on")) {
			scheme = "https"
		}
	}
	switch strings.ToLower(scheme) {
	case "https", "wss":
		x.SetHTTPS(true)
	case "http", "ws":
		x.SetHTTPS(false)
	}
	if host != "" {
		if !validHost(host) {
			return fmt.Errorf("the forwarded host is not valid")
		}
		if err := r.SetHost([]byte(host)); err != nil {
			return fmt.Errorf("the forwarded host is not valid")
		}
	}
	if port := last(v[iPort]); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
			_ = r.SetVar("SERVER_PORT", port)
		}
	}
	if prefix := strings.TrimRight(last(v[iPrefix]), "/"); prefix != "" {
		path := bytes.Clone(r.Path())
		if prefix[0] != '/' || strings.ContainsAny(prefix, "?#\\") || r.SetScriptName([]byte(prefix)) != nil {
			return fmt.Errorf("the forwarded prefix is not a path")
		}
		_ = r.Rewrite(path, r.Bytes(r.Query))
	}
	return nil
}

// last returns the last element of a list, which the nearest proxy has written.
func last(list []byte) string {
	if i := bytes.LastIndexByte(list, ','); i >= 0 {
		list = list[i+1:]
	}
	return string(bytes.TrimSpace(list))
}

// validHost reports whether a host is valid by RFC 9110, with or without a port.
func validHost(host string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]~%"
	return !strings.ContainsFunc(host, func(r rune) bool { return !strings.ContainsRune(letters, r) })
}

// hop is what one proxy has written about its client.
type hop struct{ node, proto, host string }

// hopsMost bounds the elements of Forwarded.
const hopsMost = 64

// parse reads Forwarded, RFC 7239 4. A malformed value is refused, because the proxy's part of
// it is unknown.
func parse(field []byte) (hops []hop, err error) {
	bad := fmt.Errorf("the Forwarded field is not well-formed")
	var h hop
	rest := string(field)
	for {
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" || rest[0] == ',' || rest[0] == ';' {
			if rest == "" || rest[0] == ',' {
				hops = append(hops, h)
				h = hop{}
			}
			if rest == "" {
				return hops, nil
			}
			if len(hops) >= hopsMost {
				return nil, bad
			}
			rest = rest[1:]
			continue
		}
		name, after, found := strings.Cut(rest, "=")
		if !found || name == "" || strings.ContainsAny(name, " \t\",;") {
			return nil, bad
		}
		var value string
		if strings.HasPrefix(after, `"`) {
			var b strings.Builder
			i := 1
			for ; i < len(after) && after[i] != '"'; i++ {
				if after[i] == '\\' {
					i++
				}
				if i < len(after) {
					b.WriteByte(after[i])
				}
			}
			if i >= len(after) {
				return nil, bad
			}
			value, rest = b.String(), after[i+1:]
		} else {
			end := strings.IndexAny(after, ",; \t")
			if end < 0 {
				end = len(after)
			}
			value, rest = after[:end], after[end:]
		}
		if next := strings.TrimLeft(rest, " \t"); next != "" && next[0] != ',' && next[0] != ';' {
			return nil, bad
		}
		switch strings.ToLower(name) {
		case "for":
			h.node = value
		case "proto":
			h.proto = value
		case "host":
			h.host = value
		}
	}
}

// address reads a node: an IP address, with or without port and brackets.
func address(node string) (addr netip.Addr, port uint16, ok bool) {
	if addr, err := netip.ParseAddr(strings.Trim(node, "[]")); err == nil && !strings.Contains(addr.Zone(), "%") {
		return addr.Unmap().WithZone(""), 0, true
	}
	if ap, err := netip.ParseAddrPort(node); err == nil {
		return ap.Addr().Unmap().WithZone(""), ap.Port(), true
	}
	if host, _, found := strings.Cut(node, "]:"); found && strings.HasPrefix(host, "[") { // with an obfuscated port
		if addr, err := netip.ParseAddr(host[1:]); err == nil {
			return addr.Unmap().WithZone(""), 0, true
		}
	}
	return netip.Addr{}, 0, false
}
