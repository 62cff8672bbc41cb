package worker

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
)

// pump keeps a number of requests under way from a loop.
type pump struct {
	port   *Port
	vars   []byte
	left   int // to be begun
	wait   int // to be answered
	done   chan struct{}
	failed error
}

func (p *pump) next() {
	if p.left == 0 {
		return
	}
	p.left--
	dst, id, err := p.port.Begin(p, Job{Route: 1})
	if err == nil {
		err = p.port.Send(id, append(dst, p.vars...), Body{})
	}
	if err != nil {
		p.Fail(err)
	}
}

func (p *pump) answered() {
	p.next()
	if p.wait--; p.wait == 0 {
		close(p.done)
	}
}

func (p *pump) Reply(_ *Core, _ []byte, headers *Headers, _ []byte) {
	for {
		if _, _, ok := headers.Next(); !ok {
			break
		}
	}
	p.answered()
}

func (p *pump) Fail(err error) {
	p.failed = err
	p.answered()
}

func (p *pump) Head(*Core, []byte, *Headers)                         {}
func (p *pump) Data([]byte)                                          {}
func (p *pump) End()                                                 { p.answered() }
func (p *pump) File(*Core, []byte, *Headers, *os.File, int64, int64) { p.answered() }

// BenchmarkHello is the way of a hello world request from a loop through a worker
// and back, without clients. worker-µs/op is the CPU time of the Python side.
func BenchmarkHello(b *testing.B) {
	vars := pymarshal.AppendTupleHead(nil, len(Variables))
	for _, v := range []string{"http", "localhost", "9000", "GET", "/", "", "", "HTTP/1.1", "127.0.0.1"} {
		vars = pymarshal.AppendStr(vars, []byte(v))
	}
	vars = pymarshal.AppendDictStart(vars)
	for kv := range strings.FieldsSeq(`REQUEST_URI=/ REMOTE_PORT=12345 HTTP_HOST=127.0.0.1:9000`) {
		k, v, _ := strings.Cut(kv, "=")
		vars = pymarshal.AppendStr(pymarshal.AppendKey(vars, k), []byte(v))
	}
	vars = pymarshal.AppendDictEnd(vars)
	for _, c := range []struct {
		processes, threads, underway int
		stream                       bool
	}{{2, 1, 64, false}, {2, 2, 64, false}, {2, 1, 4, false}, {2, 1, 64, true}} {
		b.Run(fmt.Sprintf("processes=%d/threads=%d/underway=%d/stream=%v", c.processes, c.threads, c.underway, c.stream), func(b *testing.B) {
			r := start(b, Config{Apps: []App{app(b, hello)}, Processes: c.processes, Threads: c.threads, StreamMode: c.stream}, 1)
			run := func(n int) {
				p := &pump{port: r.pool.Port(0), vars: vars, left: n, wait: n, done: make(chan struct{})}
				_ = r.loops[0].Post(func() {
					for range min(c.underway, n) {
						p.next()
					}
				})
				<-p.done
				if p.failed != nil {
					b.Fatal(p.failed)
				}
			}
			run(5000)
			before := r.cpu()
			b.ReportAllocs()
			b.ResetTimer()
			run(b.N)
			b.StopTimer()
			b.ReportMetric(float64(r.cpu()-before)/float64(time.Microsecond)/float64(b.N), "worker-µs/op")
		})
	}
}

// cpu returns the CPU time that the workers have used so far; 0 where that cannot
// be told.
func (r *rig) cpu() (sum time.Duration) {
	for _, w := range r.pool.Snapshot().Workers {
		tasks := fmt.Sprintf("/proc/%d/task", w.PID)
		entries, _ := os.ReadDir(tasks)
		for _, e := range entries {
			b, _ := os.ReadFile(tasks + "/" + e.Name() + "/schedstat")
			var ns int64
			_, _ = fmt.Sscan(string(b), &ns)
			sum += time.Duration(ns)
		}
	}
	return sum
}

func BenchmarkStart(b *testing.B) {
	config := Config{Apps: []App{app(b, hello)}, Processes: 2}
	newRig(b, &config, 1)
	for b.Loop() {
		pool, err := Start(b.Context(), config)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := pool.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
