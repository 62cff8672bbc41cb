package engine

import (
	"crypto/tls"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine/internal/listen"
)

// remote is where a request came from.
type remote struct {
	listener *Listener
	peer     listen.Peer
	text     string // the address, for exchanges of AsHTTP, and where a handler gave one
	textPort uint16
	given    bool // text counts, also when it is empty
	https    bool
	tls      *tls.ConnectionState // of a request of AsHTTP
}

func (r *remote) appendAddr(dst []byte) []byte {
	if r.given {
		return append(dst, r.text...)
	}
	return r.peer.AppendAddr(dst)
}

func (r *remote) port() uint16 {
	if r.given {
		return r.textPort
	}
	return r.peer.Port
}

// Protocol is what a listener speaks.
type Protocol uint8

// The protocols of a listener.
const (
	HTTP  Protocol = iota // HTTP/1.0 and 1.1
	UWSGI                 // uwsgi packets, as sent by nginx's uwsgi_pass
)

// String returns uWSGI's name for p.
func (p Protocol) String() string {
	if p == UWSGI {
		return "uwsgi"
	}
	return "http"
}

var protoOf = [...]codec.Proto{HTTP: codec.HTTP11, UWSGI: codec.UWSGI}
