package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/outbound"
	"github.com/uwsgo/uwsgo/handler/forwarded"
)

// Bounds that are not options.
const (
	// aheadMost bounds the bytes that wait for the slower side, in each direction.
	aheadMost = engine.DrainedBelow
	// expectWait is how long an upstream may take to say whether it wants a body. Then it gets the body
	// (RFC 9110 10.1.1).
	expectWait = time.Second
	// interimMost bounds the interim responses before an answer.
	interimMost = 16
	// halfClosed is how long a tunnel may be silent after its client has closed its side.
	halfClosed = time.Minute
	keepIn     = 16 << 10
)

// upload is how far the request's body has come.
type upload uint8

const (
	uploadNone  upload = iota // there is none, or nothing of it has been asked for
	uploadAsked               // waits for the upstream to say whether it wants the body
	uploadOpen                // it is on its way
	uploadDone
)

// phase is how far the answer has come.
type phase uint8

const (
	phaseDial   phase = iota // there is no connection yet
	phaseAwait               // the request has been sent, as far as its body has come
	phaseBody                // the client has the head of the answer
	phaseTunnel              // bytes go both ways
)

// call is one request on its way to an upstream. It belongs to the loop of its exchange. It watches
// the exchange, reads its body, and is the user of the upstream's connection.
type call struct {
	port *port
	x    *engine.Exchange
	ref  engine.Ref
	slot *slot
	conn *outbound.Conn
	from *forwarded.Origin

	phase   phase
	upload  upload
	length  int64 // of the request's body; -1: it goes in chunks
	expect  bool
	upgrade bool // the client offers to switch protocols, and that is passed on
	forHEAD bool
	reused  bool   // conn has been used before
	fresh   bool   // a connection that was used before must not be taken
	sent    int    // how often it has been tried
	tried   uint64 // upstreams, by their place
	interim int
	begun   bool // something of an answer has come

	decoder  http1.ResponseDecoder
	received http1.Received
	body     http1.Body
	in       []byte // the beginning of a head

	onward   http1.Onward
	dropFunc func(name []byte) bool
	text     []byte
}

func (p *port) call() *call {
	if n := len(p.spare); n > 0 {
		c := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return c
	}
	c := &call{port: p}
	c.dropFunc = c.drops
	c.onward.Drop = c.dropFunc
	c.decoder.Limits = codec.Limits{Head: p.h.cfg.Head, Fields: fieldsMost}
	c.body.Limits = codec.Limits{Body: -1}
	return c
}

// fieldsMost bounds the fields of an answer.
const fieldsMost = 256

// free ends the call. Neither the exchange nor a connection refers to it any more.
func (p *port) free(c *call) {
	if c.slot != nil {
		c.slot.open.Add(-1)
	}
	clear(c.received.Header)
	in := c.in[:0]
	if cap(in) > keepIn {
		in = nil
	}
	*c = call{
		port: p, decoder: c.decoder, body: c.body, in: in, onward: c.onward, dropFunc: c.dropFunc, text: c.text[:0],
		received: http1.Received{Response: codec.Response{Header: c.received.Header[:0]}},
	}
	c.decoder.Reset()
	if len(p.spare) < spareCalls {
		p.spare = append(p.spare, c)
	}
}

// begin passes x on.
func (p *port) begin(x *engine.Exchange) {
	r := x.Request()
	c := p.call()
	c.x, c.ref, c.length = x, x.Ref(), x.ContentLength()
	c.forHEAD = string(r.Bytes(r.Method)) == "HEAD"
	c.upgrade = r.Upgrade && c.length == 0 && r.Proto == codec.HTTP11 && !offersRequests(r)
	c.expect = r.Expect100 && !x.BodyBegun()
	p.sync()
	p.tokens = min(p.tokens+retryShare, retryMost)
	x.Watch(c)
	c.attempt()
}

// offersRequests reports whether the client offers a protocol that carries requests: h2c, another HTTP, or
// TLS around it. Behind an answer 101 they would reach the upstream without any rule of ours.
func offersRequests(r *codec.Request) bool {
	for _, f := range r.Fields {
		if !codec.EqualName(r.Bytes(f.Name), nameUpgrade) {
			continue
		}
		for offer := range bytes.SplitSeq(bytes.ToLower(r.Bytes(f.Value)), comma) {
			name, _, _ := bytes.Cut(bytes.TrimSpace(offer), slash)
			switch string(name) {
			case "h2c", "h2", "http", "tls":
				return true
			}
		}
	}
	return false
}

