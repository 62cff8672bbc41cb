package engine

import (
	"os"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
)

// Exchange is one request and its one response. It belongs to the loop that
// read the request: every method but Ref's is for that loop's goroutine, and
// for none once the exchange has been answered.
//
// A response is either whole ([Exchange.Reply], [Exchange.ReplyFile]) or
// streamed: [Exchange.Start], any number of [Exchange.Write], then
// [Exchange.End] or [Exchange.Abort].
type Exchange struct {
	// Tag is the handler's: what it wants [Options].OnFinish to know.
	Tag any
	// Waited is the handler's likewise: how long the request waited to be run.
	Waited time.Duration
	// Harakiri is what a handler asks of one behind it: how long the request may run, 0
	// for as long as that one has it, negative for ever.
	Harakiri time.Duration
	// Quiet asks for no line in the request log. It is for [Options].OnFinish to heed.
	Quiet bool

	loop *loop
	conn *conn // nil once the client has gone, and for exchanges of AsHTTP
	out  Output
	gen  uint32

	req     codec.Request
	resp    codec.Response
	body    Body
	head    []byte // what req points into once the loop's buffer is needed again
	watcher Watcher
	remote  remote

	decoder http1.Decoder
	framing http1.Body

	phase   phase
	started int64
	sent    http1.Framing
	left    int64 // bytes of a body of known length still to come
	// elsewhere says that they need not come: see codec.BodyElsewhere.
	elsewhere bool
	outcome   Outcome
	ahead     int // bytes of a response by AsHTTP that have not been written yet
}

// phase is how far an exchange has come.
type phase uint8

const (
	phaseRequest phase = iota // being read
	phaseHandler              // the handler has it
	phaseStream               // the response's head has been sent
	phaseEnded                // answered; output may still wait for the client
)

// Ref is what may leave a loop: it names an exchange without owning it. Any
// goroutine may hold one.
type Ref struct {
	x   *Exchange
	gen uint32
}

// Request returns the request. It stays valid until the exchange is answered.
func (x *Exchange) Request() *codec.Request { return &x.req }

// Body returns the request's body, all of it.
func (x *Exchange) Body() *Body { return &x.body }

// SpoolBody moves a body that is in memory to a file, for a handler that cannot
// take so much otherwise. It is an error when the file cannot be written.
func (x *Exchange) SpoolBody() error {
	if x.body.file != nil {
		return nil
	}
	x.loop.count.spooled.Add(1)
	if err := x.body.spool(x.loop.srv); err != nil {
		return err
	}
	return x.body.complete()
}

// Loop returns the loop that x belongs to.
func (x *Exchange) Loop() *Loop { return x.loop.Loop }

// Started returns the time, on the loop's clock, at which the head of the request was complete.
func (x *Exchange) Started() int64 { return x.started }

// Listener returns where the request came in; nil for an exchange of [AsHTTP].
func (x *Exchange) Listener() *Listener { return x.remote.listener }

// HTTPS reports whether the client's connection is encrypted, as far as the
// front server or the listener says.
func (x *Exchange) HTTPS() bool { return x.req.HTTPS || x.remote.https }

// AppendRemoteAddr appends the client's address as text: an IP address, or
// nothing for a unix socket.
func (x *Exchange) AppendRemoteAddr(dst []byte) []byte { return x.remote.appendAddr(dst) }

// RemotePort returns the client's port, 0 for a unix socket.
func (x *Exchange) RemotePort() uint16 { return x.remote.port() }

// Response returns a response head of x's own to fill in, emptied: status 200
// and the length unknown.
func (x *Exchange) Response() *codec.Response {
	x.resp = codec.Response{Status: 200, Header: x.resp.Header[:0], ContentLength: -1}
	return &x.resp
}

// Watch has w told when output has drained and when the client has gone. Without
// a watcher the engine ends an exchange whose client has gone by itself.
func (x *Exchange) Watch(w Watcher) { x.watcher = w }

// Streaming reports whether a streamed response has begun, so that Abort is all
// that is left to say of a failure.
func (x *Exchange) Streaming() bool { return x.phase == phaseStream }

// InputEnded reports whether the client has ended its side of the connection. It may
// still read a response, or be gone: only writing would tell.
func (x *Exchange) InputEnded() bool { return x.conn != nil && (x.conn.eof || x.conn.ending) }

// Ref returns a handle for other goroutines.
func (x *Exchange) Ref() Ref { return Ref{x, x.gen} }

