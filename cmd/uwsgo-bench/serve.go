package main

import (
	"fmt"
	"net/http"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// hello is what both Go servers answer.
var hello = []byte("Hello World!")

// serveHello answers hello world on addr until the process is killed.
func serveHello(by, addr string) error {
	switch by {
	case "net-http":
		return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "12")
			_, _ = w.Write(hello)
		}))
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
		return fmt.Errorf("-serve: %q is neither reactor nor net-http", by)
	}
}
