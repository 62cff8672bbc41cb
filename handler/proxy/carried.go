package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"os"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// net/http asks upstreams over TLS and HTTP/2, on goroutines. The loop owns the exchange, and each
// goroutine has one request.

// transports has the HTTP clients for the upstreams of a Handler that speak https or h2c.
type transports struct{ roots *x509.CertPool }

func newTransports(file string) (t transports, err error) {
	if file == "" {
		return t, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return t, fmt.Errorf("authorities of upstreams: %w", err)
	}
	t.roots = x509.NewCertPool()
	if !t.roots.AppendCertsFromPEM(pem) {
		return t, fmt.Errorf("authorities of upstreams: %s has no certificate", file)
	}
	return t, nil
}

// of returns the client for s.
func (t transports) of(s *server, cfg *Config) *http.Transport {
	name := cfg.ServerName
	if name == "" {
		name = s.address.host
		if host, _, err := net.SplitHostPort(string(s.host)); err == nil {
			name = host
		} else if s.address.path == "" {
			name = string(s.host)
		}
	}
	protocols := new(http.Protocols)
	if s.address.proto == protoH2C {
		protocols.SetUnencryptedHTTP2(true)
	} else {
		protocols.SetHTTP1(true)
		protocols.SetHTTP2(true)
	}
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			d := net.Dialer{Timeout: cfg.ConnectTimeout}
			return d.DialContext(ctx, s.addr.Network(), s.addr.String())
		},
		TLSClientConfig:     &tls.Config{RootCAs: t.roots, ServerName: name, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: cfg.ConnectTimeout, IdleConnTimeout: cfg.IdleTimeout, MaxIdleConnsPerHost: max(cfg.Idle, 1), DisableKeepAlives: cfg.Idle < 0,
		MaxResponseHeaderBytes: int64(cfg.Head), DisableCompression: true, Protocols: protocols,
	}
}

// carried is a call that net/http carries out. Its methods run on the loop.
type carried struct {
	c       *call
	ref     engine.Ref
	cancel  context.CancelCauseFunc
	ctx     context.Context
	pieces  chan []byte // of the request's body, one at a time
	failed  error       // of the body; set before pieces is closed
	drained chan struct{}
}

// carry asks the upstream of c by net/http.
func (c *call) carry() {
	p, x := c.port, c.x
	head, err := c.appendHead(p.out[:0])
	p.out = head
	var req *http.Request
	if err == nil {
		req, err = http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	}
	if err != nil {
		x.Refuse(err)
		p.free(c)
		return
	}
	y := &carried{c: c, ref: x.Ref(), drained: make(chan struct{}, 1)}
	y.ctx, y.cancel = context.WithCancelCause(context.Background())
	scheme := "https"
	if c.slot.address.proto == protoH2C {
		scheme = "http"
	}
	req.URL = &url.URL{Scheme: scheme, Host: string(c.slot.server.host), Opaque: ""}
	if u, err := url.ParseRequestURI(req.RequestURI); err == nil {
		req.URL.Path, req.URL.RawPath, req.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
	} else {
		req.URL.Opaque = req.RequestURI
	}
	req.RequestURI, req.Body, req.ContentLength, req.TransferEncoding = "", nil, c.length, nil
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header["User-Agent"] = nil // else net/http says its own
	}
	c.phase = phaseAwait
	x.Watch(y)
	s, cfg := c.slot.server, &p.h.cfg
	if c.length != 0 {
		r, w := io.Pipe()
		req.Body = r
		c.upload = uploadOpen
		y.pieces = make(chan []byte, 1)
		go y.send(w)
	}
	go y.run(req, s, cfg)
	if c.length != 0 {
		x.ReadBody(y)
	}
}

// Data implements [engine.BodyReader].
func (y *carried) Data(x *engine.Exchange, b []byte) {
	y.pieces <- bytes.Clone(b) // there is room: the body is held until the piece before has left
	x.HoldBody(true)
}

// End implements [engine.BodyReader].
func (y *carried) End(*engine.Exchange) { close(y.pieces) }

// Failed implements [engine.BodyReader].
func (y *carried) Failed(x *engine.Exchange, err error) {
	y.failed = err
	close(y.pieces)
	y.cancel(err)
	x.Refuse(err)
	y.c.port.free(y.c)
}

// Drained implements [engine.Watcher].
func (y *carried) Drained(*engine.Exchange) {
	select {
	case y.drained <- struct{}{}:
	default:
	}
}

// Gone implements [engine.Watcher].
func (y *carried) Gone(*engine.Exchange) {
	y.cancel(context.Canceled)
	y.c.port.free(y.c)
}

