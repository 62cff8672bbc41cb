package engine_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// proxy passes requests on to another server, bodies as they come.
type proxy struct {
	to   string
	pool *engine.Pool
}

// Serve implements engine.Handler. The goroutine has the network; the loop has x.
func (p *proxy) Serve(x *engine.Exchange) {
	r := x.Request()
	pr, pw := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	up := &upload{ref: x.Ref(), pieces: make(chan []byte, 1), cancel: cancel}
	req, err := http.NewRequestWithContext(ctx, string(r.Bytes(r.Method)), p.to+string(r.Path()), pr)
	if err != nil {
		x.ReplyText(400, "Bad Request\n")
		return
	}
	req.ContentLength = x.ContentLength()
	err = p.pool.Go(func() {
		defer cancel()
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			_ = up.ref.Post(func(x *engine.Exchange) { x.ReplyText(502, "Bad Gateway\n") })
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body) // an answer can be streamed likewise, by Start and Write
		_ = up.ref.Post(func(x *engine.Exchange) {
			answer := x.Response()
			answer.Status = resp.StatusCode
			x.Reply(answer, body)
		})
	})
	if err != nil {
		cancel()
		x.ReplyText(503, "Service Unavailable\n")
		return
	}
	go up.copyTo(pw, ctx)
	x.Watch(up)
	x.ReadBody(up)
}

// upload is a body on its way: one piece at a time, and the client waits meanwhile.
type upload struct {
	ref    engine.Ref
	pieces chan []byte
	cancel context.CancelFunc
	err    error // set before pieces is closed
}

func (u *upload) Data(x *engine.Exchange, p []byte) {
	u.pieces <- append([]byte(nil), p...) // there is room: it is held until the one before has left
	x.HoldBody(true)
}
func (u *upload) End(*engine.Exchange)               { close(u.pieces) }
func (u *upload) Failed(x *engine.Exchange, e error) { u.err = e; close(u.pieces); x.Refuse(e) }
func (u *upload) Drained(*engine.Exchange)           {}
func (u *upload) Gone(*engine.Exchange)              { u.cancel() }

func (u *upload) copyTo(w *io.PipeWriter, ctx context.Context) {
	for {
		select {
		case p, more := <-u.pieces:
			if !more {
				_ = w.CloseWithError(u.err) // nil: the end
				return
			}
			_, _ = w.Write(p)
			_ = u.ref.Post(func(x *engine.Exchange) { x.HoldBody(false) })
		case <-ctx.Done():
			_ = w.CloseWithError(ctx.Err())
			return
		}
	}
}

// cache answers from memory what has been answered before.
type cache struct {
	next  engine.Handler
	mu    sync.Mutex
	pages map[string][]byte
}

func (c *cache) Serve(x *engine.Exchange) {
	r := x.Request()
	key := string(r.Path())
	c.mu.Lock()
	page, ok := c.pages[key]
	c.mu.Unlock()
	if ok {
		x.Reply(x.Response(), page)
		return
	}
	if string(r.Bytes(r.Method)) == "GET" {
		x.Push(&fill{cache: c, key: key})
	}
	c.next.Serve(x)
}

// fill keeps the answer that passes, once it is known to be whole.
type fill struct {
	engine.Pass
	cache *cache
	key   string
	page  []byte
}

func (f *fill) Reply(x *engine.Exchange, resp *codec.Response, body []byte) {
	if resp.Status == 200 {
		f.page = append([]byte(nil), body...)
	}
	f.Next().Reply(x, resp, body)
}

func (f *fill) Ended(_ *engine.Exchange, o *engine.Outcome) {
	if f.page != nil && !o.Aborted {
		f.cache.mu.Lock()
		f.cache.pages[f.key] = f.page
		f.cache.mu.Unlock()
	}
}

// rewrite refuses some requests, before their bodies have come, and changes others.
func rewrite(next engine.Handler) engine.Handler {
	return engine.HandlerFunc(func(x *engine.Exchange) {
		r := x.Request()
		rest, old := strings.CutPrefix(string(r.Path()), "/old/")
		switch {
		case strings.HasPrefix(string(r.Path()), "/private/"):
			x.ReplyText(403, "Forbidden\n")
			return
		case old:
			err := errors.Join(r.Rewrite([]byte("/new/"+rest), r.Bytes(r.Query)), r.SetVar("OLD_PATH", string(r.Path())),
				r.SetField([]byte("X-Forwarded-For"), x.AppendRemoteAddr(nil)))
			if err != nil {
				x.Refuse(err)
				return
			}
		}
		next.Serve(x)
	})
}

