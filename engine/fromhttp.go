package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/uwsgo/uwsgo/codec"
)

// FromHTTP makes a [Handler] of any net/http handler. h runs on a goroutine of pool, so it may
// block. When the pool is full the client gets 503. Answers of up to 32 KiB go to the client
// whole. Larger and flushed answers are streamed, and h waits while its client is more than 1 MiB
// behind.
//
// h is called when the whole body is there, so slow uploads hold no goroutine. [StreamHTTP] calls
// it earlier.
//
// The request's context ends when the client has gone. Hijacking is not supported.
func FromHTTP(h http.Handler, pool *Pool) Handler { return &httpAdapter{h, pool, false} }

// StreamHTTP is FromHTTP for a handler that needs the head before the body has come, such as a
// proxy or a handler that refuses uploads. h's first read asks for the body. The body then
// comes as the client sends it. h holds a goroutine of the pool all the time.
func StreamHTTP(h http.Handler, pool *Pool) Handler { return &httpAdapter{h, pool, true} }

type httpAdapter struct {
	handler http.Handler
	pool    *Pool
	stream  bool
}

// Serve implements [Handler].
func (a *httpAdapter) Serve(x *Exchange) {
	if !a.stream && x.AwaitBody(a) {
		return
	}
	r, err := httpRequest(x)
	if err != nil {
		x.ReplyText(http.StatusBadRequest, "Bad Request\n")
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &httpWriter{ref: x.Ref(), header: make(http.Header), room: make(chan struct{}, 1), ctx: ctx, cancel: cancel, head: x.req.Head}
	x.Watch(w)
	// The handler may outlive the exchange of a client that goes, so it owns the body.
	w.body, x.body = x.body, Body{}
	if w.body.Size() > 0 {
		r.Body = io.NopCloser(w.body.Reader())
	} else if !x.BodyComplete() {
		w.input = &httpInput{ref: w.ref, ctx: ctx, came: make(chan struct{}, 1)}
		r.Body = w.input
	}
	if err := a.pool.Go(func() { w.serve(a.handler, r.WithContext(ctx)) }); err != nil {
		cancel()
		w.body.free()
		x.Reply(x.busy(), []byte("Service Unavailable\n"))
	}
}

// httpRequest copies an exchange's request into net/http's form.
func httpRequest(x *Exchange) (*http.Request, error) {
	req := &x.req
	target := string(req.Bytes(req.Target))
	var u *url.URL
	var err error
	switch {
	case target == "*":
		u = &url.URL{Path: "*"}
	case req.Connect:
		u = &url.URL{Host: target}
	case target == "" || req.Rewritten: // a uwsgi packet without REQUEST_URI, or a path set by a handler
		u = &url.URL{Path: string(req.Path()), RawQuery: string(req.Bytes(req.Query))}
		target = u.RequestURI()
	default:
		if u, err = url.ParseRequestURI(target); err != nil {
			return nil, err
		}
	}
	major, minor, ok := http.ParseHTTPVersion(string(req.Bytes(req.Version)))
	if !ok {
		major, minor = 1, 1
	}
	r := &http.Request{
		Method: string(req.Bytes(req.Method)), URL: u, RequestURI: target,
		Proto: "HTTP/" + strconv.Itoa(major) + "." + strconv.Itoa(minor), ProtoMajor: major, ProtoMinor: minor,
		Header: make(http.Header, len(req.Fields)), Host: string(req.Bytes(req.Authority)),
		ContentLength: x.ContentLength(), Body: http.NoBody,
	}
	if r.ContentLength < 0 {
		r.TransferEncoding = []string{"chunked"}
	}
	for _, f := range req.Fields {
		name := http.CanonicalHeaderKey(strings.ReplaceAll(string(req.Bytes(f.Name)), "_", "-"))
		if name != "Host" {
			r.Header[name] = append(r.Header[name], string(req.Bytes(f.Value)))
		}
	}
	if addr := x.AppendRemoteAddr(nil); len(addr) > 0 {
		r.RemoteAddr = net.JoinHostPort(string(addr), strconv.Itoa(int(x.RemotePort())))
	} else {
		r.RemoteAddr = "@" // as in net/http for unix sockets
	}
	if x.HTTPS() {
		r.TLS = &tls.ConnectionState{}
	}
	return r, nil
}

// httpWriter is the http.ResponseWriter of one request. It belongs to the pool's goroutine that
// runs the handler. The loop calls the Watcher methods, which use room and cancel only.
type httpWriter struct {
	ref     Ref
	body    Body
	input   *httpInput // in place of body, for StreamHTTP
	header  http.Header
	status  int
	head    bool
	sent    http.Header // a copy of header from WriteHeader on
	buf     []byte
	started bool // the head has been handed to the loop
	written int64
	limit   int64 // Content-Length as the handler set it, -1 if not

	ctx    context.Context
	cancel context.CancelFunc
	room   chan struct{} // signalled when the client has caught up
}

func (w *httpWriter) serve(h http.Handler, r *http.Request) {
	defer w.cancel()
	defer w.body.free()
	defer func() {
		if p := recover(); p != nil {
			_ = w.ref.Post(func(x *Exchange) { x.Abort() })
			if p != http.ErrAbortHandler {
				w.ref.x.loop.count.panics.Add(1)
				panic(p)
			}
		}
	}()
	h.ServeHTTP(w, r)
	w.finish()
}

// Header implements http.ResponseWriter.
func (w *httpWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *httpWriter) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return // informational answers are not sent
	}
	w.status = status
	w.sent = w.header.Clone()
	w.limit = -1
	if v := w.sent.Get("Content-Length"); v != "" {
		if n, ok := codec.ParseLength([]byte(v)); ok {
			w.limit = n
		}
		w.sent.Del("Content-Length")
	}
}