// Post has fn run with the exchange on its loop, unless the exchange has been
// answered, or its client has gone, by then. It returns an error when the server
// has been closed. A panic in fn ends the exchange as one in a handler does. Any
// goroutine.
func (r Ref) Post(fn func(x *Exchange)) error {
	x := r.x
	return x.loop.Post(func() {
		if x.gen == r.gen && x.phase != phaseEnded {
			defer x.loop.recovered(x, r.gen)
			fn(x)
		}
	})
}

// Output is where a response goes. The engine's own sends it to the client; a
// handler that changes responses on their way, a compressor for one, puts its
// own before it with [Exchange.SetOutput] and hands what it makes of them to
// the one it replaced. The calls come in the order of the methods of Exchange
// that have their names, all on the loop. resp and its views, and p, are
// valid during the call only. ReplyFile and its caller pass the ownership of f on.
type Output interface {
	Reply(x *Exchange, resp *codec.Response, body []byte)
	ReplyFile(x *Exchange, resp *codec.Response, f *os.File, off, n int64)
	Start(x *Exchange, resp *codec.Response)
	Write(x *Exchange, p []byte)
	End(x *Exchange)
	Abort(x *Exchange)
}

// Output returns where the response of x goes now.
func (x *Exchange) Output() Output { return x.out }

// SetOutput makes o the place that the response of x goes to. Before the
// response has begun.
func (x *Exchange) SetOutput(o Output) { x.out = o }

// Reply answers with a whole response. body may be reused when it returns.
// resp.ContentLength is set to the body's length, unless the request is HEAD
// and it has been set already, or the status is 304: there it is that of a body
// which is not sent (RFC 9110 8.6). Over uwsgi the same holds of an answer whose body the
// front server has ([codec.BodyElsewhere]).
func (x *Exchange) Reply(resp *codec.Response, body []byte) { x.out.Reply(x, resp, body) }

// ReplyFile answers with n bytes of f from offset off. It takes ownership of f
// and closes it.
func (x *Exchange) ReplyFile(resp *codec.Response, f *os.File, off, n int64) {
	x.out.ReplyFile(x, resp, f, off, n)
}

// Start sends the head of a streamed response. Where resp.ContentLength is
// known, exactly that many bytes must be written before End.
func (x *Exchange) Start(resp *codec.Response) { x.out.Start(x, resp) }

// Write sends a piece of a streamed response. p may be reused when it returns.
// It never blocks: see [Exchange.Buffered].
func (x *Exchange) Write(p []byte) { x.out.Write(x, p) }

// End completes a streamed response. Where fewer bytes were written than
// announced, the connection is closed instead, so that the client knows; but for
// [codec.BodyElsewhere].
func (x *Exchange) End() { x.out.End(x) }

// Abort gives up on a response: where nothing has been sent yet the client gets
// a 500, otherwise the connection is closed so that it does not take what it
// has for the whole.
func (x *Exchange) Abort() { x.out.Abort(x) }

// AbortFor is Abort with the reason, in a few words, for [Outcome].
func (x *Exchange) AbortFor(why string) {
	if x.outcome.Broken == "" {
		x.outcome.Broken = why
	}
	x.Abort()
}

// Drop closes the connection without an answer, as a rule of uWSGI's routing may ask.
// Behind net/http, and once a response has begun, it does what Abort does.
func (x *Exchange) Drop() {
	if x.phase != phaseHandler || x.conn == nil {
		x.Abort()
		return
	}
	x.outcome.Status, x.outcome.Aborted, x.outcome.Broken = 500, true, "no answer, as a rule says"
	x.sent = http1.Framing{} // without keep-alive
	x.phase = phaseEnded
	x.conn.settle()
}

// ReplyText answers with a short plain text. It is meant for messages of the
// server's own.
func (x *Exchange) ReplyText(status int, text string) {
	resp := x.Response()
	resp.Status = status
	resp.Header = append(resp.Header, codec.Header{Name: nameContentType, Value: textPlain})
	x.Reply(resp, []byte(text))
}

// busy returns the head of an answer that there is no room now.
func (x *Exchange) busy() *codec.Response {
	resp := x.Response()
	resp.Status = 503
	resp.Header = append(resp.Header,
		codec.Header{Name: []byte("Retry-After"), Value: []byte("1")},
		codec.Header{Name: nameContentType, Value: textPlain})
	return resp
}

// Buffered returns how many bytes of the response wait for the client. Past 1 MiB
// a producer should stop until its [Watcher] is told that they have drained.
func (x *Exchange) Buffered() int {
	if x.conn == nil {
		return x.ahead
	}
	return x.conn.buffered()
}

var (
	nameContentType = []byte("Content-Type")
	textPlain       = []byte("text/plain; charset=utf-8")
)