// metrics counts answers by status, and the time that they took.
type metrics struct {
	answers [6]atomic.Int64
	nanos   atomic.Int64
}

func (m *metrics) around(next engine.Handler) engine.Handler {
	return engine.HandlerFunc(func(x *engine.Exchange) {
		x.Push(&measure{to: m})
		next.Serve(x)
	})
}

type measure struct {
	engine.Pass
	to *metrics
}

func (m *measure) Ended(_ *engine.Exchange, o *engine.Outcome) {
	m.to.answers[o.Status/100].Add(1) // 0: the client has gone
	m.to.nanos.Add(int64(o.Duration))
}

// websocket takes the connection over and sends back what it gets.
type websocket struct{}

func (websocket) Serve(x *engine.Exchange) {
	r := x.Request()
	if !r.Upgrade || string(r.Get("Upgrade")) != "websocket" {
		x.ReplyText(426, "Upgrade Required\n")
		return
	}
	sum := sha1.Sum(append(append([]byte(nil), r.Get("Sec-WebSocket-Key")...), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	resp := x.Response()
	resp.Status = 101
	resp.Header = append(resp.Header, codec.Header{Name: []byte("Upgrade"), Value: []byte("websocket")},
		codec.Header{Name: []byte("Sec-WebSocket-Accept"), Value: base64.StdEncoding.AppendEncode(nil, sum[:])})
	if err := x.TakeOver(resp); err != nil {
		x.ReplyText(501, "Not Implemented\n")
		return
	}
	t := &tunnel{}
	x.Watch(t)
	x.ReadBody(t)
}

// tunnel has bytes as they come: frames are for a library to read.
type tunnel struct{}

func (*tunnel) Data(x *engine.Exchange, p []byte) {
	x.Write(p)
	x.HoldBody(x.Buffered() > engine.DrainedBelow) // a client that does not read is not read from
}
func (*tunnel) Drained(x *engine.Exchange)         { x.HoldBody(false) }
func (*tunnel) End(x *engine.Exchange)             { x.End() }
func (*tunnel) Failed(x *engine.Exchange, _ error) { x.Abort() }
func (*tunnel) Gone(*engine.Exchange)              {}

// The rooms of docs/layers.md, one upon the other.
func Example_layers() {
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s got %d bytes", r.URL.Path, n)
	}))
	pool := engine.NewPool(4, 16, nil)
	counts := &metrics{}
	apps := &cache{next: &proxy{to: behind.URL, pool: pool}, pages: map[string][]byte{}}
	h := counts.around(rewrite(engine.HandlerFunc(func(x *engine.Exchange) {
		if string(x.Request().Path()) == "/socket" {
			websocket{}.Serve(x)
			return
		}
		apps.Serve(x)
	})))
	srv, err := engine.New(engine.Options{Policy: codec.Policy{Upgrade: true}})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(h) }()

	url := "http://" + ln.String()
	resp, err := http.Post(url+"/upload", "text/plain", strings.NewReader(strings.Repeat("x", 1_000_000)))
	show(resp, err)
	for range 2 { // the second from the cache
		resp, err = http.Get(url + "/old/page")
		show(resp, err)
	}
	resp, err = http.Post(url+"/private/x", "text/plain", strings.NewReader("secret"))
	show(resp, err)

	c, err := net.Dial("tcp", ln.String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(c, "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nframes")
	in := bufio.NewReader(c)
	resp, err = http.ReadResponse(in, nil)
	if err != nil {
		log.Fatal(err)
	}
	echo := make([]byte, len("frames"))
	_, _ = io.ReadFull(in, echo)
	fmt.Println(resp.Status, resp.Header.Get("Sec-WebSocket-Accept"), string(echo))
	_ = c.Close()

	http.DefaultClient.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-served)
	pool.Close()
	behind.Close()
	fmt.Println(counts.answers[2].Load(), "answers of 2xx,", counts.answers[4].Load(), "of 4xx")
	// Output:
	// 200 OK /upload got 1000000 bytes
	// 200 OK /new/page got 0 bytes
	// 200 OK /new/page got 0 bytes
	// 403 Forbidden Forbidden
	// 101 Switching Protocols s3pPLMBiTxaQ9kYGzzhZRbK+xOo= frames
	// server closed
	// 3 answers of 2xx, 1 of 4xx
}

func show(resp *http.Response, err error) {
	if err != nil {
		log.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	fmt.Println(resp.Status, strings.TrimSpace(string(b)))
}
