package proxy_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/proxy"
)

// Two upstreams take turns. In a program of its own, engine.Run does what is said of the server here.
func Example() {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "for %s", r.Header.Get("X-Forwarded-For"))
	})
	one, two := httptest.NewServer(answer), httptest.NewServer(answer)
	defer one.Close()
	defer two.Close()

	upstreams, err := proxy.New(proxy.Config{Servers: []proxy.Server{{Address: one.URL}, {Address: two.URL, Weight: 2}}})
	if err != nil {
		log.Fatal(err)
	}
	server, err := engine.New(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := server.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- server.Serve(upstreams) }()

	resp, err := http.Get("http://" + listener.String() + "/")
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	fmt.Println(resp.StatusCode, string(body))

	upstreams.Close()
	http.DefaultClient.CloseIdleConnections()
	_ = server.Shutdown(context.Background())
	fmt.Println(<-served)
	// Output:
	// 200 for 127.0.0.1
	// server closed
}
