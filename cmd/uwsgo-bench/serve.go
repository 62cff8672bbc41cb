package main

import (
	"fmt"
	"net/http"

	"github.com/valyala/fasthttp"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// hello is the answer of the Go servers. It equals that of the WSGI app.
var hello = []byte("Hello World!")

const serveKinds = "net-http|fasthttp|reactor"

// serveHello answers hello world on addr until the process is killed. It shows what a
// Go server costs without Python.
func serveHello(kind, addr string) error {
	switch kind {
	case "net-http":
		return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "12")
			_, _ = w.Write(hello)
		}))
	case "fasthttp":
		return fasthttp.ListenAndServe(addr, func(c *fasthttp.RequestCtx) {
			c.SetContentType("text/plain")
			c.SetBody(hello)
		})
	case "reactor":
		server, err := engine.New(engine.Options{})
		if err != nil {
			return err
		}
		if _, err := server.Listen(addr, engine.ListenOptions{}); err != nil {
			return err
		}
		header := codec.Header{Name: []byte("Content-Type"), Value: []byte("text/plain")}
		return server.Serve(engine.HandlerFunc(func(x *engine.Exchange) {
			resp := x.Response()
			resp.Header = append(resp.Header, header)
			x.Reply(resp, hello)
		}))
	default:
		return fmt.Errorf("serve: %q is none of %s", kind, serveKinds)
	}
}