// Write implements http.ResponseWriter.
func (w *httpWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case w.status == http.StatusNoContent || w.status == http.StatusNotModified:
		return 0, http.ErrBodyNotAllowed
	case w.limit >= 0 && w.written+int64(len(p)) > w.limit:
		return 0, http.ErrContentLength
	}
	if w.written == 0 {
		w.sniff(p)
	}
	w.written += int64(len(p))
	if w.head {
		return len(p), nil
	}
	for done := 0; done < len(p); {
		n := min(len(p)-done, DrainedBelow) // so that a large p is not far ahead of its client
		w.buf = append(w.buf, p[done:done+n]...)
		if len(w.buf) > smallBody {
			if err := w.flush(); err != nil {
				return done, err
			}
		}
		done += n
	}
	return len(p), nil
}

// sniff sets the response's type from its first bytes when the handler has set none, as
// net/http does.
func (w *httpWriter) sniff(p []byte) {
	if _, told := w.sent["Content-Type"]; !told && !w.started && w.sent.Get("Content-Encoding") == "" {
		w.sent.Set("Content-Type", http.DetectContentType(p))
	}
}

// Flush implements http.Flusher.
func (w *httpWriter) Flush() { _ = w.flush() }

// FlushError is what http.ResponseController calls.
func (w *httpWriter) FlushError() error { return w.flush() }

// flush hands the written bytes to the loop, and waits while the client is far behind.
func (w *httpWriter) flush() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.ctx.Err() != nil {
		return errClientGone
	}
	p := w.buf
	w.buf = nil
	first := !w.started
	w.started = true
	full := make(chan bool, 1)
	err := w.ref.Post(func(x *Exchange) {
		if first {
			x.Start(w.response(x, w.limit))
		}
		x.Write(p)
		select {
		case <-w.room: // left from an earlier wait
		default:
		}
		full <- x.Buffered() > outputHigh
	})
	if err != nil {
		return err
	}
	select {
	case <-w.ctx.Done():
		return errClientGone
	case wait := <-full:
		if !wait {
			return nil
		}
	}
	select {
	case <-w.ctx.Done():
		return errClientGone
	case <-w.room:
		return nil
	}
}

