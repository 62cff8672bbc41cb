package wsgi

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"os"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// Options configures a [Handler]. The zero value is sensible.
type Options struct {
	// ManageScriptName moves an app's mountpoint from PATH_INFO to SCRIPT_NAME. The app with
	// the longest mountpoint that PATH_INFO begins with, in whole segments, answers, whatever
	// SCRIPT_NAME the front server sent. A request without an app gets 404, unless there is a
	// default app.
	//
	// Without it only the SCRIPT_NAME of a uwsgi request selects the app, and PATH_INFO stays
	// unchanged. The first app is the default app then, unless there is one.
	ManageScriptName bool
	// NoDefaultApp answers 404 to a request with a SCRIPT_NAME that no app has.
	NoDefaultApp bool
	// ServerName is SERVER_NAME for requests over HTTP; empty means the host name.
	ServerName string
	// Logf prints why an app's answer could not be sent; nil drops that. Tracebacks of apps go
	// to the pool's Stderr.
	Logf func(format string, args ...any)
}

// Handler is an engine.Handler that answers with the WSGI apps of a pool. After an exchange has
// ended, [OriginOf] tells which worker answered it. An earlier handler may limit a request by
// Harakiri of the exchange. The pool's HarakiriLeast must then be set to the shortest such
// limit.
type Handler struct {
	mounts *mounts
	host   []byte
	limits bool // the pool supports limits of single requests
	shared bool // its processes map the server's memory for bodies
	logf   func(format string, args ...any)
	seed   maphash.Seed // of routes
	late   engine.Handler
	loops  []loopState // by loop
}

// loopState is what a Handler keeps for each loop. It belongs to the loop.
type loopState struct {
	h     *Handler
	port  *worker.Port
	spare []*call
	begun []beginning
	text  []byte // scratch
	corks engine.Corks
	// late lists requests that wait for their bodies, or for leave to begin without. Some may
	// have ended.
	late     []engine.Ref
	lateKeep int // from this length on ended ones are removed
	// reads holds routes whose apps have read a body before it came.
	reads map[uint64]struct{}
}

// New makes a Handler for a pool. The pool's apps answer at their mountpoints. It must serve on
// the server whose loops the pool uses.
func New(pool *worker.Pool, o Options) (*Handler, error) {
	c := pool.Config()
	h, err := newHandler(c.Apps, o, len(c.Loops))
	if err != nil {
		return nil, err
	}
	h.limits, h.shared = c.HarakiriLeast > 0, c.Bodies != nil
	h.late = withoutBody{h}
	for i := range h.loops {
		l := &h.loops[i]
		l.port = pool.Port(i)
		l.port.Notify(l.corks.Uncork, l.lateRoom)
	}
	return h, nil
}

// newHandler makes a Handler without a pool.
func newHandler(apps []worker.App, o Options, loops int) (*Handler, error) {
	m, err := newMounts(apps, o)
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
	h := &Handler{mounts: m, host: []byte(o.ServerName), logf: o.Logf, seed: maphash.MakeSeed(), loops: make([]loopState, loops)}
	for i := range h.loops {
		h.loops[i].h = h
	}
	return h, nil
}

// Serve implements engine.Handler.
func (h *Handler) Serve(x *engine.Exchange) {
	if err := h.begin(x, nil); err != nil {
		h.loops[x.Loop().Index()].refuse(x, err)
	}
}

