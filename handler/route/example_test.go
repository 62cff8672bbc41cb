package route_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/route"
)

// Rules in front of a handler.
func Example() {
	var rules []*route.Rule
	for _, r := range [][2]string{
		{"route", "^/admin basicauth:Staff only,jane:secret"},
		{"route-if", "contains:${PATH_INFO};/.git return:404"},
	} {
		rule, err := route.Parse(r[0], r[1])
		if err != nil {
			log.Fatal(err)
		}
		rules = append(rules, rule)
	}
	hello := engine.HandlerFunc(func(x *engine.Exchange) { x.ReplyText(200, "hello") })
	h, err := route.New(hello, route.Options{Rules: rules})
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
	go func() { served <- server.Serve(h) }()
	for _, path := range []string{"/", "/admin", "/.git/config"} {
		resp, err := http.Get("http://" + listener.String() + path)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(path, resp.StatusCode, string(body))
	}
	http.DefaultClient.CloseIdleConnections()
	server.Close()
	if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
		log.Fatal(err)
	}
	// Output:
	// / 200 hello
	// /admin 401 Unauthorized
	// /.git/config 404 Not Found
}
