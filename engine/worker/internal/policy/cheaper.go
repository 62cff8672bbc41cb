// Package policy decides for the supervisor: how many workers run, when a process is replaced,
// when a zygote does not respond, when respawning waits. Its functions get the time and the
// observations as arguments, and have no effects.
package policy

import (
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// Demand is the input of a [Scaler].
type Demand struct {
	Now     time.Time
	Running int           // workers that are not cheap
	Cheap   int           // workers that are cheap
	Busy    int           // workers filled by the running requests
	Waiting int           // requests that wait for a worker
	Work    time.Duration // total run time of requests, since some time in the past
	// Resident is the resident memory of all workers in bytes, if it has a limit.
	Resident int64
}

// Scaler decides once a cycle how many workers to start. -1 ends one.
type Scaler interface {
	Decide(d Demand) int
}

// NewScaler returns the algorithm of c.Cheaper, nil when all workers always run.
func NewScaler(c *launch.Config) Scaler {
	s := newAlgorithm(c)
	if cheaper := &c.Cheaper; s != nil && (cheaper.SoftRSS > 0 || cheaper.HardRSS > 0) {
		return bounded{s, cheaper.SoftRSS, cheaper.HardRSS, c.Say}
	}
	return s
}

// bounded keeps an algorithm within bounds of memory, in bytes.
type bounded struct {
	Scaler
	soft, hard int64
	say        func(string)
}

// Decide implements Scaler.
func (b bounded) Decide(d Demand) int {
	n := b.Scaler.Decide(d)
	switch {
	case b.hard > 0 && d.Running > 1 && d.Resident >= b.hard:
		b.say(fmt.Sprintf("cheaper hard rss memory limit exceeded, cheap one of %d workers", d.Running))
		return -1
	case b.soft > 0 && d.Resident >= b.soft:
		return min(n, 0)
	}
	return n
}

func newAlgorithm(c *launch.Config) Scaler {
	cheaper := &c.Cheaper
	if cheaper.Min == 0 {
		return nil
	}
	switch cheaper.Algorithm {
	case launch.CheaperBacklog:
		return backlogged{least: cheaper.Min, step: cheaper.Step, limit: cheaper.Overload}
	case launch.CheaperBusyness:
		return newBusyness(cheaper, c.Cores(), time.Now(), c.Say)
	case launch.CheaperManual:
		return manual{}
	default:
		return &spare{least: cheaper.Min, step: cheaper.Step, cycles: cheaper.Overload}
	}
}

type manual struct{}

func (manual) Decide(Demand) int { return 0 }

// spare is [launch.CheaperSpare].
type spare struct {
	least, step, cycles int
	overloaded, idle    int // cycles
}

func (a *spare) Decide(d Demand) int {
	if d.Busy >= d.Running {
		a.overloaded++
		a.idle = 0
	} else {
		a.overloaded = max(0, a.overloaded-1)
	}
	switch {
	case a.overloaded >= a.cycles:
		a.overloaded = 0
		return min(a.step, d.Cheap)
	case a.overloaded > 0, d.Running-d.Busy == 1: // the spare one stays
		return 0
	}
	a.idle++
	if d.Running > a.least && a.idle%a.cycles == 0 {
		return -1
	}
	return 0
}

// backlogged is [launch.CheaperBacklog].
type backlogged struct{ least, step, limit int }

func (a backlogged) Decide(d Demand) int {
	switch {
	case d.Waiting > a.limit:
		return min(a.step, d.Cheap)
	case d.Waiting < a.limit && d.Running > a.least:
		return -1
	}
	return 0
}