var (
	nameUpgrade = []byte("Upgrade")
	comma       = []byte(",")
	slash       = []byte("/")
)

// attempt sends the request to an upstream.
func (c *call) attempt() {
	p := c.port
	if c.slot != nil {
		c.slot.open.Add(-1)
	}
	if !c.fresh || c.slot == nil {
		if c.slot = p.pick(c); c.slot == nil {
			p.h.cfg.Logf("proxy: there is no upstream for %s: the client gets 503", c.x.Request().Bytes(c.x.Request().Target))
			x := c.x
			x.ReplyText(503, "Service Unavailable\n")
			p.free(c)
			return
		}
	}
	c.slot.open.Add(1)
	c.sent++
	c.phase, c.reused, c.upload = phaseDial, false, uploadNone
	if c.slot.address.proto == protoUwsgi && c.length < 0 { // a packet tells the length first
		if c.x.AwaitBody((*awaited)(c)) {
			return
		}
		c.length = c.x.ContentLength()
	}
	if c.slot.transport != nil {
		c.carry()
		return
	}
	c.connect()
}

// awaited is a call that waits for the whole request body.
type awaited call

// Serve implements [engine.Handler].
func (a *awaited) Serve(x *engine.Exchange) {
	a.length = x.ContentLength()
	(*call)(a).connect()
}

// BodyFailed implements [engine.BodyWaiter].
func (a *awaited) BodyFailed(x *engine.Exchange, err error) { (*call)(a).Failed(x, err) }

func (c *call) connect() {
	if !c.fresh && c.port.h.cfg.ProxyProtocol == 0 {
		if conn := c.slot.take(); conn != nil {
			c.conn, c.reused = conn, true
			conn.Use(c)
			c.send()
			return
		}
	}
	conn, err := c.port.dialer.Dial(c.slot.addr, c)
	if err != nil {
		c.fails(err)
		return
	}
	c.conn = conn
	if conn.Established() {
		c.send()
		return
	}
	conn.After(c.port.h.cfg.ConnectTimeout)
}

