package cache_test

import (
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/cache"
)

func Example() {
	asked := 0
	app := engine.HandlerFunc(func(x *engine.Exchange) {
		asked++
		resp := x.Response()
		resp.Header = append(resp.Header, codec.Header{Name: []byte("Cache-Control"), Value: []byte("max-age=60")})
		x.Reply(resp, fmt.Appendf(nil, "page %d", asked))
	})

	server, err := engine.New(engine.Options{Loops: 1})
	if err != nil {
		log.Fatal(err)
	}
	cached, err := cache.New(app, cache.Options{Size: 64 << 20, Server: server})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := server.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- server.Serve(cached) }()

	for range 2 {
		resp, err := http.Get("http://" + listener.String())
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Println(string(body), resp.Header.Get("X-Cache"))
	}
	http.DefaultClient.CloseIdleConnections()
	_ = server.Close()
	fmt.Println(<-served)
	// Output:
	// page 1 MISS
	// page 1 HIT
	// server closed
}