func (w *httpWriter) finish() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	p, started := w.buf, w.started
	if w.head && w.limit < 0 && w.written > 0 {
		w.limit = w.written // what GET would have got
	}
	_ = w.ref.Post(func(x *Exchange) {
		switch {
		case started:
			x.Write(p)
			x.End()
		default:
			resp := w.response(x, w.limit)
			if int64(len(p)) < w.limit && !w.head && w.status != http.StatusNotModified && !codec.BodyElsewhere(resp) {
				x.Abort() // it promised more than it wrote
				return
			}
			x.Reply(resp, p)
		}
	})
}

func (w *httpWriter) response(x *Exchange, length int64) *codec.Response {
	resp := x.Response()
	resp.Status = w.status
	resp.ContentLength = length
	for name, values := range w.sent {
		for _, v := range values {
			resp.Header = append(resp.Header, codec.Header{Name: []byte(name), Value: []byte(v)})
		}
	}
	if codec.Validate(resp) != nil {
		*resp = codec.Response{Status: http.StatusInternalServerError, ContentLength: length}
	}
	return resp
}

// Drained implements [Watcher].
func (w *httpWriter) Drained(*Exchange) {
	select {
	case w.room <- struct{}{}:
	default:
	}
}

// Gone implements [Watcher].
func (w *httpWriter) Gone(*Exchange) { w.cancel() }

// httpInput is a request's body as it comes. Read belongs to the handler's goroutine, the
// methods of a [BodyReader] to the loop.
type httpInput struct {
	ref  Ref
	ctx  context.Context
	came chan struct{} // something below mu has changed
	ask  sync.Once

	mu   sync.Mutex // guards what follows
	buf  []byte     // from at on
	at   int
	held bool
	err  error
}

// inputHigh bounds how many bytes a handler may be behind its client.
const inputHigh = 256 << 10

// Read implements io.Reader.
func (in *httpInput) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	in.ask.Do(func() {
		if err := in.ref.PostOr(func(x *Exchange) { x.ReadBody(in) }, func() { in.end(errClientGone) }); err != nil {
			in.end(err)
		}
	})
	for {
		in.mu.Lock()
		if n := copy(p, in.buf[in.at:]); n > 0 {
			in.at += n
			goOn := in.held && len(in.buf)-in.at < inputHigh/2
			if goOn {
				in.held = false
			}
			in.mu.Unlock()
			if goOn {
				_ = in.ref.Post(func(x *Exchange) { x.HoldBody(false) })
			}
			return n, nil
		}
		err := in.err
		in.mu.Unlock()
		if err != nil {
			return 0, err
		}
		select {
		case <-in.came:
		case <-in.ctx.Done():
			return 0, errClientGone
		}
	}
}

// Close implements io.Closer.
func (in *httpInput) Close() error { return nil }

// Data implements [BodyReader].
func (in *httpInput) Data(x *Exchange, p []byte) {
	in.mu.Lock()
	if in.at > 0 {
		in.buf, in.at = in.buf[:copy(in.buf, in.buf[in.at:])], 0
	}
	in.buf = append(in.buf, p...)
	hold := len(in.buf) > inputHigh && !in.held
	in.held = in.held || hold
	in.mu.Unlock()
	if hold {
		x.HoldBody(true)
	}
	in.wake()
}

// End implements [BodyReader].
func (in *httpInput) End(*Exchange) { in.end(io.EOF) }

// Failed implements [BodyReader]. The handler sees the error and answers.
func (in *httpInput) Failed(_ *Exchange, err error) { in.end(err) }

func (in *httpInput) end(err error) {
	in.mu.Lock()
	in.err = err
	in.mu.Unlock()
	in.wake()
}

func (in *httpInput) wake() {
	select {
	case in.came <- struct{}{}:
	default:
	}
}

var errClientGone = errors.New("the client has gone")