// idempotent reports whether a request that has been run may be run again, RFC 9110 9.2.2.
func (c *call) idempotent() bool {
	r := c.x.Request()
	switch string(r.Bytes(r.Method)) {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// send sends the head, then lets the body follow.
func (c *call) send() {
	p := c.port
	c.phase = phaseAwait
	head, err := c.appendHead(p.out[:0])
	p.out = head
	if err != nil {
		conn := c.conn
		c.conn = nil
		conn.Close()
		x := c.x
		x.Refuse(err)
		p.free(c)
		return
	}
	if p.h.cfg.ProxyProtocol != 0 {
		p.text = c.appendProxy(p.text[:0])
		c.conn.Write(p.text)
	}
	c.conn.Write(head)
	switch {
	case c.length == 0:
		c.upload = uploadDone
		c.await()
	case c.expect && c.slot.address.proto == protoHTTP:
		c.upload = uploadAsked
		c.conn.After(expectWait)
	default:
		c.openUpload()
	}
}

// await waits for the answer: the whole request has been sent, or its rest waits for the upstream.
func (c *call) await() {
	cfg := &c.port.h.cfg
	if c.conn.Buffered() > 0 {
		c.conn.After(cfg.SendTimeout)
	} else {
		c.conn.After(cfg.ReadTimeout)
	}
}

// openUpload asks the client for the body.
func (c *call) openUpload() {
	c.upload = uploadOpen
	c.conn.Disarm() // the client has its own time
	c.x.ReadBody(c)
}

// Data implements [engine.BodyReader].
func (c *call) Data(x *engine.Exchange, b []byte) {
	conn := c.conn
	if conn == nil {
		return
	}
	if c.length < 0 && c.phase != phaseTunnel {
		p := c.port
		p.out = http1.AppendChunkHead(p.out[:0], len(b))
		p.out = append(append(p.out, b...), http1.ChunkEnd...)
		b = p.out
	}
	conn.Write(b)
	if conn.Buffered() == 0 {
		return
	}
	if c.phase != phaseTunnel {
		conn.After(c.port.h.cfg.SendTimeout)
	}
	if conn.Buffered() > aheadMost {
		x.HoldBody(true)
	}
}

// End implements [engine.BodyReader].
func (c *call) End(*engine.Exchange) {
	if c.conn == nil {
		return
	}
	if c.phase == phaseTunnel {
		c.conn.CloseWrite()
		c.conn.After(halfClosed)
		return
	}
	if c.length < 0 {
		c.port.out = http1.AppendLastChunk(c.port.out[:0])
		c.conn.Write(c.port.out)
	}
	if c.upload = uploadDone; c.phase == phaseAwait {
		c.await()
	}
}

// Failed implements [engine.BodyReader].
func (c *call) Failed(x *engine.Exchange, err error) {
	c.letGo(false)
	if c.phase == phaseTunnel {
		x.Abort()
	} else {
		x.Refuse(err)
	}
	c.port.free(c)
}

// Drained implements [engine.Watcher].
func (c *call) Drained(*engine.Exchange) {
	if c.conn != nil {
		c.conn.Hold(false)
		if c.phase == phaseBody {
			c.conn.After(c.port.h.cfg.ReadTimeout)
		}
	}
}

// Gone implements [engine.Watcher]. The upstream learns of it when its connection closes.
func (c *call) Gone(*engine.Exchange) {
	c.letGo(false)
	c.port.free(c)
}

// stale reports whether the exchange has ended without a call of Gone, as only a panic makes it. Then
// the connection is closed.
func (c *call) stale(conn *outbound.Conn) bool {
	if c.ref.Get() != nil {
		return false
	}
	c.conn = nil
	conn.Close()
	c.port.free(c)
	return true
}

// contain ends the exchange when something has panicked. The loop logs it.
func (c *call) contain() {
	if reason := recover(); reason != nil {
		if x := c.ref.Get(); x != nil {
			c.letGo(false)
			x.Abort()
			c.port.free(c)
		}
		panic(reason)
	}
}

// Connected implements [outbound.User].
func (c *call) Connected(conn *outbound.Conn) {
	defer c.contain()
	if !c.stale(conn) {
		c.send()
	}
}

// Sent implements [outbound.User].
func (c *call) Sent(conn *outbound.Conn) {
	defer c.contain()
	if c.stale(conn) {
		return
	}
	switch {
	case c.upload == uploadOpen, c.phase == phaseTunnel:
		if c.phase == phaseAwait {
			conn.Disarm()
		}
		c.x.HoldBody(false)
	case c.phase == phaseAwait && c.upload == uploadDone:
		c.await()
	}
}

// Late implements [outbound.User].
func (c *call) Late(conn *outbound.Conn) {
	defer c.contain()
	switch {
	case c.stale(conn):
	case c.phase == phaseTunnel:
		c.letGo(false)
		x := c.x
		x.End()
		c.port.free(c)
	case c.upload == uploadAsked && c.phase == phaseAwait:
		c.openUpload()
	default:
		c.letGo(false)
		c.fails(os.ErrDeadlineExceeded)
	}
}

// Closed implements [outbound.User].
func (c *call) Closed(_ *outbound.Conn, err error) {
	defer c.contain()
	if c.conn = nil; c.ref.Get() == nil {
		c.port.free(c)
		return
	}
	x := c.x
	switch {
	case c.phase == phaseTunnel, c.phase == phaseBody && c.received.Kind == http1.FrameClose && errors.Is(err, io.EOF):
		x.End()
		c.port.free(c)
	default:
		c.fails(err)
	}
}

// letGo gives the connection back, for another request or to be closed.
func (c *call) letGo(keep bool) {
	conn := c.conn
	if conn == nil {
		return
	}
	c.conn = nil
	if keep {
		conn.Hold(false)
		c.slot.keep(conn, c.received.Idle)
	} else {
		conn.Close()
	}
}

// Received implements [outbound.User].
func (c *call) Received(conn *outbound.Conn, b []byte) {
	defer c.contain()
	if c.stale(conn) {
		return
	}
	c.begun = true
	switch c.phase {
	case phaseTunnel:
		c.x.Write(b)
		if c.x.Buffered() > aheadMost {
			conn.Hold(true)
		}
	case phaseBody:
		c.pass(b)
	case phaseDial, phaseAwait:
		c.head(b)
	}
}

// head reads what comes before the body of the answer.
func (c *call) head(b []byte) {
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	for {
		n, err := c.decoder.Head(b, c.forHEAD, &c.received)
		if err != nil {
			c.letGo(false)
			c.fails(&answerError{err})
			return
		}
		if n == 0 {
			c.in = append(c.in[:0], b...)
			return
		}
		b = b[n:]
		if c.received.Status >= 200 {
			c.slot.works()
			c.answer(b)
			return
		}
		if !c.inform(b) {
			return
		}
	}
}

// inform passes an interim response on. It reports false if the call continues in another way.
func (c *call) inform(rest []byte) bool {
	resp := &c.received.Response
	if c.interim++; c.interim > interimMost {
		c.letGo(false)
		c.fails(&answerError{errors.New("it sends interim responses without end")})
		return false
	}
	switch resp.Status {
	case 100:
		if c.upload == uploadAsked {
			c.openUpload()
		}
		return c.conn != nil
	case 101:
		c.tunnel(rest)
		return false
	}
	c.x.Inform(resp)
	return true
}

// tunnel passes bytes both ways from now on.
func (c *call) tunnel(rest []byte) {
	if !c.upgrade || c.slot.address.proto != protoHTTP {
		c.letGo(false)
		c.fails(&answerError{errors.New("it switches protocols and was not asked to")})
		return
	}
	x := c.x
	if err := x.TakeOver(&c.received.Response); err != nil {
		c.letGo(false)
		c.fails(err)
		return
	}
	c.slot.works()
	c.phase = phaseTunnel
	c.conn.Disarm()
	c.conn.KeepAlive()
	x.Write(rest)
	x.ReadBody(c)
}

// answer passes the head of the answer on, and the part of its body that has come.
func (c *call) answer(b []byte) {
	x, resp := c.x, &c.received.Response
	c.body.ResetReceived(&c.received)
	if c.forHEAD && !x.Request().Head { // a rule has made HEAD of it: there is no body to send
		resp.ContentLength = -1
	}
	// A short answer goes as it is in one piece, which saves the client's side two system calls.
	whole, n, err := c.whole(b)
	if err != nil {
		c.letGo(false)
		c.fails(&answerError{err})
		return
	}
	if c.body.Done() {
		c.letGo(c.reusable() && n == len(b))
		x.Reply(resp, whole)
		c.port.free(c)
		return
	}
	c.phase = phaseBody
	x.Start(resp)
	c.forward(whole)
}

// whole decodes the body in place in b. It returns the body as far as it has come, and how many bytes
// of b that took.
func (c *call) whole(b []byte) (data []byte, n int, err error) {
	at, end := 0, 0
	for n < len(b) && !c.body.Done() {
		took, p, err := c.body.Next(b[n:])
		if err != nil {
			return nil, 0, err
		}
		if n += took; len(p) == 0 {
			continue
		}
		if end == 0 {
			at, end = n-len(p), n // a piece ends where Next has stopped
		} else {
			end += copy(b[end:], p)
		}
	}
	return b[at:end], n, nil
}

// reusable reports whether the connection may carry another request.
func (c *call) reusable() bool {
	return c.received.KeepAlive && c.upload == uploadDone && c.conn.Buffered() == 0 && c.slot.address.proto == protoHTTP && c.port.h.cfg.ProxyProtocol == 0
}

// pass passes on the part of the body that has come.
func (c *call) pass(b []byte) {
	data, n, err := c.whole(b)
	if err != nil {
		c.letGo(false)
		c.fails(&answerError{err})
		return
	}
	x := c.x
	if len(data) > 0 {
		x.Write(data)
	}
	if c.body.Done() {
		c.letGo(c.reusable() && n == len(b))
		x.End()
		c.port.free(c)
		return
	}
	c.pace()
}

// forward sends the beginning of the body.
func (c *call) forward(data []byte) {
	if len(data) > 0 {
		c.x.Write(data)
	}
	c.pace()
}

// pace makes the upstream wait for a slower client.
func (c *call) pace() {
	if c.x.Buffered() > aheadMost {
		c.conn.Hold(true)
		c.conn.Disarm()
		return
	}
	c.conn.After(c.port.h.cfg.ReadTimeout)
}

// answerError is an answer that cannot be passed on.
type answerError struct{ err error }

func (e *answerError) Error() string { return "its answer is malformed: " + e.err.Error() }
func (e *answerError) Unwrap() error { return e.err }

// fails continues after the connection has failed and closed: with another one, or with an error for
// the client.
func (c *call) fails(err error) {
	p := c.port
	unsent := c.phase == phaseDial
	if c.phase == phaseBody {
		p.h.logf(c, "%s: the client's connection is cut off", c.why(err))
		x := c.x
		x.AbortFor("the upstream " + c.why(err))
		p.free(c)
		return
	}
	// The server has ended an idle connection just when it was used again.
	race := c.reused && !c.begun && c.phase == phaseAwait && !errors.Is(err, os.ErrDeadlineExceeded)
	if !race {
		if d := c.slot.fails(p.loop.Now(), unsent); d > 0 && len(p.slots) > 1 {
			p.h.cfg.Logf("proxy: upstream %s is left out for %v: %s", c.slot.name, d, c.why(err))
		}
	}
	if c.again(err, unsent, race) {
		c.begun = false
		c.in = c.in[:0]
		c.decoder.Reset()
		c.attempt()
		return
	}
	status, text := 502, "Bad Gateway\n"
	if errors.Is(err, os.ErrDeadlineExceeded) {
		status, text = 504, "Gateway Timeout\n"
	}
	p.h.logf(c, "%s: the client gets %d", c.why(err), status)
	x := c.x
	x.ReplyText(status, text)
	p.free(c)
}

// again reports whether the request may be sent once more.
func (c *call) again(err error, unsent, race bool) bool {
	var bad *answerError
	switch {
	case c.upload == uploadOpen, c.begun, c.interim > 0, errors.As(err, &bad):
		return false
	case c.upload == uploadDone && c.length != 0:
		return false
	case !unsent && (!c.idempotent() || errors.Is(err, os.ErrDeadlineExceeded)):
		return false
	case c.sent >= mostAnswers:
		return false
	case race:
		c.fresh = true
		return true
	}
	c.fresh = false
	if len(c.port.slots) == 1 || c.port.tokens < retryCost {
		return false
	}
	c.port.tokens -= retryCost
	return true
}

// why describes the failure in plain words.
func (c *call) why(err error) string {
	cfg := &c.port.h.cfg
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && c.phase == phaseDial:
		return fmt.Sprintf("no connection within %v", cfg.ConnectTimeout)
	case errors.Is(err, os.ErrDeadlineExceeded) && c.upload != uploadDone:
		return fmt.Sprintf("took nothing of the request for %v", cfg.SendTimeout)
	case errors.Is(err, os.ErrDeadlineExceeded) && c.phase == phaseBody:
		return fmt.Sprintf("was silent for %v in the middle of its answer", cfg.ReadTimeout)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("did not answer within %v", cfg.ReadTimeout)
	case errors.Is(err, io.EOF) && c.phase == phaseBody:
		return "ended the connection in the middle of its answer"
	case errors.Is(err, io.EOF) && c.begun:
		return "ended the connection in the middle of a head"
	case errors.Is(err, io.EOF):
		return "ended the connection without an answer"
	}
	return err.Error()
}

// logsMost is how many failures of requests a loop logs in a second.
const logsMost = 20

// logf logs a failure with its request and upstream, at most logsMost times a second.
func (h *Handler) logf(c *call, format string, args ...any) {
	p := c.port
	if now := p.loop.Now(); now >= p.logUntil {
		if more := p.logs - logsMost; more > 0 {
			h.cfg.Logf("proxy: %d more requests failed", more)
		}
		p.logUntil, p.logs = now+int64(time.Second), 0
	}
	if p.logs++; p.logs > logsMost {
		return
	}
	r := c.x.Request()
	target := r.Bytes(r.Target)
	h.cfg.Logf("proxy: %s %s: upstream %s: %s", r.Bytes(r.Method), target[:min(len(target), 256)], c.slot.name, fmt.Sprintf(format, args...))
}
