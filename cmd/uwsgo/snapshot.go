package main

import (
	"math"
	"os"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/stats"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// snapshot tells the stats server how things are. Any goroutine.
func (p *program) snapshot() stats.Snapshot {
	e := p.engine.Stats()
	s := stats.Snapshot{
		// uwsgitop and the exporters look at it, and know uWSGI's numbers.
		Version: ini.UWSGIVersion + "-uwsgo-" + version,
		PID:     uint64(os.Getpid()), UID: uint64(os.Getuid()), GID: uint64(os.Getgid()), Cwd: *p.cwd.Load(),
		Uwsgo: stats.Uwsgo{
			Connections: unsigned(e.Conns), ConnectionsAccepted: e.Accepted, AcceptPauses: e.NoFiles,
			Requests: e.Requests, RequestsActive: unsigned(e.InFlight), RequestsMalformed: e.Refused,
			RequestsAbandoned: e.Gone, BodiesSpooled: e.Spooled, HandlerPanics: e.Panics,
			Responses1xx: e.Status[1], Responses2xx: e.Status[2], Responses3xx: e.Status[3],
			Responses4xx: e.Status[4], Responses5xx: e.Status[5],
			Timeouts: e.Timeouts, ReadErrors: e.ReadErrors, WriteErrors: e.WriteErrors, BytesReceived: e.BytesIn, BytesSent: e.BytesOut,
			LogLinesDropped: p.sink.Dropped(),
		},
	}
	for _, ln := range p.engine.Listeners() {
		queue, backlog := listenQueue(ln)
		s.ListenQueue = max(s.ListenQueue, queue)
		s.Sockets = append(s.Sockets, stats.Socket{
			Name: ln.String(), Proto: ln.Protocol().String(), Queue: queue, MaxQueue: backlog, CanOffload: true,
		})
	}
	s.Load = s.ListenQueue
	p.besides(&s)
	if p.pool != nil {
		pool := p.pool.Snapshot()
		s.Workers = p.workers(pool)
		u := &s.Uwsgo
		for _, one := range pool.Processes {
			u.Processes = append(u.Processes, stats.Process{
				Worker: uint64(one.Worker), PID: uint64(one.PID), State: one.State.String(), Requests: one.Requests, Since: unsigned(one.Since.Unix()),
			})
		}
		u.QueueLength, u.QueueFull, u.QueueTimeouts = unsigned(pool.Waiting), pool.Refused, pool.Late
		u.QueueShed, u.QueueUnrun = pool.Shed, pool.Unrun
		u.SlowRoutes, u.SlowHeld = unsigned(pool.Slow), pool.Held
	}
	return s
}

// listenQueue returns how many connections wait for accept, and how many may.
func listenQueue(ln *engine.Listener) (waiting, limit uint64) {
	backlog, _ := ln.Backlog()
	return unsigned(int64(ln.Waiting())), unsigned(int64(backlog))
}

func (p *program) workers(pool worker.Snapshot) []stats.Worker {
	var workers []stats.Worker
	for _, w := range pool.Workers {
		status := "idle"
		switch {
		case w.Cheap:
			status = "cheap"
		case w.Busy():
			status = "busy"
		case p.paused.Load():
			status = "pause"
		}
		sw := stats.Worker{
			ID: uint64(w.ID), PID: uint64(w.PID), Accepting: w.PID != 0,
			Requests: w.Requests, DeltaRequests: w.Delta, Exceptions: w.Exceptions, HarakiriCount: w.Harakiri,
			Status: status, RSS: unsigned(w.RSS), VSZ: unsigned(w.VSZ),
			RunningTime: uint64(w.RunningTime.Microseconds()), AvgRT: uint64(w.AvgRT.Microseconds()),
			LastSpawn: unsigned(w.LastSpawn.Unix()), RespawnCount: w.Respawns, TX: w.Tx,
		}
		for i, app := range pool.Apps {
			a := stats.App{ID: uint64(i), Mountpoint: app.App.Mount, StartupTime: uint64(math.Round(app.Seconds))}
			if i < len(w.Apps) {
				a.Requests, a.Exceptions = w.Apps[i].Requests, w.Apps[i].Exceptions
			}
			sw.Apps = append(sw.Apps, a)
		}
		for _, c := range w.Cores {
			core := stats.Core{ID: uint64(c.ID), Requests: c.Requests, InRequest: stats.Flag(c.InRequest)}
			if c.InRequest {
				core.ReqInfo.RequestStart = unsigned(c.Since.Unix())
			}
			sw.Cores = append(sw.Cores, core)
		}
		workers = append(workers, sw)
	}
	return workers
}

func unsigned(n int64) uint64 { return uint64(max(n, 0)) }
