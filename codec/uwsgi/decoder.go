package uwsgi

import (
	"encoding/binary"

	"github.com/uwsgo/uwsgo/codec"
)

// The modifiers that are served.
const (
	modifierWSGI     = 0
	modifierWSGIPath = 30 // WSGI, with SCRIPT_NAME to remove from PATH_INFO
	modifierPing     = 100
)

// headerSize is the size in bytes of a packet's header.
const headerSize = 4

// Decoder reads packets. The zero value is ready. It keeps nothing between
// packets, so one Decoder may serve all connections of a loop.
type Decoder struct {
	// Limits that apply are Head, to the variables (uWSGI's buffer-size; never
	// above 65535), Target, Fields and Body. Set them before the first Head.
	Limits codec.Limits
	// Upgrade is that of [codec.Policy]. The front server has read what the client offers, and
	// passes an answer 101 on.
	Upgrade bool

	// What the last complete packet was. Ping asks whether the server is alive
	// and wants [AppendPong] for an answer; r then holds nothing.
	Ping                 bool
	Modifier1, Modifier2 byte
	// Fault is the name of the variable with the last error, in the Buf of the request. It is
	// empty for an error elsewhere.
	Fault codec.Span
}

// Head reads a packet. buf begins at the packet's first byte. When more bytes have come, pass
// all of them from that byte on, at any address.
//
// It returns 0 and no error while the packet is incomplete. For a complete packet it returns
// the size n and fills in r; r.Buf is the variables, buf[4:n]. The body begins at buf[n].
//
// An error is a *[codec.Error]; it comes as soon as it is certain. Any split of
// the same bytes gives the same result. r is meaningless after an error.
//
// When a variable comes twice the last value counts, as in uWSGI: so people override an
// included file of the web server. Fields and Vars hold the last value in the first one's
// place. An empty CONTENT_LENGTH, which nginx sends, is 0. Variables that have a place of their
// own in Request are not in Vars, except for HTTPS and UWSGI_SCHEME.
//
// A name is compared as it is spelled: HTTP_content_type and HTTP_X-User are variables of
// their own, in Vars, and never taken for CONTENT_TYPE or HTTP_X_USER.
func (d *Decoder) Head(buf []byte, r *codec.Request) (n int, err error) {
	d.Fault = codec.Span{}
	if len(buf) < headerSize {
		return 0, nil
	}
	limit := d.Limits.Head
	if limit == 0 {
		limit = codec.DefaultHead
	}
	size := int(binary.LittleEndian.Uint16(buf[1:]))
	if kind := Sniff(buf); kind != KindUnknown || size > limit {
		return 0, blockSize(size, limit, kind)
	}
	switch buf[0] {
	case modifierWSGI, modifierWSGIPath:
		if size == 0 {
			return 0, ErrEmpty
		}
	case modifierPing:
	default:
		return 0, badModifier(buf[0])
	}
	n = headerSize + size
	if len(buf) < n {
		return 0, nil
	}
	r.Reset()
	r.Proto = codec.UWSGI
	d.Modifier1, d.Modifier2 = buf[0], buf[3]
	d.Ping = buf[0] == modifierPing
	if d.Ping {
		return n, nil
	}
	r.Buf = buf[headerSize:n:n]
	p := packet{r: r, limits: d.Limits.WithDefaults(), policy: policy}
	p.policy.Upgrade = d.Upgrade
	if err := p.vars(); err != nil {
		d.Fault = p.fault
		return 0, err
	}
	r.Upgrade = d.Upgrade && len(r.Get("Upgrade")) > 0
	if err := p.finish(buf[0] == modifierWSGIPath); err != nil {
		return 0, err
	}
	return n, nil
}
