package engine

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
)

// guest is the [carrier] of an exchange of [Server.AsHTTP]. The loop hands pieces of the
// response to net/http's goroutine of the request. That goroutine starts another to read the
// body once a handler wants it.
type guest struct {
	srv   *Server
	w     http.ResponseWriter
	ctl   *http.ResponseController
	body  io.Reader     // nil for none
	first bool          // of HTTP/1
	wake  chan struct{} // something below mu has changed
	ended atomic.Bool   // the whole body has been read

	// Owned by the loop.
	waits   int           // bytes of the response still to be written
	asked   bool          // a handler wants the body
	reading bool          // the reader was let in and has not reported yet
	more    chan struct{} // lets the reader read one more piece
	size    int64         // bytes of the body so far

	mu     sync.Mutex // guards what follows
	pieces []piece
	read   bool // the body must be read
	closed bool // nobody takes more pieces

	atBody  sync.Mutex // held during a read of the body
	readErr error      // of the last read; atBody guards it
}

// piece is a part of a response.
type piece struct {
	head   *guestHead // of the first piece
	data   []byte
	file   *os.File
	off, n int64
	stream bool // data of a streamed response: flush it
	last   bool
	abort  bool
}

// guestHead is a response's head.
type guestHead struct {
	status int
	header http.Header
}

func (g *guest) wakeUp() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// put passes on a piece. The last piece ends the exchange.
func (g *guest) put(x *Exchange, p piece) {
	g.waits += len(p.data)
	x.outcome.BodyBytes += p.n
	g.mu.Lock()
	if !g.closed {
		g.pieces = append(g.pieces, p)
	} else if p.file != nil {
		_ = p.file.Close()
	}
	g.mu.Unlock()
	g.wakeUp()
	if p.last || p.abort {
		x.phase = phaseEnded
		x.outcome.Aborted = x.outcome.Aborted || p.abort
		x.loop.release(x)
	}
}

