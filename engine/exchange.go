package engine

import (
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
)

// Exchange is one request and its one response. It belongs to the loop that read the request.
// Only that loop's goroutine may call its methods, and only until the answer. A [Ref] may leave
// the loop.
//
// A handler gets the exchange when the head is complete. It asks for the body: all of it
// ([Exchange.AwaitBody]) or pieces as they come ([Exchange.ReadBody]).
//
// A response is either whole ([Exchange.Reply], [Exchange.ReplyFile]) or streamed:
// [Exchange.Start], any number of [Exchange.Write], then [Exchange.End] or [Exchange.Abort].
type Exchange struct {
	// Waited is how long the request waited to be run. The handler sets it for [Options].OnFinish. A
	// [Key] holds other values that handlers share.
	Waited time.Duration
	// Harakiri is how long the request may run. A handler sets it for a handler behind it. 0 leaves
	// the limit to that handler; a negative value means no limit.
	Harakiri time.Duration
	// Quiet asks [Options].OnFinish to write no line to the request log.
	Quiet bool
	// FromFile says that a response in memory is the content of a file: see [Outcome].File.
	FromFile bool

	loop *loop
	conn *conn   // nil once the client has gone, and for exchanges of AsHTTP
	via  carrier // the same connection, or net/http
	out  Output  // the layer pushed last, else answer
	gen  uint32

	req     codec.Request
	resp    codec.Response
	body    Body
	head    []byte  // a copy of the head, for req to point into once the loop needs its buffer
	intake  *intake // nil once the body has come
	taken   bool    // by a BodyReader: it is not in body
	replay  *replay
	watcher Watcher
	layers  []Layer
	values  []any  // by Key
	valued  uint64 // which of them are in use
	remote  remote

	decoder http1.Decoder

	said    said
	phase   phase
	started int64
	sent    http1.Framing
	left    int64 // bytes of a body of known length still to come
	// elsewhere says that these bytes need not come: see codec.BodyElsewhere.
	elsewhere bool
	outcome   Outcome
}

// said is how far the handler has answered. Layers may be behind it or ahead of it.
type said uint8

const (
	saidNothing said = iota
	saidHead
	saidAll
)

// carrier brings requests and takes responses: a connection, or net/http. [answer] applies the
// rules for responses before it calls a carrier.
type carrier interface {
	// want resumes or pauses reading the body, as the intake says.
	want(x *Exchange)
	// whole sends a response, with x.sent as [carrier.start] says.
	whole(x *Exchange, resp *codec.Response, body []byte)
	// fromFile sends a response whose body is in a file. It takes ownership of f, counts in the
	// outcome what was sent, and ends the exchange.
	fromFile(x *Exchange, resp *codec.Response, f *os.File, off, n int64)
	// start sends a head, and sets x.sent to the framing that it announces.
	start(x *Exchange, resp *codec.Response)
	piece(x *Exchange, p []byte)
	// end completes a streamed response.
	end(x *Exchange)
	// cut breaks a response off, so that the client notices.
	cut(x *Exchange)
	// drop ends the exchange without an answer. It reports false when it cannot.
	drop(x *Exchange) bool
	// interim sends a head that an answer follows.
	interim(x *Exchange, resp *codec.Response)
	// takeOver sends a head after which bytes go both ways.
	takeOver(x *Exchange, resp *codec.Response) error
	// ahead returns how many bytes wait for the client.
	ahead(x *Exchange) int
	halfClosed(x *Exchange) bool
	// incoming reports whether the socket holds unread input.
	incoming(x *Exchange) bool
}

// phase is how far an exchange has come.
type phase uint8

const (
	phaseRequest phase = iota // being read
	phaseHandler              // the handler has it, from the complete head on
	phaseStream               // the response's head has been sent
	phaseEnded                // answered; output may still wait for the client
)

// Ref is a handle of an exchange. It may leave the loop, as it does not own the exchange. Any
// goroutine may hold one.
type Ref struct {
	x   *Exchange
	gen uint32
}

// Request returns the request. It stays valid until the exchange is answered.
func (x *Exchange) Request() *codec.Request { return &x.req }

// Body returns the request's body. It is complete after [Exchange.AwaitBody].
func (x *Exchange) Body() *Body { return &x.body }

// SpoolBody moves a body from memory to a file, for a handler that cannot take so much memory. A
// goroutine writes it. Then then runs on the loop, with an error when the file cannot be written;
// it may run before SpoolBody returns. It does not run when x has ended by then. The body is empty
// meanwhile. It must be complete.
func (x *Exchange) SpoolBody(then func(x *Exchange, err error)) {
	if x.body.file != nil {
		then(x, nil)
		return
	}
	x.loop.count.spooled.Add(1)
	x.body.srv = x.loop.srv
	x.loop.store(x, then)
}

// Loop returns the loop that x belongs to.
func (x *Exchange) Loop() *Loop { return x.loop.Handle() }

