package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// crowd is a server and clients that give its only loop more to do than it can.
type crowd struct {
	tb     testing.TB
	srv    *Server
	addr   string // HTTP
	packet string // uwsgi
	file   string
	probed chan Stats // as they are when a request for /probe is served
	end    chan struct{}
	wg     sync.WaitGroup
}

// crowds are kinds of clients that could keep others from their turn.
var crowds = []struct {
	name string
	join func(c *crowd)
}{
	{"uploads", func(c *crowd) { c.each(4, c.addr, c.upload) }},
	{"uploads_uwsgi", func(c *crowd) { c.each(4, c.packet, c.uploadPacket) }},
	{"tiny_chunks", func(c *crowd) { c.each(4, c.addr, c.chunks) }},
	{"byte_by_byte", func(c *crowd) { c.each(4, c.addr, c.bytewise) }},
	{"downloads", func(c *crowd) { c.each(4, c.addr, c.get("/endless", 1)) }},
	{"whole_answers", func(c *crowd) { c.each(4, c.addr, c.get("/whole", 1)) }},
	{"files", func(c *crowd) { c.each(4, c.addr, c.get("/file", 1)) }},
	{"floods", func(c *crowd) { c.each(4, c.addr, c.get("/small", 2000)) }},
	{"floods_of_small_files", func(c *crowd) { c.each(4, c.addr, c.get("/smallfile", 2000)) }},
	{"accept_storm", func(c *crowd) { c.each(16, c.addr, c.once) }},
	{"refused", func(c *crowd) { c.each(8, c.addr, c.refused) }},
	{"posts", func(c *crowd) { c.wg.Go(c.posts) }},
	{"four_of_each", func(c *crowd) {
		c.each(4, c.addr, c.upload)
		c.each(4, c.addr, c.get("/endless", 1))
		c.each(4, c.addr, c.get("/file", 1))
		c.each(4, c.addr, c.once)
	}},
}

func newCrowd(tb testing.TB) *crowd {
	c := &crowd{tb: tb, file: filepath.Join(tb.TempDir(), "file"), probed: make(chan Stats, 1), end: make(chan struct{})}
	if err := os.WriteFile(c.file, make([]byte, 16<<20), 0o600); err != nil {
		tb.Fatal(err)
	}
	small, piece, whole := []byte("small"), make([]byte, 256<<10), make([]byte, 8<<20)
	var err error
	c.srv, err = New(Options{Loops: 1, TempDir: tb.TempDir(), Logf: func(string, ...any) {}})
	if err != nil {
		tb.Fatal(err)
	}
	listen := func(p Protocol) string {
		ln, err := c.srv.Listen("127.0.0.1:0", ListenOptions{Protocol: p})
		if err != nil {
			tb.Fatal(err)
		}
		return ln.String()
	}
	c.addr, c.packet = listen(HTTP), listen(UWSGI)
	serve(tb, c.srv, HandlerFunc(func(x *Exchange) {
		switch string(x.Request().Path()) {
		case "/probe":
			c.probed <- c.srv.Stats()
			x.Reply(x.Response(), small)
		case "/endless":
			x.Watch(endless{piece})
			x.Start(x.Response())
			endless{piece}.Drained(x)
		case "/whole":
			x.Reply(x.Response(), whole)
		case "/file", "/smallfile":
			f, err := os.Open(c.file)
			if err != nil {
				x.Abort()
				return
			}
			n := int64(16 << 20)
			if string(x.Request().Path()) == "/smallfile" {
				n = 1000
			}
			x.ReplyFile(x.Response(), f, 0, n)
		default:
			x.Reply(x.Response(), small)
		}
	}))
	return c
}

// endless is a producer that is always ready.
type endless struct{ piece []byte }

func (e endless) Drained(x *Exchange) {
	for range 4 {
		if x.Write(e.piece); x.Buffered() > DrainedBelow {
			return // to be called again
		}
	}
	_ = x.Ref().Post(e.Drained)
}

func (e endless) Gone(*Exchange) {}

// each has n clients do work on connections of their own until the crowd ends.
func (c *crowd) each(n int, addr string, work func(net.Conn)) {
	for range n {
		c.wg.Go(func() {
			for !c.over() {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				stop := make(chan struct{})
				go func() {
					select {
					case <-c.end:
					case <-stop:
					}
					_ = conn.Close()
				}()
				work(conn)
				close(stop)
			}
		})
	}
}

func (c *crowd) over() bool {
	select {
	case <-c.end:
		return true
	default:
		return false
	}
}

// leave ends the crowd.
func (c *crowd) leave() {
	close(c.end)
	c.wg.Wait()
	eventually(c.tb, "the crowd has gone", func() bool { return c.srv.Stats().Conns == 0 })
}