// send passes the body on. It runs on a goroutine of its own.
func (y *carried) send(w *io.PipeWriter) {
	for {
		select {
		case p, more := <-y.pieces:
			if !more {
				_ = w.CloseWithError(y.failed)
				return
			}
			if _, err := w.Write(p); err != nil {
				return // the answer has come, or never will
			}
			_ = y.ref.Post(func(x *engine.Exchange) { x.HoldBody(false) })
		case <-y.ctx.Done():
			_ = w.CloseWithError(y.ctx.Err())
			return
		}
	}
}

// on runs fn on the loop and waits. It reports false when the exchange is over.
func (y *carried) on(fn func(x *engine.Exchange)) bool {
	done := make(chan bool, 1)
	err := y.ref.PostOr(func(x *engine.Exchange) {
		fn(x)
		done <- true
	}, func() { done <- false })
	return err == nil && <-done
}

// run sends the request and passes the answer on. It runs on a goroutine of its own.
func (y *carried) run(req *http.Request, s *server, cfg *Config) {
	defer y.cancel(context.Canceled)
	late := time.AfterFunc(cfg.ConnectTimeout+cfg.ReadTimeout, func() { y.cancel(os.ErrDeadlineExceeded) })
	defer late.Stop()
	trace := &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			if code != http.StatusContinue {
				y.on(func(x *engine.Exchange) { x.Inform(response(code, http.Header(header), -1)) })
			}
			return nil
		},
		WroteRequest: func(httptrace.WroteRequestInfo) { late.Reset(cfg.ReadTimeout) },
	}
	resp, err := s.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(y.ctx, trace)))
	if err != nil {
		if cause := context.Cause(y.ctx); cause != nil {
			err = cause
		}
		y.on(func(*engine.Exchange) { y.fails(err) })
		return
	}
	defer resp.Body.Close()
	head := response(resp.StatusCode, resp.Header, resp.ContentLength)
	if err := codec.Validate(head); err != nil || resp.StatusCode < 200 {
		y.on(func(*engine.Exchange) { y.fails(&answerError{cmpErr(err, resp.StatusCode)}) })
		return
	}
	buf := make([]byte, 32<<10)
	n, err := io.ReadFull(resp.Body, buf)
	whole := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && (resp.ContentLength < 0 || int64(n) == resp.ContentLength) || resp.ContentLength == int64(n)
	if whole && (resp.ContentLength < 0 || req.Method == http.MethodHead || int64(n) == resp.ContentLength || n == 0 && resp.StatusCode == 304) {
		y.on(func(x *engine.Exchange) {
			s.works()
			x.Reply(head, buf[:n])
			y.c.port.free(y.c)
		})
		return
	}
	y.stream(resp.Body, head, buf, n, err, late, cfg)
}

func cmpErr(err error, status int) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("status %d is no answer", status)
}

// stream passes on an answer that comes in pieces.
func (y *carried) stream(body io.Reader, head *codec.Response, buf []byte, n int, err error, late *time.Timer, cfg *Config) {
	first := true
	for {
		late.Reset(cfg.ReadTimeout)
		ended := errors.Is(err, io.EOF)
		wait := false
		p := buf[:n]
		alive := y.on(func(x *engine.Exchange) {
			if first {
				y.c.slot.works()
				y.c.phase = phaseBody
				x.Start(head)
			}
			if len(p) > 0 {
				x.Write(p)
			}
			switch {
			case ended:
				x.End()
				y.c.port.free(y.c)
			case err != nil:
				y.fails(err)
			default:
				wait = x.Buffered() > aheadMost
			}
		})
		if !alive || err != nil {
			return
		}
		first = false
		if wait {
			late.Stop()
			select {
			case <-y.drained:
			case <-y.ctx.Done():
				return
			}
			late.Reset(cfg.ReadTimeout)
		}
		if n, err = body.Read(buf); err != nil && context.Cause(y.ctx) != nil {
			err = context.Cause(y.ctx)
		}
	}
}

// fails continues after a failure, on the loop.
func (y *carried) fails(err error) {
	c := y.c
	if op := new(net.OpError); errors.As(err, &op) && op.Op == "dial" {
		c.phase = phaseDial
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		err = os.ErrDeadlineExceeded
	}
	c.fails(err)
}

// response converts a response head of net/http.
func response(status int, header http.Header, length int64) *codec.Response {
	r := &codec.Response{Status: status, ContentLength: length}
	for name, values := range header {
		for _, v := range values {
			r.Header = append(r.Header, codec.Header{Name: []byte(name), Value: []byte(v)})
		}
	}
	return r
}