// Started returns the time, on the loop's clock, at which the head of the request was complete.
func (x *Exchange) Started() int64 { return x.started }

// Listener returns the listener of the request's connection. It is nil for an exchange of
// [Server.AsHTTP].
func (x *Exchange) Listener() *Listener { return x.remote.listener }

// HTTPS reports whether the client's connection is encrypted. The listener or a trusted front
// server says so.
func (x *Exchange) HTTPS() bool { return x.req.HTTPS || x.remote.https }

// SetHTTPS tells later handlers and apps whether the client's connection is encrypted. The value
// comes from a trusted front server.
func (x *Exchange) SetHTTPS(on bool) {
	x.req.HTTPS, x.remote.https = on, on
	if x.req.Proto == codec.UWSGI {
		x.req.DelVar("HTTPS")
		x.req.DelVar("UWSGI_SCHEME")
	}
}

// AppendRemoteAddr appends the client's address as text: an IP address, or
// nothing for a unix socket.
func (x *Exchange) AppendRemoteAddr(dst []byte) []byte { return x.remote.appendAddr(dst) }

// SetRemote gives later handlers, apps and the log another address of the client. The address
// comes from a trusted front server. An empty one stands for a unix socket.
func (x *Exchange) SetRemote(addr string, port uint16) {
	x.remote.text, x.remote.textPort, x.remote.given = addr, port, true
	if x.req.Proto == codec.UWSGI { // there a variable says it
		x.req.DelVar("REMOTE_PORT")
		_ = x.req.SetVar("REMOTE_ADDR", addr)
		if port != 0 {
			_ = x.req.SetVar("REMOTE_PORT", strconv.Itoa(int(port)))
		}
	}
}

// RemotePort returns the client's port, 0 for a unix socket.
func (x *Exchange) RemotePort() uint16 { return x.remote.port() }

// Response returns the exchange's own response head, cleared: status 200 and unknown length. The
// handler fills it in.
func (x *Exchange) Response() *codec.Response {
	x.resp = codec.Response{Status: 200, Header: x.resp.Header[:0], ContentLength: -1}
	return &x.resp
}

// Watch calls w when output has drained and when the client has gone. It is for the handler
// that answers; layers hear without it. When nobody watches, the engine ends the exchange of a
// client that has gone.
func (x *Exchange) Watch(w Watcher) { x.watcher = w }

// Streaming reports whether a streamed response has begun. Then only Abort can report a failure.
func (x *Exchange) Streaming() bool { return x.said == saidHead }

// HalfClosed reports whether the client has closed its side of the connection. It may still
// read a response, or it may have gone: only a write would tell.
func (x *Exchange) HalfClosed() bool { return x.via != nil && x.via.halfClosed(x) }

// Ref returns a handle for other goroutines.
func (x *Exchange) Ref() Ref { return Ref{x, x.gen} }

// Get returns the exchange, or nil after its answer or when its client has gone. Only the loop's
// goroutine may call it.
func (r Ref) Get() *Exchange {
	if r.x == nil || r.x.gen != r.gen || r.x.phase == phaseEnded {
		return nil
	}
	return r.x
}

// Post runs fn with the exchange on its loop. It does nothing if the exchange has been answered by
// then, or its client has gone. It returns an error when the server has been closed. A panic in fn
// ends the exchange, as a panic in a handler does. Any goroutine may call it.
func (r Ref) Post(fn func(x *Exchange)) error {
	x := r.x
	return x.loop.Post(func() {
		if x.gen == r.gen && x.phase != phaseEnded {
			defer x.loop.recovered(x, r.gen)
			fn(x)
		}
	})
}

// PostOr is Post with a second function: if the exchange has ended, gone runs on the loop in place
// of fn. Neither runs when PostOr returns an error.
func (r Ref) PostOr(fn func(x *Exchange), gone func()) error {
	x := r.x
	return x.loop.Post(func() {
		if x.gen != r.gen || x.phase == phaseEnded {
			gone()
			return
		}
		defer x.loop.recovered(x, r.gen)
		fn(x)
	})
}

// answers reports whether the handler may still answer. If so, this is its answer.
func (x *Exchange) answers() bool {
	if x.said != saidNothing {
		return false
	}
	x.done()
	return true
}

// done is called when the handler has said all.
func (x *Exchange) done() {
	x.said, x.watcher, x.replay = saidAll, nil, nil
	if in := x.intake; in != nil && in.asked() {
		in.whole, in.reader, in.without = nil, nil, nil
		x.via.want(x)
	}
}

// Reply answers with a whole response. The caller may reuse body afterwards. Reply sets
// resp.ContentLength to the length of body, with two exceptions: the status is 304, or the
// request is HEAD and the length has been set. Then it is the length of the body that is not
// sent (RFC 9110 8.6). The same holds over uwsgi when the front server sends the body itself
// ([codec.BodyElsewhere]).
func (x *Exchange) Reply(resp *codec.Response, body []byte) {
	if x.answers() {
		x.out.Reply(x, resp, body)
	}
}