// repeat sends head and n bytes of piece again and again and discards what comes back.
func repeat(conn net.Conn, head string, piece []byte, n int) {
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(done)
	}()
	for ok := true; ok; {
		_, err := io.WriteString(conn, head)
		for left := n; left > 0 && err == nil; left -= len(piece) {
			_, err = conn.Write(piece[:min(left, len(piece))])
		}
		ok = err == nil
	}
	_ = conn.Close()
	<-done
}

func (c *crowd) upload(conn net.Conn) {
	repeat(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 33554432\r\n\r\n", make([]byte, 256<<10), 32<<20)
}

func (c *crowd) uploadPacket(conn net.Conn) {
	body := strings.Repeat("x", 32<<20)
	head, _ := strings.CutSuffix(request(c.tb, UWSGI, "POST", "/", body), body)
	_, err := io.WriteString(conn, head)
	for at := 0; at < len(body) && err == nil; at += 256 << 10 {
		_, err = io.WriteString(conn, body[at:at+256<<10])
	}
	_, _ = io.Copy(io.Discard, conn)
}

func (c *crowd) chunks(conn net.Conn) {
	repeat(conn, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0000001\r\nx\r\n",
		bytes.Repeat([]byte("1\r\nx\r\n"), 50_000), 1<<30)
}

func (c *crowd) bytewise(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetNoDelay(true)
	repeat(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", []byte("x"), 1_000_000)
}

func (c *crowd) get(path string, atOnce int) func(net.Conn) {
	head := strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n", atOnce)
	return func(conn net.Conn) { repeat(conn, head, nil, 0) }
}

func (c *crowd) once(conn net.Conn) {
	_, _ = io.WriteString(conn, "GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	_, _ = io.Copy(io.Discard, conn)
}

func (c *crowd) refused(conn net.Conn) {
	repeat(conn, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", make([]byte, 256<<10), 1<<30)
}

func (c *crowd) posts() {
	for !c.over() {
		for range 1000 {
			_ = c.srv.loops[0].Post(func() {})
		}
		time.Sleep(50 * time.Microsecond)
	}
}

// probe makes a small request and returns what the server did for others between
// the asking and the serving of it.
func (c *crowd) probe(conn net.Conn, in *bufio.Reader) (moved, requests, accepted uint64) {
	before := c.srv.Stats()
	if _, err := io.WriteString(conn, "GET /probe HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		c.tb.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		c.tb.Fatalf("nothing came back of a small request: %v", err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	now := <-c.probed
	return now.BytesIn + now.BytesOut - before.BytesIn - before.BytesOut, now.Requests - before.Requests, now.Accepted - before.Accepted
}

// One that gives the loop work without end must not delay a small request by more
// than its share. That is counted in what the loop does for the others meanwhile, so
// that it holds on a busy machine too.
func TestFairness(t *testing.T) {
	for _, tt := range crowds {
		t.Run(tt.name, func(t *testing.T) {
			c := newCrowd(t)
			defer c.leave()
			conn := dial(t, c.addr)
			defer conn.Close()
			in := bufio.NewReader(conn)
			c.probe(conn, in)
			tt.join(c)
			quiet := c.srv.Stats()
			eventually(t, "the crowd is there", func() bool {
				s := c.srv.Stats()
				return tt.name == "posts" || s.BytesIn+s.BytesOut-quiet.BytesIn-quiet.BytesOut > 100_000
			})
			const probes = 25
			var moved, requests, accepted []uint64
			for range probes {
				m, r, a := c.probe(conn, in)
				moved, requests, accepted = append(moved, m), append(requests, r), append(accepted, a)
			}
			middle := func(n []uint64) uint64 { slices.Sort(n); return n[len(n)/2] }
			m, r, a := middle(moved), middle(requests), middle(accepted)
			t.Logf("while a small request waited: %d KiB moved, %d requests served, %d connections accepted", m>>10, r, a)
			// Without shares it is a hundred times as much. On a busy machine the kernel itself
			// takes some milliseconds to bring a request from one socket to the other.
			if m > 48<<20 || r > 20_000 || a > 2000 {
				t.Error("others had far more than their share")
			}
		})
	}
}

// How long a small request takes beside others; in a process of their own the
// clients would disturb less.
func BenchmarkFairness(b *testing.B) {
	for _, tt := range crowds {
		b.Run(tt.name, func(b *testing.B) {
			c := newCrowd(b)
			defer c.leave()
			conn, err := net.Dial("tcp", c.addr)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			tt.join(c)
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				c.probe(conn, in)
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			for _, p := range []int{500, 990, 999} {
				b.ReportMetric(float64(took[len(took)*p/1000].Microseconds()), fmt.Sprintf("p%v-µs", float64(p)/10))
			}
		})
	}
}