// begin sends a request to the pool, unless it answers or awaits the body itself. late is the
// body of a request that begins without it. begin returns the pool's error; the caller must
// then answer x.
func (h *Handler) begin(x *engine.Exchange, late *worker.LateBody) error {
	l := &h.loops[x.Loop().Index()]
	r := x.Request()
	app, script, path := h.mounts.choose(appID(r), r.Bytes(r.ScriptName), r.Path())
	if app == noApp {
		x.ReplyText(http.StatusNotFound, "Not Found\n")
		return nil
	}
	if late == nil && x.AwaitBodyFor(h, h.late, firstByte) {
		return nil // a slow upload holds no worker
	}
	if late == nil && l.tooLarge(x, script, path) {
		x.SpoolBody(func(x *engine.Exchange, err error) {
			if err == nil {
				err = h.begin(x, nil)
			}
			if err != nil {
				l.refuse(x, err)
			}
		})
		return nil
	}
	route := l.route(app, r.Bytes(r.Method), r.Path())
	if late != nil {
		if _, reads := l.reads[route]; reads {
			late.Close()
			return nil // it would only wait in a thread, so it waits here
		}
	}
	job := worker.Job{
		App:     app,
		Route:   route,
		Waited:  waited(r.Get("X-Request-Start"), time.Now),
		BodyDue: late != nil,
	}
	if h.limits {
		job.Harakiri = x.Harakiri
	}
	c := l.call()
	dst, id, err := l.port.Begin(c, job)
	if err != nil {
		l.free(c)
		return err
	}
	sent := false
	defer func() { // or a panic would keep the slot for ever
		if !sent {
			l.port.Cancel(id)
			l.free(c)
			if late != nil {
				late.Close()
			}
		}
	}()
	dst = l.appendEnviron(dst, x, script, path)
	body := l.body(x)
	if late != nil {
		body = late.Body()
	}
	if err := l.port.Send(id, dst, body); err != nil {
		return err
	}
	sent = true
	c.x, c.ref, c.id, c.app, c.late, c.route = x, x.Ref(), id, app, late, route
	x.Watch(c)
	if late != nil {
		x.AwaitBody(c) // from here on c gets the body
	}
	return nil
}

// body returns the body of a request.
func (l *loopState) body(x *engine.Exchange) worker.Body {
	b := x.Body()
	if s := b.Shared(); s != nil && l.h.shared {
		return worker.Body{Shared: s, Size: b.Size()}
	}
	return worker.Body{Bytes: b.Bytes(), File: b.File()}
}

// tooLarge reports whether a request is larger than the queue takes, so that its body has to go to
// a file: the server may keep larger ones in memory.
func (l *loopState) tooLarge(x *engine.Exchange, script, path []byte) bool {
	b := x.Body()
	if b.Size() <= worker.MaxRequest/4 || b.File() != nil || b.Shared() != nil && l.h.shared {
		return false
	}
	rest := len(l.appendEnviron(nil, x, script, path)) + requestHead
	return rest+len(b.Bytes()) > worker.MaxRequest
}

// Paths returns the SCRIPT_NAME and PATH_INFO that the app gets of a request.
func (h *Handler) Paths(r *codec.Request) (script, path []byte) {
	_, script, path = h.mounts.choose(appID(r), r.Bytes(r.ScriptName), r.Path())
	return script, path
}

// requestHead is more than what marshalling adds to environ and body.
const requestHead = 64

// appID returns the UWSGI_APPID of a uwsgi request.
func appID(r *codec.Request) []byte {
	for _, v := range r.Vars {
		if string(r.Bytes(v.Name)) == "UWSGI_APPID" {
			return r.Bytes(v.Value)
		}
	}
	return nil
}

// refuse answers a request that the pool refuses or fails, or whose body cannot be stored.
func (l *loopState) refuse(x *engine.Exchange, err error) {
	raised, tell := errors.AsType[*worker.RaisedError](err)
	stored, fault := errors.AsType[*codec.Error](err)
	switch {
	case tell:
		x.ReplyText(http.StatusInternalServerError, raised.Page)
	case fault && stored.Status != http.StatusServiceUnavailable:
		x.Refuse(err)
	case errors.Is(err, worker.ErrTooLarge):
		x.ReplyText(http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large\n")
	case errors.Is(err, worker.ErrAppFailed), errors.Is(err, worker.ErrPanicked):
		x.ReplyText(http.StatusInternalServerError, "Internal Server Error\n")
	case errors.Is(err, worker.ErrWorkerDied):
		x.ReplyText(http.StatusBadGateway, "Bad Gateway\n")
	case errors.Is(err, worker.ErrHarakiri):
		x.ReplyText(http.StatusGatewayTimeout, "Gateway Timeout\n")
	default: // a full queue, a request that waited too long, or a pool that stops
		resp := x.Response()
		resp.Status = http.StatusServiceUnavailable
		resp.Header = append(resp.Header, codec.Header{Name: []byte("Retry-After"), Value: []byte("1")},
			codec.Header{Name: []byte("Content-Type"), Value: []byte("text/plain; charset=utf-8")})
		x.Reply(resp, []byte("Service Unavailable\n"))
	}
}
