package listen

import "net/netip"

// Family is the kind of address that a peer has.
type Family uint8

// The families of peers.
const (
	FamilyUnix  Family = iota // a unix socket: no address and no port
	FamilyInet4               // IPv4, also when it came in on an IPv6 socket
	FamilyInet6               // IPv6
)

// Peer is the other end of an accepted connection. It holds no pointers, so
// that copies are cheap and keep nothing alive.
type Peer struct {
	Addr   [16]byte // an IPv4 address is in the first four bytes
	Port   uint16
	Family Family
}

// PeerOf returns the peer at an address.
func PeerOf(a netip.AddrPort) Peer {
	p := Peer{Port: a.Port()}
	if a.Addr().Is4() {
		v4 := a.Addr().As4()
		p.Family = FamilyInet4
		copy(p.Addr[:], v4[:])
		return p
	}
	p.setIP6(a.Addr().As16())
	return p
}

// AppendAddr appends the address as text, as REMOTE_ADDR has it: 192.0.2.1,
// 2001:db8::1, and nothing at all for a unix socket. IPv6 zones are left out.
// At most 39 bytes are appended.
func (p *Peer) AppendAddr(dst []byte) []byte {
	switch p.Family {
	case FamilyInet4:
		return netip.AddrFrom4([4]byte(p.Addr[:4])).AppendTo(dst)
	case FamilyInet6:
		return netip.AddrFrom16(p.Addr).AppendTo(dst)
	}
	return dst
}

// setIP6 takes an IPv6 address, or the IPv4 one that is mapped into it.
func (p *Peer) setIP6(addr [16]byte) {
	if ip := netip.AddrFrom16(addr); ip.Is4In6() {
		v4 := ip.As4()
		*p = Peer{Family: FamilyInet4, Port: p.Port}
		copy(p.Addr[:], v4[:])
		return
	}
	p.Family, p.Addr = FamilyInet6, addr
}
