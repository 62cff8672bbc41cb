package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

// A server in one call, whose handler takes what it needs as strings. ListenAndServe does
// the same for ever.
func ExampleRun() {
	hello := engine.HandlerFunc(func(x *engine.Exchange) {
		if x.Method() != "GET" {
			x.ReplyWith(405, nil, "Allow", "GET")
			return
		}
		x.ReplyWith(200, []byte("Hello "+x.Header("X-Name")+x.Path()+"?"+x.Query()), "Content-Type", "text/plain", "Cache-Control", "no-store")
	})
	dir, err := os.MkdirTemp("", "uwsgo")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s") // or ":8080"
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- engine.Run(ctx, path, hello) }()

	for _, method := range []string{"GET", "POST"} {
		resp := ask(path, method+" /a%20b?c=d HTTP/1.1\r\nHost: example.com\r\nx-name: world\r\nConnection: close\r\n\r\n")
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d %q %q %q\n", resp.StatusCode, resp.Header.Get("Allow"), resp.Header.Get("Cache-Control"), body)
	}
	stop()
	fmt.Println(<-ended)
	// Output:
	// 200 "" "no-store" "Hello world/a b?c=d"
	// 405 "GET" "" ""
	// <nil>
}

// ask sends a request to a unix socket, which is there once it is listened on.
func ask(path, request string) *http.Response {
	var c net.Conn
	for {
		var err error
		if c, err = net.Dial("unix", path); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if err != nil {
		log.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
	if err != nil {
		log.Fatal(err)
	}
	return resp
}

// What cannot be listened on is told, and leaves no loop behind.
func TestListenAndServeTells(t *testing.T) {
	for _, addr := range []string{"", "8080", "/no/such/dir/s", "127.0.0.1:99999"} {
		err := engine.ListenAndServe(addr, engine.HandlerFunc(func(*engine.Exchange) {}))
		if err == nil || strings.Contains(err.Error(), "server closed") {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

func TestReplyWithAnOddHeader(t *testing.T) {
	srv, err := engine.New(engine.Options{Logf: func(string, ...any) {}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(engine.HandlerFunc(func(x *engine.Exchange) { x.ReplyWith(200, nil, "Allow") }))
	}()
	resp, err := http.Get("http://" + ln.String())
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 500 {
		t.Errorf("status %d, want 500: a field without a value is a mistake", resp.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
		t.Error(err)
	}
}
