package engine

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
)

// TestGoneBeforeTheAnswer: the outcome of an answer that nobody took says so, in whatever
// way it is given, and counts no byte of it.
func TestGoneBeforeTheAnswer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	sendFile := func(n int64) func(*Exchange) {
		return func(x *Exchange) {
			f, err := os.Open(file)
			if err != nil {
				panic(err)
			}
			x.ReplyFile(x.Response(), f, 0, n)
		}
	}
	stream := func(length int64) func(*Exchange) {
		return func(x *Exchange) {
			resp := x.Response()
			resp.ContentLength = length
			x.Start(resp)
			x.Write(make([]byte, 10_000))
			x.Write(make([]byte, 10_000))
			x.End()
		}
	}
	for _, tt := range []struct {
		name   string
		answer func(*Exchange)
	}{
		{"whole", func(x *Exchange) { x.Reply(x.Response(), make([]byte, 10_000)) }},
		{"large", func(x *Exchange) { x.Reply(x.Response(), make([]byte, 1_000_000)) }},
		{"empty", func(x *Exchange) { x.Reply(x.Response(), nil) }},
		{"empty file", sendFile(0)},
		{"small file", sendFile(10_000)},
		{"large file", sendFile(100_000)},
		{"chunks", stream(-1)},
		{"stream of known length", stream(20_000)},
		{"not modified", func(x *Exchange) {
			resp := x.Response()
			resp.Status, resp.Header = 304, append(resp.Header, codec.Header{Name: []byte("ETag"), Value: []byte(`"a"`)})
			x.Reply(resp, nil)
		}},
	} {
		for _, version := range []string{"1.0", "1.1"} {
			t.Run(tt.name+" "+version, func(t *testing.T) {
				begun, left := make(chan bool), make(chan bool)
				finished := make(chan Outcome, 1)
				srv, err := New(Options{Loops: 1, Logf: t.Logf, OnFinish: func(_ *Exchange, o Outcome) { finished <- o }})
				if err != nil {
					t.Fatal(err)
				}
				ln, err := srv.Listen(filepath.Join(t.TempDir(), "s"), ListenOptions{})
				if err != nil {
					t.Fatal(err)
				}
				serve(t, srv, HandlerFunc(func(x *Exchange) {
					begun <- true
					<-left
					tt.answer(x)
				}))
				c, err := net.Dial("unix", ln.String())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(c, "GET / HTTP/"+version+"\r\nHost: a\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				<-begun
				_ = c.Close()
				left <- true
				if o := <-finished; !o.Aborted || o.Broken != clientGone || o.BodyBytes != 0 {
					t.Errorf("%+v", o)
				}
				eventually(t, "files are closed", func() bool { return srv.files.Load() == 0 })
			})
		}
	}
}
