package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/result"
)

const (
	disturbRate  = 500 // requests a second: far below what any of the servers can answer
	disturbTick  = 50 * time.Millisecond
	disturbTimes = 3 // reloads, or workers killed, in one measurement
)

// reload is what clients notice of new code.
func reload() Workload {
	return disturbed(Workload{
		Name:  "reload",
		Title: "Reload under load",
		About: "500 requests a second for hello world (open loop) while the server reloads three times: requests that were lost, " +
			"how long others had to wait for more than 100 ms, and latency over time.",
		Refuses: firstOf(needsApp, func(p peers.Peer) string {
			if p.Reload == nil {
				return p.NoReload
			}
			if p.Workers == nil { // nobody could tell whether it has reloaded
				return p.NoWorkers
			}
			return ""
		}),
	}, "reload", func(r *Rig, workers []int) ([]int, error) { return workers, r.Peer.Reload(r.Server) })
}

// kill is what clients notice of a worker that crashes.
func kill() Workload {
	return disturbed(Workload{
		Name:  "kill",
		Title: "kill -9 of a worker under load",
		About: "500 requests a second for hello world (open loop) while a worker process is killed three times, as a crash or the kernel's OOM killer would: " +
			"requests that were lost, how long others had to wait for more than 100 ms, and latency over time. What ran in the killed worker cannot be saved.",
		Refuses: firstOf(needsApp, func(p peers.Peer) string {
			if p.Workers == nil {
				return p.NoWorkers
			}
			return ""
		}),
	}, "kill -9", killWorker)
}

func killWorker(_ *Rig, workers []int) ([]int, error) {
	pid := workers[rand.IntN(len(workers))]
	return []int{pid}, syscall.Kill(pid, syscall.SIGKILL)
}

// disturbed completes a workload in which something is done to a server under a
// steady load. It is given the server's workers, and gives those that must be
// replaced then.
func disturbed(w Workload, what string, do func(r *Rig, workers []int) ([]int, error)) Workload {
	w.Setup = two(apps.Hello)
	w.Metrics, w.Chart = []string{"lost", "disturbed", "max", "p50", "p99", "pss"}, []string{"lost", "disturbed"}
	w.Routes = []load.Route{get("/")}
	w.Takes = disturbTime
	w.Measure = func(ctx context.Context, r *Rig) ([]result.Sample, error) {
		length := disturbTime(r.Duration)
		workers, err := waitWorkers(ctx, r, nil)
		if err != nil {
			return nil, err
		}
		o := load.Options{Connections: 256, Rate: disturbRate, Duration: length, Tick: disturbTick, Routes: r.Routes}
		var (
			doing  sync.WaitGroup
			marks  []result.Mark
			gone   []int
			failed error
		)
		s, err := r.observe(ctx, "", func() (load.Result, error) {
			begun := time.Now()
			ctx, stop := context.WithCancel(ctx)
			defer stop()
			doing.Go(func() {
				// Evenly spread, and none so late that its effect is not seen.
				for range disturbTimes {
					if sleep(ctx, length/(disturbTimes+1)) != nil {
						return
					}
					marks = append(marks, result.Mark{At: time.Since(begun).Seconds(), Text: what})
					if workers, failed = r.Peer.Workers(r.Server); failed != nil || len(workers) == 0 {
						continue // all are being replaced
					}
					var those []int
					if those, failed = do(r, workers); failed != nil {
						return
					}
					gone = append(gone, those...)
				}
			})
			got, err := load.Run(ctx, r.Options(o))
			stop()
			doing.Wait()
			return got, err
		})
		if err != nil {
			return nil, err
		}
		if failed != nil {
			return nil, fmt.Errorf("%s: %w", what, failed)
		}
		// Without this, a server that ignored the reload would do best.
		if _, err := waitWorkers(ctx, r, gone); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		s.Marks = marks
		// Who was closed under a request without notice has asked again.
		s.Values["lost"] = float64(sum(s.Errors) - s.Errors[load.KindUnannounced])
		s.Values["disturbed"] = disturbedTime(s.Ticks)
		return []result.Sample{s}, nil
	}
	return w
}

// replaceLimit is how long a server may take to replace its workers: granian does
// so one by one, with pauses.
const replaceLimit = 20 * time.Second

// waitWorkers waits until a server has the right number of workers, and none of the old ones.
func waitWorkers(ctx context.Context, r *Rig, gone []int) ([]int, error) {
	want := r.Peer.Shape(r.Server.Setup).Processes
	for deadline := time.Now().Add(replaceLimit); ; {
		workers, err := r.Peer.Workers(r.Server)
		if err != nil {
			return nil, err
		}
		old := slices.ContainsFunc(workers, func(pid int) bool { return slices.Contains(gone, pid) })
		if !old && len(workers) >= want {
			return workers, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%v later the server had the workers %v; it should have %d, and none of %v", replaceLimit, workers, want, gone)
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// disturbTime is how long a disturbed measurement lasts: a reload of some servers
// takes a second or two.
func disturbTime(d time.Duration) time.Duration { return max(3*d, 4*time.Second) }

// noticed is how long an answer must take for a person to notice a delay.
const noticed = 100.0 // ms

// disturbedTime is the time, in ms, in which a request that was due was answered
// late, wrong or not at all.
func disturbedTime(ticks []result.Tick) float64 {
	n := 0
	for _, t := range ticks {
		if t.Errors > 0 || t.Max > noticed {
			n++
		}
	}
	return milliseconds(time.Duration(n) * disturbTick)
}
