package main

import (
	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// readyHeader is of the answers at ready-path, which are of this moment.
var readyHeader = []codec.Header{
	{Name: []byte("Content-Type"), Value: []byte("text/plain; charset=utf-8")},
	{Name: []byte("Cache-Control"), Value: []byte("no-store")},
}

// withReadiness answers at ready-path, if there is one, and has next answer elsewhere.
func (p *program) withReadiness(next engine.Handler) engine.Handler {
	path := p.cfg.ReadyPath
	if path == "" {
		return next
	}
	return engine.HandlerFunc(func(x *engine.Exchange) {
		if string(x.Request().Path()) != path {
			next.Serve(x)
			return
		}
		status, word := 200, "ready"
		switch {
		case p.stopping.Load():
			status, word = 503, "stopping"
		case p.pool != nil && !p.pool.Serving():
			status, word = 503, "no worker"
		}
		r := x.Response()
		r.Status, r.Header = status, append(r.Header, readyHeader...)
		x.Reply(r, []byte(word+"\n"))
	})
}
