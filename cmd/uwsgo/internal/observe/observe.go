// Package observe puts together what is told of a server that runs: the document of the stats
// server, and its short form in the log. It asks the parts of the server, changes nothing, and
// may be called by any goroutine.
package observe

import (
	"math"
	"os"

	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/internal/metrics"
	"github.com/uwsgo/uwsgo/cmd/internal/stats"
	"github.com/uwsgo/uwsgo/cmd/internal/stores"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/spool"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/handler/cache"
)

// Listener is what is asked of an address: an [engine.Listener].
type Listener interface {
	String() string
	Protocol() engine.Protocol
	Waiting() int
	Backlog() (n int, clamped bool)
}

// Server are the parts of a server that are asked.
type Server struct {
	Version    string // that the document has
	Engine     func() engine.Stats
	Listeners  func() []Listener
	Workers    func() (worker.Snapshot, bool) // false: there are none yet
	Companions func() []companion.State       // what runs beside the server,
	Crons      func() []cron.State            // always and at times
	Metrics    func() []metrics.Sample        // nil for none
	Caches     func() []stores.Stats          // what apps share
	HTTPCache  func() (cache.Stats, bool)     // false, and nil: there is none
	Spoolers   func() []spool.State           // what works tasks off; nil where nothing can
	// Signals tells how many signals of the uwsgi module wait, and how many a worker has
	// handled; nil where there are none.
	Signals func(worker int) (waiting int, taken uint64)
	Paused  func() bool   // no connection is accepted
	Cwd     func() string // of the server
	Dropped func() uint64 // log lines
}

// Snapshot is the document of this moment.
func (o *Server) Snapshot() stats.Snapshot {
	e := o.Engine()
	s := stats.Snapshot{
		Version: o.Version,
		PID:     uint64(os.Getpid()), UID: uint64(os.Getuid()), GID: uint64(os.Getgid()), Cwd: o.Cwd(),
		Uwsgo: stats.Uwsgo{
			Connections: unsigned(e.Conns), ConnectionsAccepted: e.Accepted, AcceptPauses: e.NoFiles,
			Requests: e.Requests, RequestsActive: unsigned(e.InFlight), RequestsMalformed: e.Refused,
			RequestsAbandoned: e.Gone, BodiesSpooled: e.Spooled, HandlerPanics: e.Panics,
			Responses1xx: e.Status[1], Responses2xx: e.Status[2], Responses3xx: e.Status[3],
			Responses4xx: e.Status[4], Responses5xx: e.Status[5],
			Timeouts: e.Timeouts, ReadErrors: e.ReadErrors, WriteErrors: e.WriteErrors, BytesReceived: e.BytesIn, BytesSent: e.BytesOut,
			LogLinesDropped: o.Dropped(),
		},
	}
	for _, ln := range o.Listeners() {
		backlog, _ := ln.Backlog()
		queue := unsigned(int64(ln.Waiting()))
		s.ListenQueue = max(s.ListenQueue, queue)
		s.Sockets = append(s.Sockets, stats.Socket{
			Name: ln.String(), Proto: ln.Protocol().String(), Queue: queue, MaxQueue: unsigned(int64(backlog)), CanOffload: true,
		})
	}
	s.Load = s.ListenQueue
	if o.Metrics != nil {
		for _, m := range o.Metrics() {
			if s.Metrics == nil {
				s.Metrics = make(map[string]stats.Metric)
			}
			s.Metrics[m.Name] = stats.Metric{Type: m.Type, OID: m.OID, Value: m.Value}
		}
	}
	o.besides(&s)
	if o.HTTPCache != nil {
		if c, ok := o.HTTPCache(); ok {
			s.Uwsgo.HTTPCache = &stats.HTTPCache{
				Hits: unsigned(c.Hits), Misses: unsigned(c.Misses), Stale: unsigned(c.Stale), Revalidated: unsigned(c.Revalidated),
				Collapsed: unsigned(c.Collapsed), Purged: unsigned(c.Purged), Resources: unsigned(int64(c.Resources)), Bytes: c.Bytes,
			}
		}
	}
	pool, ok := o.Workers()
	if !ok {
		return s
	}
	s.Workers, s.Mules = workers(pool, o.Paused()), mules(pool)
	if o.Spoolers != nil {
		s.Spoolers = spoolers(pool, o.Spoolers())
	}
	if o.Signals != nil {
		for i := range s.Workers {
			waiting, taken := o.Signals(int(s.Workers[i].ID))
			s.SignalQueue, s.Workers[i].Signals = uint64(waiting), taken
		}
	}
	u := &s.Uwsgo
	for _, one := range pool.Processes {
		u.Processes = append(u.Processes, stats.Process{
			Worker: uint64(one.Worker), PID: uint64(one.PID), State: one.State.String(), Requests: one.Requests, Since: unsigned(one.Since.Unix()),
		})
	}
	u.QueueLength, u.QueueFull, u.QueueTimeouts = unsigned(pool.Waiting), pool.Refused, pool.Late
	u.QueueShed, u.QueueUnrun = pool.Shed, pool.Unrun
	u.SlowRoutes, u.SlowHeld = unsigned(pool.Slow), pool.Held
	return s
}

