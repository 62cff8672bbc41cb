package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
)

// The same Go handler answers web clients and a web server that speaks uwsgi.
func Example() {
	srv, err := engine.New(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	web, err := srv.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	behind, err := srv.Listen("127.0.0.1:0", engine.ListenOptions{Protocol: engine.UWSGI})
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error)
	go func() {
		served <- srv.Serve(engine.HandlerFunc(func(x *engine.Exchange) {
			x.ReplyText(200, fmt.Sprintf("Hello %s!", x.Request().Path()))
		}))
	}()

	fmt.Println(exchange(web.String(), "GET /web HTTP/1.1\r\nHost: example.com\r\n\r\n"))
	packet, err := uwsgi.AppendPacket(nil, 0, 0, []uwsgi.Var{
		{Name: "REQUEST_METHOD", Value: "GET"}, {Name: "PATH_INFO", Value: "/uwsgi"}, {Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(exchange(behind.String(), string(packet)))

	if err := srv.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-served)
	// Output:
	// Hello /web!
	// Hello /uwsgi!
	// server closed
}

// Any net/http handler runs on the reactor, on a fixed number of goroutines.
func ExampleFromHTTP() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "Hello %s!", r.PathValue("name"))
	})
	pool := engine.NewPool(8, 64, log.Printf)
	defer pool.Close()

	srv, err := engine.New(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- srv.Serve(engine.FromHTTP(mux, pool)) }()

	fmt.Println(exchange(ln.String(), "GET /hello/world HTTP/1.1\r\nHost: example.com\r\n\r\n"))

	if err := srv.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-served)
	// Output:
	// Hello world!
	// server closed
}

// exchange sends one request and returns the body of its answer.
func exchange(addr, request string) string {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		log.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	return string(body)
}