// head copies a response's head, which is valid during the call only. net/http chooses the
// framing, except for a length.
func (g *guest) head(x *Exchange, resp *codec.Response) *guestHead {
	h := &guestHead{status: resp.Status, header: make(http.Header, len(resp.Header))}
	lengthGiven := false
	for _, f := range resp.Header {
		if codec.KeepResponseField(f.Name) {
			h.header.Add(string(f.Name), string(f.Value))
		} else if codec.EqualName(f.Name, []byte("Content-Length")) {
			lengthGiven = true
		}
	}
	sent, told := http1.Frame(&x.req, resp, lengthGiven, false)
	if told == http1.FrameLength {
		h.header.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	x.sent = sent
	x.outcome.Status = resp.Status
	x.outcome.Headers = len(resp.Header)
	return h
}

func (g *guest) whole(x *Exchange, resp *codec.Response, body []byte) {
	h := g.head(x, resp)
	if x.sent.Kind == http1.FrameNone {
		body = nil
	}
	x.outcome.BodyBytes = int64(len(body))
	g.put(x, piece{head: h, data: bytes.Clone(body), last: true})
}

func (g *guest) fromFile(x *Exchange, resp *codec.Response, f *os.File, off, n int64) {
	h := g.head(x, resp)
	if x.sent.Kind == http1.FrameNone {
		_ = f.Close()
		g.put(x, piece{head: h, last: true})
		return
	}
	g.put(x, piece{head: h, file: f, off: off, n: n, last: true})
}

func (g *guest) start(x *Exchange, resp *codec.Response) {
	g.put(x, piece{head: g.head(x, resp), stream: true})
}

func (g *guest) piece(x *Exchange, p []byte) {
	g.put(x, piece{data: bytes.Clone(p), stream: true})
}

func (g *guest) end(x *Exchange) { g.put(x, piece{last: true}) }

func (g *guest) cut(x *Exchange) { g.put(x, piece{abort: true}) }

func (g *guest) drop(*Exchange) bool { return false }

func (g *guest) interim(_ *Exchange, resp *codec.Response) {
	h := &guestHead{status: resp.Status, header: make(http.Header, len(resp.Header))}
	for _, f := range resp.Header {
		if codec.KeepResponseField(f.Name) {
			h.header.Add(string(f.Name), string(f.Value))
		}
	}
	g.mu.Lock()
	if !g.closed {
		g.pieces = append(g.pieces, piece{head: h})
	}
	g.mu.Unlock()
	g.wakeUp()
}

func (g *guest) takeOver(*Exchange, *codec.Response) error { return ErrNoTakeOver }

func (g *guest) ahead(*Exchange) int { return g.waits }

func (g *guest) halfClosed(*Exchange) bool { return false } // net/http tells when the client has gone

func (g *guest) incoming(*Exchange) bool { return false } // its reader posts the input

// wrote notes that n bytes have gone to the client.
func (g *guest) wrote(x *Exchange, n int) {
	before := g.waits
	g.waits -= n
	if before > DrainedBelow && g.waits <= DrainedBelow {
		x.tellDrained()
	}
}

// want implements carrier.
func (g *guest) want(x *Exchange) {
	if !x.intake.wanted() || g.reading {
		return
	}
	g.reading = true
	x.intake.waits(x.loop)
	if !g.asked {
		g.asked = true
		g.mu.Lock()
		g.read = true
		g.mu.Unlock()
		g.wakeUp()
	}
	g.more <- struct{}{} // it has room, because one read is let in at a time
}

// readBody is a goroutine that reads the body, one piece each time the loop lets it. When the
// response is complete first, net/http ends a pending read: at once, or over HTTP/1 when the
// client sends more or its time is up.
func (g *guest) readBody(ref Ref, stop chan struct{}) {
	buf := make([]byte, smallBody)
	for {
		select {
		case <-stop:
			return
		case <-g.more:
		}
		n, err := g.readPiece(buf)
		switch {
		case errors.Is(err, io.EOF):
			g.ended.Store(true)
			g.readUntil(time.Time{}) // net/http reads on, to notice that the client goes
		case err != nil:
			g.readUntil(time.Now()) // else net/http waits for the rest of the body
		}
		taken := make(chan struct{})
		posted := ref.PostOr(func(x *Exchange) {
			defer close(taken)
			g.came(x, buf[:n], err)
		}, func() { close(taken) })
		if posted != nil {
			return
		}
		<-taken
		if err != nil {
			return
		}
	}
}

// readPiece reads a piece of the body, for as long as a client may be silent.
func (g *guest) readPiece(buf []byte) (n int, err error) {
	g.atBody.Lock()
	defer g.atBody.Unlock()
	g.readUntil(time.Now().Add(g.srv.opt.BodyTimeout))
	n, g.readErr = g.body.Read(buf)
	return n, g.readErr
}

// late reports whether the body is late. Over HTTP/1 net/http then says in the context that the
// client has gone. A read that is under way has failed by then, or is about to.
func (g *guest) late() bool {
	g.atBody.Lock()
	defer g.atBody.Unlock()
	return errors.Is(g.readErr, os.ErrDeadlineExceeded)
}

// readUntil bounds a read, where net/http supports it. Not to be called after the handler has
// returned: the connection is then another request's.
func (g *guest) readUntil(t time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		_ = g.ctl.SetReadDeadline(t)
	}
}

