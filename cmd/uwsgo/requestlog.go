package main

import (
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/logger"
	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/handler/route"
	"github.com/uwsgo/uwsgo/handler/wsgi"
)

// requestLog returns what the engine calls when an exchange has ended: it counts the bytes for the
// worker that has answered, and logs the line. stop is called after the last one.
func requestLog(cfg *config.Config, l *logs) (finish func(*engine.Exchange, engine.Outcome), stop func()) {
	count := func(x *engine.Exchange, o engine.Outcome) wsgi.Origin {
		origin := wsgi.OriginOf(x)
		if origin.Core != nil {
			origin.Core.AddTx(o.HeadBytes + o.BodyBytes)
		}
		return origin
	}
	filter, stop := cfg.LogFilter, func() {}
	if filter == (accesslog.Filter{}) && cfg.Module == "" && cfg.WSGIFile == "" && len(cfg.Mounts) == 0 {
		return func(x *engine.Exchange, o engine.Outcome) { count(x, o) }, stop
	}
	format := requestFormat(cfg, l.printf)
	total := new(atomic.Int64)
	var memory *memoryWatch
	if format.Memory() > 0 {
		memory = watchMemory(format.Memory() > 1)
		stop = memory.stop
	}
	writers := make([]*requestWriter, worker.MaxLoops) // each loop has its own
	return func(x *engine.Exchange, o engine.Outcome) {
		if filter == (accesslog.Filter{}) && !wsgi.LogsThis(x) {
			count(x, o)
			return
		}
		w := &writers[x.Loop().Index()]
		if *w == nil {
			*w = newRequestWriter(format, l.Sink, total)
			(*w).filter, (*w).memory, (*w).forwarded = filter, memory, cfg.LogForwardedFor && len(cfg.TrustedProxies) == 0
		}
		(*w).write(x, o, count(x, o))
	}, stop
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

// refused logs a refused request. Like the lines of requests it has the time.
func (l *logs) refused(r *engine.Refusal) {
	l.printf("[%s] %s", time.Now().Format("Mon Jan _2 15:04:05 2006"), r.Text(optionOf(r)))
}

// requestWriter logs the exchanges of one loop, and belongs to it.
type requestWriter struct {
	format    *accesslog.Format
	filter    accesslog.Filter
	sink      *logger.Sink
	total     *atomic.Int64
	memory    *memoryWatch     // nil where lines do not have it
	forwarded bool             // the address is that of X-Forwarded-For, whoever sends it
	x         *engine.Exchange // the one being logged
	record    accesslog.Record
	addr      []byte
	line      []byte
	clock     wallClock
	listener  *engine.Listener // of the last request,
	digits    int              // and of its port
}

// wallClock turns times of the loops' clock into times of day. It asks the system for the
// difference about twice a second.
type wallClock struct {
	asked int64 // time of the last question on the loops' clock; 0 for none
	ahead int64
}

// clockFresh is how long, in nanoseconds, the difference holds.
const clockFresh = int64(500 * time.Millisecond)

// at returns the nanoseconds of Unix time.
func (c *wallClock) at(started, now int64) int64 {
	if c.asked == 0 || now-c.asked > clockFresh {
		c.asked, c.ahead = now, time.Now().UnixNano()-now
	}
	return started + c.ahead
}

func newRequestWriter(f *accesslog.Format, s *logger.Sink, total *atomic.Int64) *requestWriter {
	w := &requestWriter{format: f, filter: accesslog.Filter{All: true}, sink: s, total: total}
	w.record.Var = w.variable
	w.record.Own = func(name string) []byte {
		if value := wsgi.LogVariable(w.x, name); value != nil {
			return value
		}
		return route.LogVariable(w.x, name)
	}
	return w
}

func (w *requestWriter) write(x *engine.Exchange, o engine.Outcome, origin wsgi.Origin) {
	r := &w.record
	r.Requests = w.total.Add(1)
	r.PID, r.Worker, r.Core, r.App, r.AppRequests = 0, 0, 0, -1, -1
	if c := origin.Core; c != nil {
		r.PID, r.Worker, r.Core, r.App, r.AppRequests = c.PID(), c.WorkerID(), c.ID(), origin.App, int64(c.Answered(origin.App))
	}
	r.Status, r.BodySize, r.HeadSize, r.Headers = o.Status, o.BodyBytes, o.HeadBytes, o.Headers
	r.Duration = o.Duration.Microseconds()
	r.Via, r.Broken, r.WriteErrors = "", o.Broken, 0
	if o.File {
		r.Via = "sendfile"
	}
	if o.Aborted {
		r.WriteErrors = 1
	}
	if (x.Quiet || !w.filter.Wants(r)) && !wsgi.LogsThis(x) {
		return
	}
	w.x = x
	req := x.Request()
	r.Method, r.URI, r.Proto = req.Bytes(req.Method), req.Bytes(req.Target), req.Bytes(req.Version)
	r.Host = req.Bytes(req.Authority)
	w.addr = x.AppendRemoteAddr(w.addr[:0])
	r.Addr = w.addr
	if req.Proto == codec.UWSGI {
		r.Addr = w.variable("REMOTE_ADDR")
	}
	if w.forwarded {
		if client := w.variable("HTTP_X_FORWARDED_FOR"); len(client) > 0 {
			r.Addr = client
		}
	}
	r.User = w.variable("REMOTE_USER")
	r.Waited = x.Waited.Microseconds()
	r.Start = w.clock.at(x.Started(), x.Loop().Now()) / 1e3
	r.ContentLength = max(x.ContentLength(), 0)
	r.Vars, r.PacketSize = w.size(req, r.ContentLength)
	r.RSS, r.VSZ, r.USS, r.PSS = 0, 0, 0, 0
	if w.memory != nil && origin.Core != nil {
		m := w.memory.of(r.PID)
		r.RSS, r.VSZ, r.USS, r.PSS = m.rss, m.vsz, m.uss, m.pss
	}
	w.line = w.format.Append(w.line[:0], r)
	_, _ = w.sink.Write(w.line)
	w.x = nil
}

// size returns the number of uwsgi variables of the request and the size of their packet. As in
// uWSGI, names and values count each. Some are as web servers send them, or as uWSGI makes them of
// a request over HTTP.
func (w *requestWriter) size(r *codec.Request, body int64) (vars, bytes int) {
	add := func(name, value int) {
		vars += 2
		bytes += 4 + name + value
	}
	add(len("REQUEST_METHOD"), r.Method.Len())
	add(len("REQUEST_URI"), r.Target.Len())
	add(len("PATH_INFO"), len(r.Path()))
	add(len("QUERY_STRING"), r.Query.Len())
	add(len("SERVER_PROTOCOL"), r.Version.Len())
	typed := false
	for _, f := range r.Fields {
		prefix := len("HTTP_")
		if f.Name.Len() == len(contentType) && isContentType(r.Bytes(f.Name)) {
			prefix, typed = 0, true
		}
		add(prefix+f.Name.Len(), f.Value.Len())
	}
	for _, f := range r.Vars {
		add(f.Name.Len(), f.Value.Len())
	}
	if r.Proto == codec.UWSGI {
		add(len("CONTENT_LENGTH"), digits(body))
		if !typed {
			add(len(contentType), 0)
		}
		return vars, bytes
	}
	if body > 0 {
		add(len("CONTENT_LENGTH"), digits(body))
	}
	add(len("SCRIPT_NAME"), 0)
	add(len("SERVER_NAME"), hostLength())
	add(len("SERVER_PORT"), w.port())
	add(len("REMOTE_ADDR"), len(w.addr))
	return vars, bytes
}

const contentType = "CONTENT_TYPE"

// isContentType tells Content-Type from other names of its length: it becomes no HTTP_ variable.
func isContentType(name []byte) bool {
	return (name[0]|0x20) == 'c' && (name[8]|0x20) == 't' && (name[11]|0x20) == 'e' && (name[7] == '-' || name[7] == '_')
}

// hostLength is the length of SERVER_NAME in uWSGI: the machine's name.
var hostLength = sync.OnceValue(func() int {
	name, _ := os.Hostname()
	return len(name)
})

// port returns the number of digits of the listener's port.
func (w *requestWriter) port() int {
	ln := w.x.Listener()
	if ln != w.listener { // listeners are few, and each has many requests
		w.listener, w.digits = ln, 0
		if ln != nil && !ln.Unix() {
			addr := ln.String()
			w.digits = len(addr) - 1 - strings.LastIndexByte(addr, ':')
		}
	}
	return w.digits
}

// digits returns the number of digits of a positive number, and 0 for 0: no body has no length.
func digits(n int64) (count int) {
	for ; n > 0; n /= 10 {
		count++
	}
	return count
}

// variable returns a variable as the app's environ has it; nil for none.
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
	for _, v := range slices.Backward(r.Vars) { // the last of two counts
		if string(r.Bytes(v.Name)) == name {
			return r.Bytes(v.Value)
		}
	}
	return nil
}
