package proxy

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec/http1"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
)

// recorder is an upstream that reads requests with another parser, and keeps what it understands. What
// is left of a connection that is no request is kept, too.
type recorder struct {
	mu   sync.Mutex
	seen []string
}

func (r *recorder) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, s)
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

func (r *recorder) serve(_ int, c net.Conn, in *bufio.Reader) {
	for {
		req, err := http.ReadRequest(in)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.add("no request: " + err.Error())
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // cut off, so it is not taken for whole
		}
		r.add(fmt.Sprintf("%s %s %q", req.Method, req.RequestURI, body))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
	}
}

// httpCase is a request of the corpus.
type httpCase struct {
	ID, Raw string
	RawZ    string `json:"raw_z"`
	Steps   []string
}

func (c *httpCase) bytes(t *testing.T) []byte {
	decode := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if c.RawZ != "" {
		z, err := zlib.NewReader(bytes.NewReader(decode(c.RawZ)))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := decode(c.Raw)
	for _, s := range c.Steps {
		b = append(b, decode(s)...)
	}
	return b
}

// corpus reads the requests of the collection that is no part of this project.
func corpus(t *testing.T) (cases []httpCase) {
	name := cmp.Or(os.Getenv("UWSGO_HTTP_CORPUS"), "../../../shared/corpora/http/cases.json")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Skipf("SKIP: no corpus of requests: %v", err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// sendAll sends bytes, ends its side and reads until the server has.
func sendAll(t *testing.T, addr string, b []byte) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(surely))
	go func() {
		_, _ = c.Write(b)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	if _, err := io.Copy(io.Discard, c); os.IsTimeout(err) {
		t.Errorf("the connection is not closed after %.200q", b)
	}
}

// What the proxy takes for one request the upstream takes for the same one: hostile requests are
// either refused, or have the same borders on both sides.
func TestBorders(t *testing.T) {
	cases := corpus(t)
	rec := &recorder{}
	f := newFront(t, to(raw(t, rec.serve)), nil, engine.HTTP)

	var own recorder // what the engine itself understands
	server, err := engine.New(engine.Options{Loops: 1, Logf: func(string, ...any) {}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := server.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(engine.WholeBody(engine.HandlerFunc(func(x *engine.Exchange) {
			r := x.Request()
			own.add(fmt.Sprintf("%s %s %q", r.Bytes(r.Method), http1.AppendTarget(nil, r), x.Body().Bytes()))
			x.ReplyText(200, "hi")
		})))
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		<-served
	})
	requests := 0
	for _, c := range cases {
		b := c.bytes(t)
		sendAll(t, ln.String(), b)
		sendAll(t, f.addr, b)
		want, got := own.take(), rec.take()
		requests += len(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the upstream has\n%.300q\nthe proxy had\n%.300q", c.ID, got, want)
		}
	}
	t.Logf("%d cases, %d requests went on", len(cases), requests)
}

// The same for packets, whose variables may hold anything.
func TestBordersFromUwsgi(t *testing.T) {
	rec := &recorder{}
	f := newFront(t, to(raw(t, rec.serve)), nil, engine.UWSGI)
	tests := []struct {
		name string
		vars []uwsgi.Var // beside the usual ones; of a name that comes twice the last counts
		body string
		want string
	}{
		{"usual", nil, "", `GET /a "" `},
		{"body", []uwsgi.Var{{Name: "REQUEST_METHOD", Value: "POST"}, {Name: "CONTENT_LENGTH", Value: "5"}}, "hello", `POST /a "hello" `},
		{"more_body_than_said", []uwsgi.Var{{Name: "REQUEST_METHOD", Value: "POST"}, {Name: "CONTENT_LENGTH", Value: "5"}}, "helloGET /evil HTTP/1.1\r\nHost: h\r\n\r\n", `POST /a "hello" `},
		{"less_body_than_said", []uwsgi.Var{{Name: "REQUEST_METHOD", Value: "POST"}, {Name: "CONTENT_LENGTH", Value: "50"}}, "hello", ""},
		{"target_that_ends_the_line", []uwsgi.Var{{Name: "REQUEST_URI", Value: "/a HTTP/1.1\r\nX: y\r\n\r\nGET /evil"}}, "", ""},
		{"target_with_a_version", []uwsgi.Var{{Name: "REQUEST_URI", Value: "/a HTTP/1.1"}}, "", `GET /a "" `},
		{"field_that_ends_the_line", []uwsgi.Var{{Name: "HTTP_X", Value: "a\r\nContent-Length: 5"}}, "", ""},
		{"field_name_with_a_colon", []uwsgi.Var{{Name: "HTTP_TRANSFER_ENCODING: CHUNKED\r\nX", Value: "a"}}, "", ""},
		{"field_name_with_a_blank", []uwsgi.Var{{Name: "HTTP_TRANSFER-ENCODING ", Value: "chunked"}}, "", `GET /a "" `},
		{"length_as_a_field", []uwsgi.Var{{Name: "HTTP_CONTENT_LENGTH", Value: "5"}, {Name: "HTTP_TRANSFER_ENCODING", Value: "chunked"}}, "", `GET /a "" `},
		{"length_in_another_case", []uwsgi.Var{{Name: "HTTP_Content-Length", Value: "5"}, {Name: "HTTP_transfer-encoding", Value: "chunked"}}, "", `GET /a "" `},
		{"type_that_ends_the_line", []uwsgi.Var{{Name: "CONTENT_TYPE", Value: "a\r\nTransfer-Encoding: chunked"}}, "", ""},
		{"method_that_ends_the_line", []uwsgi.Var{{Name: "REQUEST_METHOD", Value: "GET / HTTP/1.1\r\n"}}, "", ""},
		{"host_that_ends_the_line", []uwsgi.Var{{Name: "HTTP_HOST", Value: "a\r\nX: y"}}, "", ""},
		{"host_with_a_blank", []uwsgi.Var{{Name: "HTTP_HOST", Value: "a b"}}, "", ""},
		{"peer_that_ends_the_line", []uwsgi.Var{{Name: "REMOTE_ADDR", Value: "1.2.3.4\r\nX: y"}}, "", `GET /a "" `},
		{"version", []uwsgi.Var{{Name: "SERVER_PROTOCOL", Value: "HTTP/0.9"}}, "", `GET /a "" `},
		{"connect", []uwsgi.Var{{Name: "REQUEST_METHOD", Value: "CONNECT"}}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			usual := []uwsgi.Var{{Name: "REQUEST_METHOD", Value: "GET"}, {Name: "REQUEST_URI", Value: "/a"}, {Name: "PATH_INFO", Value: "/a"}, {Name: "HTTP_HOST", Value: "h"}, {Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"}}
			packet, err := uwsgi.AppendPacket(nil, 0, 0, append(usual, tt.vars...))
			if err != nil {
				t.Fatal(err)
			}
			sendAll(t, f.addr, append(packet, tt.body...))
			got := ""
			for _, s := range rec.take() {
				got += s + " "
			}
			if got != tt.want {
				t.Errorf("the upstream has %q, want %q", got, tt.want)
			}
		})
	}
	if strings.Contains(f.log.String(), "panic") {
		t.Error("it has panicked")
	}
}