// mules lists the mules among the processes beside the workers.
func mules(pool worker.Snapshot) (list []stats.Mule) {
	for _, b := range pool.Backgrounds {
		if b.Kind != "mule" {
			continue
		}
		m := stats.Mule{ID: uint64(b.Number), PID: uint64(b.PID), RespawnCount: b.Respawns, RSS: unsigned(b.RSS), VSZ: unsigned(b.VSZ)}
		if !b.LastSpawn.IsZero() {
			m.LastSpawn = unsigned(b.LastSpawn.Unix())
		}
		list = append(list, m)
	}
	return list
}

// spoolers tells of each process that works a spool directory off, and of the directories that
// other servers work off.
func spoolers(pool worker.Snapshot, all []spool.State) (list []stats.Spooler) {
	for _, one := range all {
		s := stats.Spooler{Dir: one.Dir, Tasks: one.Tasks, Running: stats.Flag(one.Running)}
		for _, b := range pool.Backgrounds {
			if b.Kind == spool.Kind && b.Number == one.Number {
				s.PID, s.Respawns = uint64(b.PID), b.Respawns-min(b.Respawns, 1) // from 0, as in uWSGI
			}
		}
		list = append(list, s)
	}
	return list
}

// besides adds what runs beside the server.
func (o *Server) besides(s *stats.Snapshot) {
	for _, c := range o.Companions() {
		s.Daemons = append(s.Daemons, stats.Daemon{Cmd: c.Command, PID: uint64(c.PID), Respawns: uint64(c.Respawns)})
	}
	for _, c := range o.caches() {
		s.Caches = append(s.Caches, stats.Cache{
			Name: c.Name, Hash: "crc32", HashSize: uint64(c.HashSize), KeySize: uint64(c.KeySize), MaxItems: uint64(c.Items),
			Blocks: uint64(c.Blocks), BlockSize: uint64(c.BlockSize),
			Items: c.Count, Hits: c.Hits, Miss: c.Misses, Full: c.Full, LastModified: c.Changed,
		})
	}
	for _, j := range o.Crons() {
		c := stats.Cron{
			Minute: j.Minute, Hour: j.Hour, Day: j.Day, Month: j.Month, Week: j.Week,
			Command: j.Command, Unique: stats.Flag(j.Unique), PID: -1,
		}
		if j.PID != 0 {
			c.PID, c.StartedAt = j.PID, unsigned(j.Started.Unix())
		}
		s.Crons = append(s.Crons, c)
	}
}

// Log writes the most important numbers.
func (o *Server) Log(logf func(format string, args ...any)) {
	s := o.Snapshot()
	u := s.Uwsgo
	logf("%d connections, %d requests, %d of them active, %d waiting; answers: %d 2xx, %d 3xx, %d 4xx, %d 5xx",
		u.Connections, u.Requests, u.RequestsActive, u.QueueLength, u.Responses2xx, u.Responses3xx, u.Responses4xx, u.Responses5xx)
	for _, w := range s.Workers {
		logf("worker %d (pid: %d): %s, %d requests, %d exceptions, %d respawns, rss %d bytes",
			w.ID, w.PID, w.Status, w.Requests, w.Exceptions, w.RespawnCount, w.RSS)
	}
}

// workers tells of each worker, and of the apps and cores that it has.
func workers(pool worker.Snapshot, paused bool) []stats.Worker {
	var workers []stats.Worker
	for _, w := range pool.Workers {
		status := "idle"
		switch {
		case w.Cheap:
			status = "cheap"
		case w.Busy():
			status = "busy"
		case paused:
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

func (o *Server) caches() []stores.Stats {
	if o.Caches == nil {
		return nil
	}
	return o.Caches()
}
