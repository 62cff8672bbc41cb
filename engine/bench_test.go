package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec"
)

// hello answers in the way that an embedder in a hurry would.
func hello() Handler {
	name, value, body := []byte("Content-Type"), []byte("text/plain"), []byte("Hello World!\n")
	return HandlerFunc(func(x *Exchange) {
		resp := x.Response()
		resp.Header = append(resp.Header, codec.Header{Name: name, Value: value})
		x.Reply(resp, body)
	})
}

// roundTrips returns a function that sends n pipelined requests on a kept
// connection and reads their answers. It allocates nothing itself.
func roundTrips(tb testing.TB, n int) func() { return roundTripsOf(tb, n, hello()) }

func roundTripsOf(tb testing.TB, n int, h Handler) func() {
	srv, err := New(Options{Loops: 1, Logf: tb.Logf})
	if err != nil {
		tb.Fatal(err)
	}
	serveHeads(tb, srv, h)
	c := connect(tb, srv, HTTP)
	tb.Cleanup(func() { _ = c.Close() })
	raw, err := c.SyscallConn()
	if err != nil {
		tb.Fatal(err)
	}
	var fd int
	if err := raw.Control(func(f uintptr) { fd, err = unix.Dup(int(f)) }); err != nil || fd < 0 {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.SetNonblock(fd, false); err != nil {
		tb.Fatal(err)
	}
	give := []byte(strings.Repeat("GET /hello?a=b HTTP/1.1\r\nHost: example.com\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n", n))
	buf := make([]byte, 64<<10)
	mark := []byte("Hello World!\n")
	return func() {
		if _, err := unix.Write(fd, give); err != nil {
			tb.Fatal(err)
		}
		for answers := 0; answers < n; {
			got, err := unix.Read(fd, buf)
			if err != nil || got == 0 {
				tb.Fatal("the connection has ended: ", err)
			}
			answers += bytes.Count(buf[:got], mark)
		}
	}
}

func TestRequestAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, n := range []int{1, 10} {
		trip := roundTrips(t, n)
		trip()
		if allocs := testing.AllocsPerRun(200, trip); allocs != 0 {
			t.Errorf("%d pipelined requests allocate %v times", n, allocs)
		}
	}
}

// A large answer goes out with its head from where the handler has it.
func TestLargeAnswerAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	body := append(pattern(100_000), "Hello World!\n"...)
	trip := roundTripsOf(t, 1, HandlerFunc(func(x *Exchange) { x.Reply(x.Response(), body) }))
	trip()
	if allocs := testing.AllocsPerRun(200, trip); allocs != 0 {
		t.Errorf("an answer of %d bytes allocates %v times", len(body), allocs)
	}
}

// Each operation sends so many requests at once and awaits their answers.
func BenchmarkHello(b *testing.B) {
	for _, n := range []int{1, 16} {
		b.Run(fmt.Sprintf("pipelined=%d", n), func(b *testing.B) {
			trip := roundTrips(b, n)
			b.ReportAllocs()
			for b.Loop() {
				trip()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/request")
		})
	}
}