// ReplyFile answers with n bytes of f from offset off. It takes ownership of f
// and closes it.
func (x *Exchange) ReplyFile(resp *codec.Response, f *os.File, off, n int64) {
	if !x.answers() {
		_ = f.Close()
		return
	}
	x.out.ReplyFile(x, resp, f, off, n)
}

// Start sends the head of a streamed response. If resp.ContentLength is known, exactly that many
// bytes must be written before End.
func (x *Exchange) Start(resp *codec.Response) {
	if x.said == saidNothing {
		x.said = saidHead
		x.out.Start(x, resp)
	}
}

// Inform sends an interim response such as 103 (RFC 8297), before the answer. Layers do not see it. It
// does nothing once the answer has begun, for 100, which the engine sends itself, and for 101, which is for
// TakeOver. A client that does not know interim responses, over HTTP/1.0 or the uwsgi protocol, gets
// none.
func (x *Exchange) Inform(resp *codec.Response) {
	if x.said == saidNothing && x.phase == phaseHandler && x.req.Proto == codec.HTTP11 && resp.Status > 101 && resp.Status < 200 {
		x.via.interim(x, resp)
	}
}

// Write sends a piece of a streamed response. p may be reused when it returns.
// It never blocks: see [Exchange.Buffered].
func (x *Exchange) Write(p []byte) {
	if x.said == saidHead {
		x.out.Write(x, p)
	}
}

// End completes a streamed response. If fewer bytes were written than announced, End closes the
// connection, so that the client notices. [codec.BodyElsewhere] is the exception.
func (x *Exchange) End() {
	if x.said == saidHead {
		x.done()
		x.out.End(x)
	}
}

// Abort gives a response up. The client gets 500 if nothing has been sent. Otherwise the
// connection is closed, so that the client does not take the part for the whole.
//
// After a panic it may be called even when the handler has finished its answer. Then it bypasses
// the layers, as one of them may have panicked.
func (x *Exchange) Abort() {
	if x.said == saidAll {
		answer{}.Abort(x)
		return
	}
	x.done()
	x.out.Abort(x)
}

// AbortFor is Abort with the reason, in a few words, for [Outcome].
func (x *Exchange) AbortFor(why string) {
	if x.outcome.Broken == "" {
		x.outcome.Broken = why
	}
	x.Abort()
}

// Drop closes the connection without an answer, as a rule of uWSGI's routing may ask. Behind
// net/http, and after a response has begun, it acts like Abort.
func (x *Exchange) Drop() {
	if x.said != saidNothing || x.phase != phaseHandler {
		x.Abort()
		return
	}
	x.done()
	if !x.via.drop(x) {
		x.out.Abort(x)
	}
}

// ErrNoTakeOver is returned by [Exchange.TakeOver].
var ErrNoTakeOver = errors.New("the connection cannot be taken over")

// TakeOver makes a tunnel of the client's connection. It sends resp: 101 for a request that offers
// an upgrade, or 200 to CONNECT. After that Write sends raw bytes, a reader ([Exchange.ReadBody])
// gets the client's bytes as they come, and Drained and Gone are called as before. End closes the
// connection after the last output. Layers see only the end. The one time limit is for a client
// that reads nothing.
//
// [codec.Policy] must admit such requests. TakeOver returns an error and sends nothing if the
// request does not ask for resp, and behind net/http. Over the uwsgi protocol the front server passes
// the bytes on, as nginx does.
func (x *Exchange) TakeOver(resp *codec.Response) error {
	if x.said != saidNothing || x.phase != phaseHandler || x.intake != nil || !takesOver(&x.req, resp.Status) {
		return ErrNoTakeOver
	}
	if err := x.via.takeOver(x, resp); err != nil {
		return err
	}
	x.said, x.out = saidHead, answer{}
	return nil
}

// ReplyText answers with a short plain text, for the server's own messages.
func (x *Exchange) ReplyText(status int, text string) {
	resp := x.Response()
	resp.Status = status
	resp.Header = append(resp.Header, codec.Header{Name: nameContentType, Value: textPlain})
	x.Reply(resp, []byte(text))
}

// busy returns the head of a 503 with Retry-After.
func (x *Exchange) busy() *codec.Response {
	resp := x.Response()
	resp.Status = 503
	resp.Header = append(resp.Header,
		codec.Header{Name: []byte("Retry-After"), Value: []byte("1")},
		codec.Header{Name: nameContentType, Value: textPlain})
	return resp
}

// Buffered returns how many bytes of the response wait for the client. Past 1 MiB a producer
// should pause until Drained of its [Watcher] is called.
func (x *Exchange) Buffered() int {
	if x.via == nil {
		return 0
	}
	return x.via.ahead(x)
}

var (
	nameContentType = []byte("Content-Type")
	textPlain       = []byte("text/plain; charset=utf-8")
)
