package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
)

// AsHTTP makes a net/http handler of a [Handler], so that it can answer behind
// net/http's own server: over TLS and HTTP/2, beside other routes, under test.
// h runs on the loops of s, which must be serving (without listeners, if need
// be); a request's body is read in full first, as on the server's own connections,
// and the same limits and policy hold.
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
	body, err := n.spool(r.Body)
	if err != nil {
		refuseHTTP(w, err)
		return
	}
	var req codec.Request
	if err := n.parse(r, body.Size(), &req); err != nil {
		body.free()
		refuseHTTP(w, err)
		return
	}
	l := n.srv.loops[n.turn.Add(1)%uint32(len(n.srv.loops))]
	out := &netOutput{wake: make(chan struct{}, 1)}
	x := &Exchange{loop: l, out: out, req: req, body: body}
	x.remote = remote{https: r.TLS != nil}
	if host, port, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		p, _ := strconv.ParseUint(port, 10, 16)
		x.remote.text, x.remote.textPort = host, uint16(p)
	}
	ref := x.Ref() // from here on x belongs to the loop
	err = l.Post(func() {
		l.guests[x] = struct{}{}
		x.started = l.Now()
		l.serve(x, n.handler)
	})
	if err != nil {
		x.body.free()
		http.Error(w, serverStopping, http.StatusServiceUnavailable)
		return
	}
	out.copyTo(w, r.Context(), ref)
}

const serverStopping = "the server is stopping"

// spool reads a body within the server's limits.
func (n *netHTTP) spool(r io.Reader) (b Body, err error) {
	if r == http.NoBody {
		return b, nil
	}
	buf := make([]byte, smallBody)
	o := &n.srv.opt
	for {
		got, err := r.Read(buf)
		if got > 0 {
			if o.Limits.BodyTooLarge(b.size + int64(got)) {
				b.free()
				return Body{}, codec.ErrBodyTooLarge
			}
			if err := b.add(buf[:got], n.srv); err != nil {
				b.free()
				return Body{}, err
			}
		}
		if errors.Is(err, io.EOF) {
			if err := b.complete(); err != nil {
				b.free()
				return Body{}, err
			}
			return b, nil
		}
		if err != nil {
			b.free()
			return Body{}, errIncomplete
		}
	}
}

// parse writes the head down and has the decoder read it, so that a request is
// judged by the same rules whatever way it came.
func (n *netHTTP) parse(r *http.Request, size int64, req *codec.Request) error {
	var b bytes.Buffer
	target := r.URL.RequestURI()
	if strings.ContainsAny(r.Method+target+r.Host, " \r\n") {
		return codec.ErrRequestLine // only a request that no server has read can be so
	}
	b.WriteString(r.Method + " " + target + " HTTP/1.1\r\nHost: " + r.Host + "\r\n")
	if size > 0 || r.ContentLength != 0 {
		b.WriteString("Content-Length: " + strconv.FormatInt(size, 10) + "\r\n")
	}
	header := r.Header.Clone()
	for _, own := range []string{"Host", "Content-Length", "Transfer-Encoding", "Expect"} {
		header.Del(own)
	}
	if err := header.Write(&b); err != nil {
		return codec.ErrFieldValue
	}
	b.WriteString("\r\n")
	d := http1.Decoder{Limits: n.srv.opt.Limits, Policy: n.srv.opt.Policy}
	got, err := d.Head(b.Bytes(), req)
	if err == nil && got != b.Len() {
		return codec.ErrRequestLine
	}
	return err
}

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

// netOutput takes a response on the loop and hands it to the goroutine that
// net/http runs the request on.
type netOutput struct {
	wake chan struct{}

	mu     sync.Mutex // guards what follows
	pieces []piece
	closed bool // nobody takes any more
}

// piece is a part of a response.
type piece struct {
	head   *http.Response // for the first
	data   []byte
	file   *os.File
	off, n int64
	stream bool // data of a streamed response, whose producer counts on it going out
	last   bool
	abort  bool
}

