package main

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
	"github.com/uwsgo/uwsgo/cmd/internal/logger"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/wsgi"
)

// withExchange calls do on a loop with a usual request.
func withExchange(tb testing.TB, do func(x *engine.Exchange)) {
	tb.Helper()
	srv, err := engine.New(engine.Options{Loops: 1})
	if err != nil {
		tb.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(engine.HandlerFunc(func(x *engine.Exchange) {
			do(x)
			x.ReplyText(200, "done")
		}))
	}()
	c, err := net.Dial("tcp", ln.String())
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /articles/2026/11/how-to-log?page=3&sort=new HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept: text/html,*/*;q=0.8\r\n"+
		"Accept-Language: en,de;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nReferer: https://www.example.com/articles\r\nCookie: session=0123456789abcdef\r\n\r\n")
	_, _ = io.ReadAll(c)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := srv.Drain(ctx); err != nil {
		tb.Error(err)
	}
	_ = srv.Close()
	if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
		tb.Error(err)
	}
}

// formats are those that the cost of logging is told for.
func formats() map[string]*accesslog.Format {
	return map[string]*accesslog.Format{
		"default":  accesslog.Default(accesslog.Options{}),
		"combined": accesslog.Compile(`%(addr) - %(user) [%(ltime)] "%(method) %(uri) %(proto)" %(status) %(rsize) "%(referer)" "%(uagent)"`, accesslog.Options{}),
		"json":     accesslog.JSON(accesslog.Options{}),
	}
}

func openSink(tb testing.TB) *logger.Sink {
	tb.Helper()
	sink, err := logger.Open(logger.Config{To: filepath.Join(tb.TempDir(), "log"), Access: logger.Access{UID: -1, GID: -1}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = sink.Close() })
	return sink
}

var finished = engine.Outcome{Status: 200, HeadBytes: 180, BodyBytes: 5120, Headers: 4, Duration: 2345 * time.Microsecond}

func TestRequestLinesDoNotAllocate(t *testing.T) {
	for name, format := range formats() {
		t.Run(name, func(t *testing.T) {
			w := newRequestWriter(format, openSink(t), new(atomic.Int64))
			withExchange(t, func(x *engine.Exchange) {
				w.write(x, finished, wsgi.Origin{})
				if n := testing.AllocsPerRun(1000, func() { w.write(x, finished, wsgi.Origin{}) }); n > 0 {
					t.Errorf("%v allocations a line", n)
				}
			})
		})
	}
}

// BenchmarkRequestLog makes and writes lines of usual requests into a file, some 40,000 a
// second. cpu-ns/op is what that takes of all threads, the writing goroutine and the kernel
// included, and without what the same loop takes that logs nothing.
func BenchmarkRequestLog(b *testing.B) {
	// run does it n times, and returns the time of the processors.
	run := func(n int, do func()) time.Duration {
		var before, after unix.Rusage
		_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
		for i := range n {
			do()
			if i%50 == 49 {
				time.Sleep(time.Millisecond)
			}
		}
		_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
		return time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	}
	for name, format := range formats() {
		b.Run(name, func(b *testing.B) {
			sink := openSink(b)
			w := newRequestWriter(format, sink, new(atomic.Int64))
			withExchange(b, func(x *engine.Exchange) {
				line := func() { w.write(x, finished, wsgi.Origin{}) }
				run(1000, line)
				b.ReportAllocs()
				b.ResetTimer()
				took := run(b.N, line)
				b.StopTimer()
				took -= run(b.N, func() {})
				b.ReportMetric(float64(took)/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(sink.Dropped())/float64(b.N), "dropped/op")
				b.ReportMetric(0, "ns/op") // which is the pace
			})
		})
	}
}
