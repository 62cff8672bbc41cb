package engine

import (
	"net/netip"
	"slices"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/proxy"
	"github.com/uwsgo/uwsgo/engine/internal/listen"
)

// ProxyProtocol makes the connections of an HTTP listener begin with a PROXY protocol header,
// version 1 or 2, that names the client. Immutable.
//
// A peer that may send one can pose as any client. A header from an address that is not listed
// is refused.
type ProxyProtocol struct {
	From []netip.Prefix // peers that may send it over TCP
	Unix bool           // any peer on a unix socket may
	// Must requires the header from peers in From and Unix. Without Must such a peer may also
	// send a request of its own, for example a health check. That is safe only when no client
	// can choose the first bytes that the peer sends.
	Must bool
}

var (
	errProxyStranger = &codec.Error{ID: "proxy_stranger", Status: 400, Message: "a PROXY header came from an address that may not send one: if that is your proxy, add it to proxy-protocol-from"}
	errProxyUnread   = &codec.Error{ID: "proxy_unread", Status: 400, Message: "a PROXY header came on a listener that reads none: set enable-proxy-protocol = true for HTTP"}
	errProxyMissing  = &codec.Error{ID: "proxy_missing", Status: 400, Message: "the connection does not begin with a PROXY header, which proxy-protocol-from requires from its address"}
)

// may reports whether a peer may send a header.
func (o *ProxyProtocol) may(p *listen.Peer) bool {
	var ip netip.Addr
	switch p.Family {
	case listen.FamilyInet4:
		ip = netip.AddrFrom4([4]byte(p.Addr[:4]))
	case listen.FamilyInet6:
		ip = netip.AddrFrom16(p.Addr)
	default:
		return o.Unix
	}
	return slices.ContainsFunc(o.From, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// feedProxy reads the header at the start of such a connection. done is false while the header
// is incomplete, and when the connection has been refused.
func (c *conn) feedProxy(b []byte) (n int, done bool) {
	o := c.listener.proxy
	client, n, err := proxy.Parse(b)
	switch {
	case err == proxy.ErrNone && o.Must && o.may(&c.peer):
		c.refuse(errProxyMissing)
		return len(b), false
	case err == proxy.ErrNone:
		c.proxied = true
		return 0, true
	case err == nil && n == 0:
		return 0, false
	case !o.may(&c.peer):
		c.refuse(errProxyStranger)
		return len(b), false
	case err != nil:
		c.refuse(err)
		return len(b), false
	}
	c.proxied = true
	if client.IsValid() {
		c.peer = listen.PeerOf(client)
		c.x.remote.peer = c.peer
	}
	return n, true
}