// came takes a piece of the body.
func (g *guest) came(x *Exchange, p []byte, err error) {
	g.reading = false
	in, l, gen := x.intake, x.loop, x.gen
	if in == nil || !in.asked() {
		return // it has been answered
	}
	if len(p) > 0 {
		in.begun = true
		g.size += int64(len(p))
		var refused error
		switch {
		case g.srv.opt.Limits.BodyTooLarge(g.size):
			refused = codec.ErrBodyTooLarge
		case in.reader != nil:
			l.deliver(x, in.reader, p)
		default:
			refused = x.body.collect(p, g.srv)
		}
		if refused != nil {
			g.fails(x, refused)
			return
		}
		if x.gen != gen || x.intake != in || !in.asked() {
			return
		}
	}
	if in.reader == nil && x.body.due(errors.Is(err, io.EOF)) {
		in.storing = true
		l.store(x, func(x *Exchange, failed error) {
			in := x.intake
			if in == nil || !in.asked() {
				return
			}
			if in.storing = false; failed != nil {
				g.fails(x, failed)
				return
			}
			g.goOn(x, err)
		})
		return
	}
	g.goOn(x, err)
}

// goOn goes on with a body after a read that ended with err.
func (g *guest) goOn(x *Exchange, err error) {
	in, l := x.intake, x.loop
	switch {
	case err == nil:
		g.want(x)
	case errors.Is(err, io.EOF):
		if x.body.file != nil {
			x.body.trim()
			l.count.spooled.Add(1)
		}
		whole, reader := in.whole, in.reader
		l.Disarm(&in.timer)
		x.intake = nil
		l.complete(x, whole, reader)
	case errors.Is(err, os.ErrDeadlineExceeded):
		l.count.timeouts.Add(1)
		g.fails(x, errBodyTimeout)
	default:
		g.fails(x, errIncomplete)
	}
}

func (g *guest) fails(x *Exchange, err error) {
	whole, reader := x.intake.whole, x.intake.reader
	x.loop.count.refused.Add(1)
	x.loop.Disarm(&x.intake.timer)
	x.intake = nil
	x.taken = true
	x.loop.failed(x, whole, reader, err)
}

// copyTo writes the response as it comes. It ends when the response is complete, the client has
// gone or the server has closed.
func (g *guest) copyTo(r *http.Request, ref Ref) {
	stop, begun := make(chan struct{}), false
	defer close(stop)
	defer g.discard()
	left := r.Context().Done()
	for {
		stopped := false
		select {
		case <-left:
			if g.late() {
				left = nil
				continue
			}
			_ = ref.Post(func(x *Exchange) { x.loop.gone(x) })
			return
		case <-g.srv.done:
			stopped = true
		case <-g.wake:
		}
		ahead := 0
		pieces, read := g.take()
		if read {
			go g.readBody(ref, stop)
		}
		for _, p := range pieces {
			begun = true
			err := g.write(p)
			if p.last {
				return
			}
			if err != nil && left == nil { // the context does not tell any more
				_ = ref.Post(func(x *Exchange) { x.loop.gone(x) })
				return
			}
			if p.stream {
				ahead += len(p.data)
			}
		}
		switch {
		case stopped && begun:
			panic(http.ErrAbortHandler)
		case stopped:
			ref.x.body.free() // no loop runs to do it
			http.Error(g.w, serverStopping, http.StatusServiceUnavailable)
			return
		case len(pieces) > 0:
			_ = g.ctl.Flush()
			_ = ref.Post(func(x *Exchange) { g.wrote(x, ahead) })
		}
	}
}

// write writes one piece. When the response cannot be completed, net/http closes the connection
// or resets the stream. An error says that the client has gone, as the context does most often.
func (g *guest) write(p piece) error {
	if p.abort {
		panic(http.ErrAbortHandler)
	}
	if p.head != nil && p.head.status < 200 {
		maps.Copy(g.w.Header(), p.head.header)
		g.w.WriteHeader(p.head.status)
		for name := range p.head.header { // net/http would send them again
			g.w.Header().Del(name)
		}
		return nil
	}
	if p.head != nil {
		maps.Copy(g.w.Header(), p.head.header)
		if g.first && g.body != nil && !g.ended.Load() {
			// Otherwise net/http reads the rest of the body before it sends the head, and none
			// after it.
			g.w.Header().Set("Connection", "close")
		}
		g.w.WriteHeader(p.head.status)
	}
	if p.file != nil {
		n, err := io.Copy(g.w, io.NewSectionReader(p.file, p.off, p.n))
		_ = p.file.Close()
		if n < p.n && !errors.Is(err, http.ErrBodyNotAllowed) {
			panic(http.ErrAbortHandler) // the file has shrunk, or the client has gone
		}
	}
	if len(p.data) == 0 {
		return nil
	}
	_, err := g.w.Write(p.data)
	return err
}

