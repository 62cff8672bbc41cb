package main

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/handler/wsgi"
)

// onFinish returns what is done when an exchange has ended: its bytes are counted
// for the worker that answered, and its line is logged.
func (p *program) onFinish() func(*engine.Exchange, engine.Outcome) {
	count := func(x *engine.Exchange, o engine.Outcome) *wsgi.Origin {
		origin, _ := x.Tag.(*wsgi.Origin)
		if origin != nil {
			origin.Core.AddTx(o.HeadBytes + o.BodyBytes)
		}
		return origin
	}
	if !p.cfg.LogRequests {
		return func(x *engine.Exchange, o engine.Outcome) { count(x, o) }
	}
	format := accesslog.Default(accesslog.Options{})
	if p.cfg.LogFormat != "" {
		format = accesslog.Compile(p.cfg.LogFormat, accesslog.Options{})
		for _, name := range format.Unknown() {
			p.log.Printf("*** WARNING: log-format: %%(%s) is not known and is logged as - ***", name)
		}
	}
	total, memory := new(atomic.Int64), new(memoryCache)
	writers := make([]*requestWriter, worker.MaxLoops) // each loop has its own
	return func(x *engine.Exchange, o engine.Outcome) {
		if x.Quiet {
			total.Add(1)
			count(x, o)
			return
		}
		w := &writers[x.Loop().Index()]
		if *w == nil {
			*w = newRequestWriter(format, p.sink, total)
			(*w).memory = memory
		}
		(*w).write(x, o, count(x, o))
	}
}

// optionOf names the option that changes the limit that a refused request passed.
func optionOf(r *engine.Refusal) string {
	switch r.ID {
	case "head_too_large", "target_too_long", "block_size":
		return "buffer-size"
	case "body_too_large":
		return "limit-post"
	case "head_timeout", "body_timeout":
		if r.Listener.Protocol() == engine.UWSGI {
			return "socket-timeout"
		}
		return "http-timeout"
	case "no_space":
		return "TMPDIR in the environment"
	}
	return ""
}

// logRefusal logs a refused request. These lines tell the time, as those of requests do.
func (p *program) logRefusal(r *engine.Refusal) {
	p.log.Printf("[%s] %s", time.Now().Format("Mon Jan _2 15:04:05 2006"), r.Text(optionOf(r)))
}

// requestWriter logs the exchanges of one loop, to which it belongs.
type requestWriter struct {
	format *accesslog.Format
	sink   *accesslog.Sink
	total  *atomic.Int64
	memory *memoryCache
	x      *engine.Exchange // the one being logged
	record accesslog.Record
	addr   []byte
	line   []byte
}

func newRequestWriter(f *accesslog.Format, s *accesslog.Sink, total *atomic.Int64) *requestWriter {
	w := &requestWriter{format: f, sink: s, total: total}
	w.record.Var = w.variable
	return w
}

func (w *requestWriter) write(x *engine.Exchange, o engine.Outcome, origin *wsgi.Origin) {
	w.x = x
	r, req := &w.record, x.Request()
	r.Method, r.URI, r.Proto = req.Bytes(req.Method), req.Bytes(req.Target), req.Bytes(req.Version)
	r.Host = req.Bytes(req.Authority)
	w.addr = x.AppendRemoteAddr(w.addr[:0])
	r.Addr = w.addr
	if req.Proto == codec.UWSGI {
		r.Addr = w.variable("REMOTE_ADDR")
	}
	r.User = w.variable("REMOTE_USER")
	r.Duration = o.Duration.Microseconds()
	r.Waited = x.Waited.Microseconds()
	r.Start = time.Now().UnixMicro() - r.Duration
	r.Status, r.BodySize, r.HeadSize, r.Headers = o.Status, o.BodyBytes, o.HeadBytes, o.Headers
	r.ContentLength = x.Body().Size()
	r.Vars, r.PacketSize = size(req)
	r.Requests = w.total.Add(1)
	r.PID, r.Worker, r.Core, r.App, r.AppRequests, r.VSZ, r.RSS = 0, 0, 0, -1, -1, 0, 0
	if origin != nil {
		c := origin.Core
		r.PID, r.Worker, r.Core, r.App, r.AppRequests = c.PID(), c.WorkerID(), c.ID(), origin.App, int64(c.Answered(origin.App))
		if w.format.Memory() {
			r.RSS, r.VSZ = w.memory.of(c)
		}
	}
	r.Broken = o.Broken
	r.WriteErrors = 0
	if o.Aborted {
		r.WriteErrors = 1
	}
	w.line = w.format.Append(w.line[:0], r)
	_, _ = w.sink.Write(w.line)
	w.x = nil
}

// memoryCache remembers what worker processes have of memory, as a log line must not
// wait for a file of the system's each time. Any loop may ask it.
type memoryCache struct {
	mu   sync.Mutex
	seen map[int]memorySeen // by process id
}

type memorySeen struct {
	at       time.Time
	rss, vsz int64
}

// memoryFresh is how long a figure counts.
const memoryFresh = time.Second

func (m *memoryCache) of(c *worker.Core) (rss, vsz int64) {
	pid, now := c.PID(), time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.seen[pid]
	if !ok || now.Sub(s.at) > memoryFresh {
		if m.seen == nil || len(m.seen) > 4096 { // of processes that have gone
			m.seen = map[int]memorySeen{}
		}
		s.at = now
		s.rss, s.vsz = c.Memory()
		m.seen[pid] = s
	}
	return s.rss, s.vsz
}

// size tells how many uwsgi variables the request makes, counted as uWSGI does,
// names and values each, and how many bytes a packet of them has.
func size(r *codec.Request) (vars, bytes int) {
	add := func(name, value int) {
		vars += 2
		bytes += 4 + name + value
	}
	add(len("REQUEST_METHOD"), r.Method.Len())
	add(len("REQUEST_URI"), r.Target.Len())
	add(len("PATH_INFO"), len(r.Path()))
	add(len("QUERY_STRING"), r.Query.Len())
	add(len("SERVER_PROTOCOL"), r.Version.Len())
	for _, f := range r.Fields {
		add(len("HTTP_")+f.Name.Len(), f.Value.Len())
	}
	for _, f := range r.Vars {
		add(f.Name.Len(), f.Value.Len())
	}
	return vars, bytes
}

// variable returns a variable as the app's environ has it, nil for none.
func (w *requestWriter) variable(name string) []byte {
	r := w.x.Request()
	switch name {
	case "REQUEST_METHOD":
		return r.Bytes(r.Method)
	case "REQUEST_URI":
		return r.Bytes(r.Target)
	case "PATH_INFO":
		return r.Path()
	case "QUERY_STRING":
		return r.Bytes(r.Query)
	case "SERVER_PROTOCOL":
		return r.Bytes(r.Version)
	case "CONTENT_TYPE":
		return r.Get(name)
	}
	if len(name) > 5 && name[:5] == "HTTP_" {
		return r.Get(name[5:])
	}
	for _, v := range slices.Backward(r.Vars) { // of two the last counts
		if string(r.Bytes(v.Name)) == name {
			return r.Bytes(v.Value)
		}
	}
	return nil
}
