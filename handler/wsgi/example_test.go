package wsgi_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/handler/wsgi"
)

// A Python app beside Go handlers: /health is answered on the event loop, /go/ by
// a net/http handler on a pool of goroutines, all else by Python.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server, err := engine.New(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := server.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	pool, err := worker.Start(ctx, worker.Config{
		Loops:     server.Loops(),
		Apps:      []worker.App{{File: "testdata/hello.py"}},
		Processes: 2,
		NeedApp:   true, // an app that cannot be loaded is an error here
	})
	if err != nil {
		log.Fatal(err)
	}
	python, err := wsgi.New(pool, wsgi.Options{Logf: log.Printf})
	if err != nil {
		log.Fatal(err)
	}

	blocking := engine.NewPool(16, 1024, log.Printf)
	mux := http.NewServeMux()
	mux.HandleFunc("/go/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Go answers %s\n", r.URL.Path) // may block: it is on the pool
	})
	goHandler := engine.FromHTTP(mux, blocking)

	served := make(chan error, 1)
	go func() {
		served <- server.Serve(engine.HandlerFunc(func(x *engine.Exchange) {
			switch path := string(x.Request().Path()); {
			case path == "/health":
				x.ReplyText(200, "well\n") // must not block: it is on the loop
			case strings.HasPrefix(path, "/go/"):
				goHandler.Serve(x)
			default:
				python.Serve(x)
			}
		}))
	}()

	for _, path := range []string{"/health", "/go/x", "/python"} {
		resp, err := http.Get("http://" + listener.String() + path)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Printf("%s %s", resp.Status, body)
	}
	http.DefaultClient.CloseIdleConnections()

	// In this order: no new requests, then no workers, then no loops.
	if err := server.Drain(ctx); err != nil {
		log.Print(err) // some clients were too slow; go on
	}
	if err := pool.Stop(ctx); err != nil {
		log.Print(err)
	}
	blocking.Close()
	if err := server.Close(); err != nil {
		log.Print(err)
	}
	fmt.Println(<-served)
	// Output:
	// 200 OK well
	// 200 OK Go answers /go/x
	// 200 OK Python answers /python
	// server closed
}