func (g *guest) take() (pieces []piece, read bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	pieces, read = g.pieces, g.read
	g.pieces, g.read = nil, false
	return pieces, read
}

// discard drops all pieces, those still to come too.
func (g *guest) discard() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, p := range g.pieces {
		if p.file != nil {
			_ = p.file.Close()
		}
	}
	g.pieces = nil
}

// guestRequest converts a request of net/http. It applies the policy and limits of the server's
// own connections; net/http has checked the syntax.
func guestRequest(r *http.Request, o *Options, req *codec.Request) error {
	put := func(s string) codec.Span {
		at := uint32(len(req.Buf))
		req.Buf = append(req.Buf, s...)
		return codec.Span{Off: at, End: uint32(len(req.Buf))}
	}
	target := r.RequestURI
	if target == "" { // no server has parsed it
		target = r.URL.RequestURI()
	}
	switch {
	case len(target) > o.Limits.Target:
		return codec.ErrTargetTooLong
	case r.Method == http.MethodConnect && !o.Policy.Connect:
		return codec.ErrConnect
	}
	req.Proto = codec.HTTP11
	if r.ProtoMajor == 1 && r.ProtoMinor == 0 {
		req.Proto = codec.HTTP10
	}
	method := cmp.Or(r.Method, http.MethodGet)
	req.Method = put(method)
	req.Head, req.Connect = method == http.MethodHead, method == http.MethodConnect
	req.Target = put(target)
	req.Version = put(cmp.Or(r.Proto, "HTTP/1.1"))
	path := r.URL.EscapedPath()
	if path == "" && r.URL.Opaque != "" {
		path = r.URL.Opaque
	}
	req.RawPath = put(path)
	req.Query = put(r.URL.RawQuery)
	req.Authority = put(r.Host)
	if err := http1.CheckTarget(req); err != nil {
		return err
	}
	if len(r.Host) > 0 {
		req.Fields = append(req.Fields, codec.Field{Name: put("Host"), Value: req.Authority})
	}
	size, fields := len(req.Buf), 0
	types := 0
	for name, values := range r.Header {
		for _, v := range values {
			if fields++; fields > o.Limits.Fields {
				return codec.ErrTooManyFields
			}
			if size += len(name) + len(v) + len(": \r\n"); size > o.Limits.Head {
				return codec.ErrHeadTooLarge
			}
			n, b := []byte(name), []byte(v)
			if codec.EqualName(n, []byte("Content-Type")) {
				if types++; types > 1 {
					return codec.ErrContentType
				}
			}
			if !o.Policy.KeepField(n) || codec.EqualName(n, []byte("Host")) || codec.EqualName(n, []byte("Upgrade")) {
				continue
			}
			f := codec.Field{Name: put(name), Value: put(v)}
			if codec.Validate(&codec.Response{Status: 200, Header: []codec.Header{{Name: n, Value: b}}}) != nil {
				return codec.ErrFieldValue
			}
			req.Fields = append(req.Fields, f)
		}
	}
	if req.ContentLength = r.ContentLength; req.ContentLength == 0 && r.Body != nil && r.Body != http.NoBody {
		req.ContentLength = -1 // as in net/http's requests that no server has parsed
	}
	if req.ContentLength < 0 {
		req.Chunked = req.Proto == codec.HTTP11
	}
	if o.Limits.BodyTooLarge(r.ContentLength) {
		return codec.ErrBodyTooLarge
	}
	return nil
}
