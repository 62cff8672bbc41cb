package engine

import (
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/uwsgo/uwsgo/codec"
)

// AsHTTP makes a net/http handler of a [Handler]. So h works behind net/http's own server:
// beside other routes, with its middleware, in tests. h runs on the loops of s. s must be
// serving, but needs no listener. h gets requests when the head is complete, with the same
// limits and policy as on the server's own connections. [Exchange.TakeOver] does not work
// there.
func (s *Server) AsHTTP(h Handler) http.Handler {
	return &netHTTP{srv: s, handler: h}
}

type netHTTP struct {
	srv     *Server
	handler Handler
	turn    atomic.Uint32 // spreads the requests over the loops
}

// ServeHTTP implements http.Handler.
func (n *netHTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req codec.Request
	if err := guestRequest(r, &n.srv.opt, &req); err != nil {
		refuseHTTP(w, err)
		return
	}
	if n.srv.noRoom() {
		refuseHTTP(w, errBusy)
		return
	}
	l := n.srv.loops[n.turn.Add(1)%uint32(len(n.srv.loops))]
	g := &guest{srv: n.srv, w: w, ctl: http.NewResponseController(w), wake: make(chan struct{}, 1), more: make(chan struct{}, 1)}
	x := &Exchange{loop: l, via: g, out: answer{}, req: req}
	if r.Body != nil && r.Body != http.NoBody {
		g.body, x.intake, g.first = r.Body, newIntake(), r.ProtoMajor == 1
		x.body.length = req.ContentLength
		if c, ok := r.Context().Value(http2Key{}).(*http2Conn); ok {
			defer c.hold(n.srv, req.ContentLength)()
		}
	}
	x.remote = remote{https: r.TLS != nil, tls: r.TLS, given: true}
	x.remote.listener, _ = r.Context().Value(listenerKey{}).(*Listener)
	if host, port, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		p, _ := strconv.ParseUint(port, 10, 16)
		x.remote.text, x.remote.textPort = host, uint16(p)
	}
	ref := x.Ref() // from here on x belongs to the loop
	err := l.Post(func() {
		l.guests[x] = struct{}{}
		x.started = l.Now()
		l.serve(x, n.handler)
	})
	if err != nil {
		http.Error(w, serverStopping, http.StatusServiceUnavailable)
		return
	}
	g.copyTo(r, ref)
}

const serverStopping = "the server is stopping"

func refuseHTTP(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	if e, ok := asCodecError(err); ok {
		status = e.Status
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, refusalText(status, err), status)
}
