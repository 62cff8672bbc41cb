package wsgi

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// Options configures a [Handler].
type Options struct {
	// Mounts says which app answers which paths. Empty: the first app answers all.
	Mounts Mounts
	// ServerName is SERVER_NAME for requests over HTTP; empty means the host name.
	ServerName string
	// Logf prints answers of apps that cannot be sent; nil drops them.
	Logf func(format string, args ...any)
}

// Handler is an engine.Handler that answers with the WSGI apps of a pool. After
// an exchange has ended, [Origin] tells which worker answered it.
type Handler struct {
	pool     *worker.Pool
	mounts   *mounts
	hostname []byte
	logf     func(format string, args ...any)
	loops    []loopState // by loop
}

// loopState is what a Handler keeps for each loop. It belongs to the loop.
type loopState struct {
	h     *Handler
	port  *worker.Port
	spare []*call
	// origins are those told so far.
	origins map[Origin]*Origin
	text    []byte // scratch

	listener     *engine.Listener // whose variables listenerVars are
	listenerVars []byte
	http, https  []byte // marshalled wsgi.url_scheme, and HTTPS
}

// New makes a Handler for a pool that was started with the loops of the server
// that it is to serve on, in their order.
func New(pool *worker.Pool, loops int, o Options) (*Handler, error) {
	if len(o.Mounts.Prefix) == 0 {
		o.Mounts.Prefix = []string{""}
	}
	m, err := newMounts(o.Mounts)
	if err != nil {
		return nil, err
	}
	if o.ServerName == "" {
		if o.ServerName, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("host name for SERVER_NAME: %w", err)
		}
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	h := &Handler{pool: pool, mounts: m, hostname: []byte(o.ServerName), logf: o.Logf, loops: make([]loopState, loops)}
	plain := appendVar(nil, "wsgi.url_scheme", []byte("http"))
	secure := appendVar(appendVar(nil, "wsgi.url_scheme", []byte("https")), "HTTPS", []byte("on"))
	for i := range h.loops {
		h.loops[i] = loopState{h: h, port: pool.Port(i), origins: make(map[Origin]*Origin), http: plain, https: secure}
	}
	return h, nil
}

// Serve implements engine.Handler.
func (h *Handler) Serve(x *engine.Exchange) {
	l := &h.loops[x.Loop().Index()]
	r := x.Request()
	app, script, path := h.mounts.choose(r.Bytes(r.ScriptName), r.Path())
	if app == noApp {
		x.ReplyText(http.StatusNotFound, "Not Found\n")
		return
	}
	c := l.call()
	dst, id, err := l.port.Begin(c, app)
	if err != nil {
		l.free(c)
		l.refuse(x, err)
		return
	}
	dst = l.appendEnviron(dst, x, script, path)
	body := x.Body()
	if err := l.port.Send(id, dst, worker.Body{Bytes: body.Bytes(), File: body.File()}); err != nil {
		l.free(c)
		l.refuse(x, err)
		return
	}
	c.x, c.id, c.app = x, id, app
	x.Watch(c)
}

// refuse answers a request that the pool does not take.
func (l *loopState) refuse(x *engine.Exchange, err error) {
	switch {
	case errors.Is(err, worker.ErrTooLarge):
		x.ReplyText(http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large\n")
	case errors.Is(err, worker.ErrAppFailed):
		x.ReplyText(http.StatusInternalServerError, "Internal Server Error\n")
	case errors.Is(err, worker.ErrWorkerDied):
		x.ReplyText(http.StatusBadGateway, "Bad Gateway\n")
	case errors.Is(err, worker.ErrHarakiri):
		x.ReplyText(http.StatusGatewayTimeout, "Gateway Timeout\n")
	default: // a full queue, or a pool that stops
		resp := x.Response()
		resp.Status = http.StatusServiceUnavailable
		resp.Header = append(resp.Header, codec.Header{Name: []byte("Retry-After"), Value: []byte("1")},
			codec.Header{Name: []byte("Content-Type"), Value: []byte("text/plain")})
		x.Reply(resp, []byte("Service Unavailable\n"))
	}
}
