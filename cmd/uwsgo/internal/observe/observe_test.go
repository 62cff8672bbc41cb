package observe

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/internal/stats"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// address is a listener of which so many wait.
type address struct {
	name           string
	waiting, limit int
}

func (a address) String() string            { return a.name }
func (a address) Protocol() engine.Protocol { return engine.UWSGI }
func (a address) Waiting() int              { return a.waiting }
func (a address) Backlog() (int, bool)      { return a.limit, false }

// server is one with two workers and two apps.
func server() *Server {
	at := time.Unix(1700000000, 0)
	return &Server{
		Version: "2.0.31-uwsgo-test",
		Engine: func() engine.Stats {
			return engine.Stats{Conns: 3, Requests: 9, Status: [6]uint64{0, 0, 7, 1, 1, 0}}
		},
		Listeners: func() []Listener { return []Listener{address{":1", 2, 100}, address{":2", 5, 100}} },
		Workers: func() (worker.Snapshot, bool) {
			return worker.Snapshot{
				Apps: []worker.LoadedApp{{App: worker.App{Mount: "/a"}, Seconds: 1.6}, {App: worker.App{Mount: "/b"}}},
				Workers: []worker.Stats{
					{
						ID: 1, PID: 41, State: worker.Busy, Requests: 8, Exceptions: 2, AvgRT: 3 * time.Millisecond, LastSpawn: at,
						Apps:  []worker.AppStats{{Requests: 5}, {Requests: 3, Exceptions: 2}},
						Cores: []worker.CoreStats{{ID: 0, Requests: 8, InRequest: true, Since: at}},
					},
					{ID: 2, PID: 42, State: worker.Idle, Apps: make([]worker.AppStats, 2)},
					{ID: 3, Cheap: true},
				},
				Processes: []worker.ProcessStats{{Worker: 1, PID: 41, State: worker.Busy, Requests: 8, Since: at}},
				Waiting:   4,
			}, true
		},
		Companions: func() []companion.State { return []companion.State{{Command: "redis", PID: 7, Respawns: 1}} },
		Crons: func() []cron.State {
			return []cron.State{{Job: cron.Job{Command: "date"}}, {Job: cron.Job{Command: "du"}, PID: 8, Started: at}}
		},
		Paused:  func() bool { return false },
		Cwd:     func() string { return "/srv" },
		Dropped: func() uint64 { return 6 },
	}
}

func TestWorkers(t *testing.T) {
	s := server().Snapshot()
	var got []string
	for _, w := range s.Workers {
		got = append(got, fmt.Sprint(w.ID, " ", w.Status, " ", w.Accepting))
	}
	if want := []string{"1 busy true", "2 idle true", "3 cheap false"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	w := s.Workers[0]
	if w.AvgRT != 3000 || w.LastSpawn != 1700000000 || w.Cores[0].ReqInfo.RequestStart != 1700000000 {
		t.Errorf("%+v", w)
	}
	want := stats.List[stats.App]{{ID: 0, Mountpoint: "/a", StartupTime: 2, Requests: 5}, {ID: 1, Mountpoint: "/b", Requests: 3, Exceptions: 2}}
	if diff := cmp.Diff(want, w.Apps); diff != "" {
		t.Errorf("each app has its own count: %s", diff)
	}
}

func TestPausedWorkers(t *testing.T) {
	o := server()
	o.Paused = func() bool { return true }
	s := o.Snapshot()
	if s.Workers[0].Status != "busy" || s.Workers[1].Status != "pause" {
		t.Errorf("%s, %s; want busy, pause", s.Workers[0].Status, s.Workers[1].Status)
	}
}

func TestSnapshot(t *testing.T) {
	s := server().Snapshot()
	if s.ListenQueue != 5 || s.Load != 5 || len(s.Sockets) != 2 || s.Sockets[1].MaxQueue != 100 || s.Sockets[0].Proto != "uwsgi" {
		t.Errorf("listen queue %d, load %d, %+v", s.ListenQueue, s.Load, s.Sockets)
	}
	if s.Version != "2.0.31-uwsgo-test" || s.Cwd != "/srv" || s.Uwsgo.Connections != 3 || s.Uwsgo.LogLinesDropped != 6 || s.Uwsgo.QueueLength != 4 || s.Uwsgo.Responses2xx != 7 {
		t.Errorf("%+v", s)
	}
	if len(s.Uwsgo.Processes) != 1 || s.Uwsgo.Processes[0].Since != 1700000000 {
		t.Errorf("%+v", s.Uwsgo.Processes)
	}
	if len(s.Daemons) != 1 || s.Daemons[0].PID != 7 || len(s.Crons) != 2 || s.Crons[0].PID != -1 || s.Crons[1].PID != 8 || s.Crons[1].StartedAt != 1700000000 {
		t.Errorf("%+v, %+v", s.Daemons, s.Crons)
	}
}

// Whoever asks during the start gets what there is.
func TestSnapshotWithoutWorkers(t *testing.T) {
	o := server()
	o.Workers = func() (worker.Snapshot, bool) { return worker.Snapshot{}, false }
	if s := o.Snapshot(); len(s.Workers) != 0 || s.Uwsgo.Requests != 9 {
		t.Errorf("%+v", s)
	}
}

func TestLog(t *testing.T) {
	var lines []string
	server().Log(func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) })
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "3 connections, 9 requests, 0 of them active, 4 waiting; answers: 7 2xx, 1 3xx, 1 4xx") ||
		!strings.HasPrefix(lines[1], "worker 1 (pid: 41): busy, 8 requests, 2 exceptions") {
		t.Errorf("%q", lines)
	}
}