func (o *netOutput) put(x *Exchange, p piece) {
	x.ahead += len(p.data)
	x.outcome.BodyBytes += int64(len(p.data)) + p.n
	o.mu.Lock()
	if !o.closed {
		o.pieces = append(o.pieces, p)
	} else if p.file != nil {
		_ = p.file.Close()
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
	if p.last || p.abort {
		x.phase = phaseEnded
		x.outcome.Aborted = x.outcome.Aborted || p.abort
		x.loop.release(x)
	}
}

// netHead keeps a response's head, which is valid during the call only. Where it
// has no body, a length of 0 usually means that the handler made none: see
// [http1.AppendHead].
func netHead(x *Exchange, resp *codec.Response) *http.Response {
	h := &http.Response{StatusCode: resp.Status, Header: make(http.Header, len(resp.Header)), ContentLength: resp.ContentLength}
	lengthGiven := false
	for _, f := range resp.Header {
		if codec.KeepResponseField(f.Name) {
			h.Header.Add(string(f.Name), string(f.Value))
		} else if codec.EqualName(f.Name, []byte("Content-Length")) {
			lengthGiven = true
		}
	}
	switch {
	case resp.Status == http.StatusNoContent,
		h.ContentLength == 0 && !lengthGiven && (x.req.Head || resp.Status == http.StatusNotModified):
		h.ContentLength = -1
	}
	x.outcome.Status = resp.Status
	x.outcome.Headers = len(resp.Header)
	return h
}

// Reply implements [Output].
func (o *netOutput) Reply(x *Exchange, resp *codec.Response, body []byte) {
	if x.phase != phaseHandler {
		return
	}
	if !x.req.Head || resp.ContentLength < 0 {
		resp.ContentLength = int64(len(body))
	}
	if x.req.Head {
		body = nil
	}
	o.put(x, piece{head: netHead(x, resp), data: bytes.Clone(body), last: true})
}

// ReplyFile implements [Output].
func (o *netOutput) ReplyFile(x *Exchange, resp *codec.Response, f *os.File, off, n int64) {
	if x.phase != phaseHandler {
		_ = f.Close()
		return
	}
	resp.ContentLength = n
	o.put(x, piece{head: netHead(x, resp), file: f, off: off, n: n, last: true})
}

// Start implements [Output].
func (o *netOutput) Start(x *Exchange, resp *codec.Response) {
	if x.phase != phaseHandler {
		return
	}
	x.phase = phaseStream
	x.left = resp.ContentLength
	o.put(x, piece{head: netHead(x, resp), stream: true})
}

// Write implements [Output].
func (o *netOutput) Write(x *Exchange, p []byte) {
	if x.phase != phaseStream || len(p) == 0 || x.req.Head {
		return
	}
	if x.left >= 0 {
		if int64(len(p)) > x.left {
			p = p[:x.left]
			x.outcome.Aborted = true
		}
		x.left -= int64(len(p))
	}
	o.put(x, piece{data: bytes.Clone(p), stream: true})
}

// End implements [Output].
func (o *netOutput) End(x *Exchange) {
	if x.phase == phaseStream {
		o.put(x, piece{last: true, abort: x.left > 0 && !x.req.Head})
	}
}

// Abort implements [Output].
func (o *netOutput) Abort(x *Exchange) {
	switch x.phase {
	case phaseHandler:
		resp := x.Response()
		resp.Status = http.StatusInternalServerError
		resp.Header = append(resp.Header, codec.Header{Name: nameContentType, Value: textPlain})
		o.Reply(x, resp, []byte("Internal Server Error"))
	case phaseStream:
		o.put(x, piece{abort: true})
	}
}

// copyTo writes the response as it comes, until it is complete, the client has
// gone or the server has been closed.
func (o *netOutput) copyTo(w http.ResponseWriter, ctx context.Context, ref Ref) {
	defer o.discard()
	rc := http.NewResponseController(w)
	begun := false
	for {
		stopped := false
		select {
		case <-ctx.Done():
			_ = ref.Post(func(x *Exchange) { x.loop.gone(x) })
			return
		case <-ref.x.loop.srv.done:
			stopped = true
		case <-o.wake:
		}
		ahead := 0
		pieces := o.take()
		for _, p := range pieces {
			begun = true
			if o.write(w, p); p.last {
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
			ref.x.body.free() // no loop runs that could
			http.Error(w, serverStopping, http.StatusServiceUnavailable)
			return
		case len(pieces) > 0:
			_ = rc.Flush()
			_ = ref.Post(func(x *Exchange) { x.loop.wrote(x, ahead) })
		}
	}
}

// write writes one piece. Where the response cannot be completed it has net/http
// close the connection or reset the stream.
func (o *netOutput) write(w http.ResponseWriter, p piece) {
	if p.abort {
		panic(http.ErrAbortHandler)
	}
	if p.head != nil {
		maps.Copy(w.Header(), p.head.Header)
		if p.head.ContentLength >= 0 {
			w.Header().Set("Content-Length", strconv.FormatInt(p.head.ContentLength, 10))
		}
		w.WriteHeader(p.head.StatusCode)
	}
	if p.file != nil {
		n, err := io.Copy(w, io.NewSectionReader(p.file, p.off, p.n))
		_ = p.file.Close()
		if n < p.n && !errors.Is(err, http.ErrBodyNotAllowed) {
			panic(http.ErrAbortHandler) // it has become shorter, or the client has gone
		}
	}
	_, _ = w.Write(p.data) // a client that has gone shows in the context
}

func (o *netOutput) take() []piece {
	o.mu.Lock()
	defer o.mu.Unlock()
	pieces := o.pieces
	o.pieces = nil
	return pieces
}

// discard drops what has not been taken, and all that is still to come.
func (o *netOutput) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for _, p := range o.pieces {
		if p.file != nil {
			_ = p.file.Close()
		}
	}
	o.pieces = nil
}

// wrote takes note that n bytes have gone to the client of an exchange without
// a connection.
func (l *loop) wrote(x *Exchange, n int) {
	before := x.ahead
	x.ahead -= n
	if x.watcher != nil && before > DrainedBelow && x.ahead <= DrainedBelow {
		x.watcher.Drained(x)
	}
}
