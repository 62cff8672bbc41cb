package static_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/static"
)

func Example() {
	dir, err := os.MkdirTemp("", "static")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "site.css"), []byte("p{margin:0}"), 0o644); err != nil {
		log.Fatal(err)
	}
	app := engine.HandlerFunc(func(x *engine.Exchange) { x.ReplyText(200, "from the app") })
	files, err := static.New(app, static.Options{Maps: []static.Map{{Prefix: "/static", Path: dir}}})
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
	go func() { served <- server.Serve(files) }()
	for _, path := range []string{"/static/site.css", "/static/other.css"} {
		resp, err := http.Get("http://" + listener.String() + path)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(path, resp.Header.Get("Content-Type"), string(body))
	}
	http.DefaultClient.CloseIdleConnections()
	server.Close()
	if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
		log.Fatal(err)
	}
	// Output:
	// /static/site.css text/css p{margin:0}
	// /static/other.css text/plain; charset=utf-8 from the app
}
