package cache

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// refresh starts a background fetch for s while the client gets s. It reports whether one runs.
func (c *Handler) refresh(x *engine.Exchange, key string, s *stored) bool {
	r := x.Request()
	fkey := key + "\x00" + s.variant
	if c.opt.Server == nil || r.Proto == codec.UWSGI || r.Rewritten || len(r.Vars) > 0 {
		return c.flights.under(fkey) // the first client fetches, the others need not wait
	}
	select {
	case c.background <- struct{}{}:
	default:
		return c.flights.under(fkey)
	}
	f, first := c.flights.lead(fkey)
	if !first {
		<-c.background
		return true
	}
	req, err := requestOf(x)
	if err != nil {
		<-c.background
		c.flights.land(f)
		return false
	}
	h := c.opt.Server.AsHTTP(engine.HandlerFunc(func(x *engine.Exchange) { c.fetch(x, c.askerOf(x), key, s, f, "stale") }))
	go func() {
		defer func() {
			_ = recover() // net/http's way to say that the answer was cut off
			c.flights.land(f)
			<-c.background
		}()
		h.ServeHTTP(&discard{header: http.Header{}}, req)
	}()
	return true
}

// under reports whether a fetch is under way.
func (l *flights) under(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list[key] != nil
}

// requestOf makes the server's own request for the resource of x.
func requestOf(x *engine.Exchange) (*http.Request, error) {
	r := x.Request()
	target := string(r.Bytes(r.Target))
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	req := (&http.Request{
		Method: http.MethodGet, URL: u, RequestURI: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Host: string(r.Bytes(r.Authority)), Header: http.Header{}, Body: http.NoBody,
	}).WithContext(context.Background())
	for _, f := range r.Fields {
		if name := r.Bytes(f.Name); !named(name, ofConditions) && !codec.EqualName(name, []byte("Host")) {
			req.Header.Add(string(name), string(r.Bytes(f.Value)))
		}
	}
	req.RemoteAddr = net.JoinHostPort(string(x.AppendRemoteAddr(nil)), strconv.Itoa(int(x.RemotePort())))
	if x.HTTPS() {
		req.TLS = &tls.ConnectionState{}
	}
	return req, nil
}

// discard is a client that ignores the answer, which the layer stores.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) Flush()                      {}
