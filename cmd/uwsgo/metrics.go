package main

import (
	"fmt"

	"github.com/uwsgo/uwsgo/cmd/internal/metrics"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/engine/worker/control"
)

// openMetrics makes the metrics of the options.
func (p *program) openMetrics() error {
	c := p.cfg.Metrics
	c.Dir = p.site.path(c.Dir, false)
	raise := func(name, message string) { p.raise(name, []byte(message)) }
	builtin := func() []metrics.Sample {
		s, _ := p.workers.snapshot()
		return builtinMetrics(s, p.engine.Listeners())
	}
	set, err := metrics.New(c, builtin, raise, p.logf)
	if err != nil || set == nil {
		return err
	}
	p.metrics.Store(set)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		set.Run(done)
	}()
	p.ending.Later(func() { close(done); <-ended })
	return nil
}

// builtinMetrics are the metrics of the server, by uWSGI's names.
func builtinMetrics(s worker.Snapshot, listeners []*engine.Listener) (list []metrics.Sample) {
	add := func(kind int, value int64, oid, format string, args ...any) {
		if oid != "" {
			oid = fmt.Sprintf(oid, args...)
		}
		list = append(list, metrics.Sample{Name: fmt.Sprintf(format, args...), OID: oid, Type: kind, Value: value})
	}
	var busy, idle, tx, rss, vsz, rt, running int64
	for _, w := range s.Workers {
		n := w.ID
		add(metrics.Counter, int64(w.Requests), "3.%d.1", "worker.%d.requests", n)
		add(metrics.Absolute, int64(w.Delta), "3.%d.2", "worker.%d.delta_requests", n)
		add(metrics.Counter, int64(w.Exceptions), "3.%d.13", "worker.%d.failed_requests", n)
		add(metrics.Counter, int64(w.Respawns), "3.%d.14", "worker.%d.respawns", n)
		add(metrics.Gauge, w.AvgRT.Microseconds(), "3.%d.8", "worker.%d.avg_response_time", n)
		add(metrics.Counter, int64(w.Tx), "3.%d.9", "worker.%d.total_tx", n)
		add(metrics.Gauge, w.RSS, "3.%d.11", "worker.%d.rss_size", n)
		add(metrics.Gauge, w.VSZ, "3.%d.12", "worker.%d.vsz_size", n)
		add(metrics.Counter, w.RunningTime.Microseconds(), "3.%d.13", "worker.%d.running_time", n)
		for _, c := range w.Cores {
			add(metrics.Counter, int64(c.Requests), "3.%d.2.%d.1", "worker.%d.core.%d.requests", n, c.ID)
		}
		tx, rss, vsz = tx+int64(w.Tx), rss+w.RSS, vsz+w.VSZ
		rt, running = rt+w.AvgRT.Microseconds(), running+w.RunningTime.Microseconds()
		switch {
		case w.Busy():
			busy++
		case !w.Cheap:
			idle++
		}
	}
	add(metrics.Gauge, busy, "5.3", "core.busy_workers")
	add(metrics.Gauge, idle, "5.4", "core.idle_workers")
	add(metrics.Counter, int64(s.Refused), "5.5", "core.overloaded")
	add(metrics.Counter, tx, "5.100", "core.total_tx")
	add(metrics.Gauge, rss, "5.101", "core.total_rss")
	add(metrics.Gauge, vsz, "5.102", "core.total_vsz")
	add(metrics.Gauge, rt/max(int64(len(s.Workers)), 1), "5.103", "core.avg_response_time")
	add(metrics.Counter, running, "5.104", "core.total_running_time")
	for i, ln := range listeners {
		add(metrics.Gauge, int64(max(ln.Waiting(), 0)), "7.%d.1", "socket.%d.listen_queue", i)
	}
	add(metrics.Alias, rss, "5.101", "rss_size")
	add(metrics.Alias, vsz, "5.102", "vsz_size")
	return list
}

// changeMetric is the service behind metric_get and its kin: (what to do, name, number).
func changeMetric(set *metrics.Set, args []any) (any, error) {
	if len(args) != 3 {
		return nil, control.Refuse("this takes what to do, a name and a number")
	}
	how, _ := args[0].(string)
	name, _ := args[1].(string)
	by, _ := args[2].(int)
	if how == "get" {
		return int(set.Get(name)), nil
	}
	return set.Change(name, how, int64(by)), nil
}
