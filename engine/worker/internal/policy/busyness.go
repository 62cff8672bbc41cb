package policy

import (
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// busyness is [launch.CheaperBusyness], uWSGI's cheaper_busyness plugin. The plugin counts
// ended requests. Here the run time counts, ended or not.
type busyness struct {
	launch.Busyness
	least, step, threads int
	unit                 time.Duration
	log                  func(string)

	work       time.Duration // at the last measurement
	checked    time.Time     // the time of the last measurement
	multiplier int           // in force now
	nextCheap  time.Time     // no worker ends before
	lastCheap  time.Time
	cheaped    bool // the last action ended a worker
	steady     int  // measurements in a row that were neither high nor low
	emergency  int  // workers started because requests waited
	waitsSince time.Time
}

func newBusyness(c *launch.Cheaper, threads int, now time.Time, log func(string)) *busyness {
	a := &busyness{
		Busyness: c.Busyness, least: c.Min, step: c.Step, threads: threads,
		unit: time.Duration(c.Overload) * c.Cycle, log: log,
		checked: now, multiplier: c.Busyness.Multiplier,
	}
	a.rest(now)
	return a
}

// rest keeps all workers for a while.
func (a *busyness) rest(now time.Time) {
	units := a.multiplier
	if a.emergency > 0 {
		units = a.BacklogMultiplier
	}
	a.nextCheap = now.Add(time.Duration(units) * a.unit)
}

func (a *busyness) logf(format string, args ...any) {
	a.log("[busyness] " + fmt.Sprintf(format, args...))
}

func (a *busyness) verbosef(format string, args ...any) {
	if a.Verbose {
		a.logf(format, args...)
	}
}

func (a *busyness) Decide(d Demand) int {
	elapsed := d.Now.Sub(a.checked)
	if elapsed < a.unit {
		return a.alert(d)
	}
	// A dead worker's requests no longer count, so the sum may shrink.
	work := max(0, d.Work-a.work)
	a.work, a.checked = d.Work, d.Now
	busy := min(100, int(100*work/(elapsed*time.Duration(max(1, d.Running*a.threads)))))
	a.verbosef("%ds average busyness of %d worker(s) is at %d%%", int(a.unit/time.Second), d.Running, busy)
	switch {
	case busy > a.Max:
		return a.high(d, busy)
	case d.Waiting > a.BacklogAlert && d.Cheap > 0:
		return a.emergencyWorkers(d)
	case d.Running == 1:
		return 0
	case busy < a.Min:
		return a.low(d, busy)
	}
	a.between(d.Now)
	return 0
}

// high starts workers. If it had ended one too early it ends workers later from now on.
func (a *busyness) high(d Demand, busy int) int {
	a.steady = 0
	n := min(a.step, d.Cheap)
	if n == 0 {
		a.logf("%ds average busyness is at %d%% but we already started maximum number of workers (%d)", int(a.unit/time.Second), busy, d.Running)
		return 0
	}
	if !a.lastCheap.IsZero() && d.Now.Sub(a.lastCheap) <= time.Duration(a.multiplier)*a.unit {
		a.multiplier += a.Penalty
		a.logf("worker(s) respawned too fast, increasing cheaper multiplier to %d (+%d)", a.multiplier, a.Penalty)
	} else {
		a.relax()
	}
	a.cheaped = false
	a.rest(d.Now)
	a.logf("%ds average busyness is at %d%%, will spawn %d new worker(s)", int(a.unit/time.Second), busy, n)
	return n
}

// low ends a worker after a long time of little load.
func (a *busyness) low(d Demand, busy int) int {
	a.steady = 0
	if d.Running <= a.least {
		return 0
	}
	if d.Now.Before(a.nextCheap) {
		a.verbosef("need to wait %d more second(s) to cheap worker", int(a.nextCheap.Sub(d.Now)/time.Second))
		return 0
	}
	if a.cheaped {
		a.relax()
	}
	a.rest(d.Now)
	a.lastCheap, a.cheaped = d.Now, true
	a.emergency = max(0, a.emergency-1)
	a.logf("%ds average busyness is at %d%%, cheap one of %d running workers", int(a.unit/time.Second), busy, d.Running)
	return -1
}

// between handles a measurement that is neither high nor low. Three in a row restart the time
// in which no worker ends.
func (a *busyness) between(now time.Time) {
	a.emergency = max(0, a.emergency-1)
	if a.steady++; a.steady >= 3 {
		a.rest(now)
		return
	}
	a.nextCheap = a.nextCheap.Add(a.unit)
}

// relax takes a penalty back.
func (a *busyness) relax() {
	if a.multiplier > a.Multiplier {
		a.multiplier--
		a.logf("decreasing cheaper multiplier to %d", a.multiplier)
	}
}

// alert checks in each cycle whether too many requests wait, or wait too long.
func (a *busyness) alert(d Demand) int {
	switch {
	case d.Waiting > a.BacklogAlert && d.Cheap > 0:
		return a.emergencyWorkers(d)
	case d.Waiting == 0:
		a.waitsSince = time.Time{}
	case a.waitsSince.IsZero():
		a.waitsSince = d.Now
	case d.Cheap > 0 && d.Now.Sub(a.waitsSince) >= a.BacklogNonzero:
		a.logf("backlog was non-zero for %d second(s), spawning new worker(s)", int(d.Now.Sub(a.waitsSince)/time.Second))
		a.waitsSince = d.Now
		return a.emergencyWorkers(d)
	}
	return 0
}

func (a *busyness) emergencyWorkers(d Demand) int {
	n := min(a.BacklogStep, d.Cheap)
	a.multiplier, a.cheaped = a.Busyness.Multiplier, false
	a.emergency += n
	a.rest(d.Now)
	a.logf("%d requests in listen queue, spawning %d emergency worker(s) (%d)!", d.Waiting, n, a.emergency)
	return n
}
