package engine

import (
	"net/netip"
	"slices"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/proxy"
	"github.com/uwsgo/uwsgo/engine/internal/listen"
)

// ProxyProtocol has the connections of an HTTP listener begin with a header of the PROXY
// protocol, version 1 or 2, which says whose they are. Immutable.
//
// Whoever may send one can pass for anybody. So it is refused where it comes from an
// address that is not listed.
type ProxyProtocol struct {
	From []netip.Prefix // who may send it over TCP
	Unix bool           // whoever reaches a unix socket may
	// Must has those of From and Unix send it. Without it a connection that begins with a
	// request is the peer's own, which suits health checks, and is safe only where no client
	// can choose the first bytes that such a peer sends.
	Must bool
}

var (
	errProxyStranger = &codec.Error{ID: "proxy_stranger", Status: 400, Message: "a PROXY header came from an address that may not send one: where that is your proxy, name it with proxy-protocol-from"}
	errProxyUnread   = &codec.Error{ID: "proxy_unread", Status: 400, Message: "a PROXY header came where none is read: enable-proxy-protocol = true reads it at the beginning of connections for HTTP"}
	errProxyMissing  = &codec.Error{ID: "proxy_missing", Status: 400, Message: "the connection does not begin with a PROXY header, and its address is one that has to send it, as proxy-protocol-from says"}
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

// feedProxy reads what a connection of such a listener begins with. done is false while more
// of it has to come, and when the connection has been refused.
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
