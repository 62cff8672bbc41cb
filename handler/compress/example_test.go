package compress_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/compress"
)

func Example() {
	pool := engine.NewPool(1, 16, log.Printf)
	defer pool.Close()
	app := engine.HandlerFunc(func(x *engine.Exchange) { x.ReplyText(200, strings.Repeat("Hello World!\n", 500)) })

	server, err := engine.New(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := server.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- server.Serve(compress.New(app, compress.Options{Pool: pool})) }()

	request, err := http.NewRequest("GET", "http://"+listener.String(), nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "gzip, zstd")
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println(resp.Header.Get("Content-Encoding"), resp.Header.Get("Vary"), len(body) < 100)

	http.DefaultClient.CloseIdleConnections()
	server.Close()
	if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
		log.Fatal(err)
	}
	// Output: zstd Accept-Encoding true
}
