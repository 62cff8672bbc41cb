package wsgi_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/handler/wsgi"
)

// The pool as an http.Handler: net/http's server does TLS, HTTP/2 and routing, and
// the engine's loops only carry requests to the workers.
func Example_netHTTP() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	loops, err := engine.New(engine.Options{}) // no listeners
	if err != nil {
		log.Fatal(err)
	}
	pool, err := worker.Start(ctx, worker.Config{
		Loops: loops.Loops(),
		Apps: []worker.App{
			{File: "testdata/hello.py"},
			{File: "testdata/hello.py", Mount: "/shop"},
		},
		NeedApp: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	python, err := wsgi.New(pool, wsgi.Options{ManageScriptName: true})
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = loops.Serve(python) }()

	mux := http.NewServeMux()
	mux.Handle("/", loops.AsHTTP(python))
	mux.HandleFunc("/go", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Go answers") })
	server := httptest.NewUnstartedServer(mux) // or http.Server and ListenAndServeTLS
	server.EnableHTTP2 = true
	server.StartTLS()

	for _, path := range []string{"/go", "/shop/cart"} {
		resp, err := server.Client().Get(server.URL + path)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Printf("%s %s", resp.Proto, body)
	}

	server.Close() // http.Server: Shutdown
	if err := pool.Stop(ctx); err != nil {
		log.Print(err)
	}
	if err := loops.Close(); err != nil {
		log.Print(err)
	}
	// Output:
	// HTTP/2.0 Go answers
	// HTTP/2.0 Python answers /shop/cart
}
