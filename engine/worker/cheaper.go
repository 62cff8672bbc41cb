package worker

import (
	"fmt"
	"time"
)

// Cheaper has the number of workers that run follow the load, between Min and
// [Config].Processes, as uWSGI's adaptive process spawning does. The other workers are
// cheap: they have no process. Once a second, a cycle, an algorithm decides whether
// there are to be more or one less. The zero value has all of them run always.
type Cheaper struct {
	Min     int // workers that run at least; 0: all do
	Initial int // workers that run at the start; default: Min
	Step    int // workers that are started at a time; default 1
	// Overload is how many cycles in a row must say the same before something is done;
	// [CheaperBacklog] compares it with the number of requests that wait. Default 3.
	Overload  int
	Algorithm CheaperAlgorithm
	Busyness  Busyness // for [CheaperBusyness]

	cycle time.Duration // default a second; for tests
}

// CheaperAlgorithm is how it is decided how many workers run.
type CheaperAlgorithm uint8

// The algorithms. A worker counts as busy for each Threads requests that run, or a part
// of them.
const (
	// CheaperSpare starts workers when all have been busy for Overload cycles, and ends
	// one each Overload cycles in which there are two or more that are not.
	CheaperSpare CheaperAlgorithm = iota
	// CheaperBacklog starts workers when more than Overload requests wait, and ends one a
	// cycle while fewer do.
	CheaperBacklog
	// CheaperBusyness keeps what part of their time workers are busy between two bounds,
	// and is slow to end workers that it has had to start again.
	CheaperBusyness
	// CheaperManual leaves it to [Pool.Scale].
	CheaperManual
)

// withDefaults fills in what is not given.
func (c Cheaper) withDefaults(processes int) (Cheaper, error) {
	if c.Min <= 0 {
		return Cheaper{}, nil
	}
	if c.Min >= processes {
		return c, fmt.Errorf("a worker pool of %d processes cannot run %d at least and more at times", processes, c.Min)
	}
	c.Initial = min(max(c.Initial, c.Min), processes)
	c.Step = max(c.Step, 1)
	if c.Overload <= 0 {
		c.Overload = 3
	}
	if c.cycle <= 0 {
		c.cycle = time.Second
	}
	c.Busyness = c.Busyness.withDefaults()
	return c, nil
}

// initial returns how many workers run at the start.
func (c *Config) initial() int {
	if c.Cheaper.Min == 0 {
		return c.Processes
	}
	return c.Cheaper.Initial
}

// demand is what an algorithm decides from.
type demand struct {
	now     time.Time
	running int           // workers that are not cheap
	cheap   int           // workers that are
	busy    int           // so many workers are filled by the requests that run
	waiting int           // requests that wait for a worker
	work    time.Duration // how long threads have run requests, since some time in the past
}

// algorithm says once a cycle how many workers are to be started; -1 is one to be ended.
type algorithm interface {
	decide(d demand) int
}

func newAlgorithm(c *Config, log func(string)) algorithm {
	cheaper := &c.Cheaper
	if cheaper.Min == 0 {
		return nil
	}
	switch cheaper.Algorithm {
	case CheaperBacklog:
		return backlogged{least: cheaper.Min, step: cheaper.Step, limit: cheaper.Overload}
	case CheaperBusyness:
		return newBusyness(cheaper, c.Threads, time.Now(), log)
	case CheaperManual:
		return manual{}
	default:
		return &spare{least: cheaper.Min, step: cheaper.Step, cycles: cheaper.Overload}
	}
}

type manual struct{}

func (manual) decide(demand) int { return 0 }

// spare is [CheaperSpare].
type spare struct {
	least, step, cycles int
	overloaded, idle    int // cycles
}

func (a *spare) decide(d demand) int {
	if d.busy >= d.running {
		a.overloaded++
		a.idle = 0
	} else {
		a.overloaded = max(0, a.overloaded-1)
	}
	switch {
	case a.overloaded >= a.cycles:
		a.overloaded = 0
		return min(a.step, d.cheap)
	case a.overloaded > 0, d.running-d.busy == 1: // the spare one stays
		return 0
	}
	a.idle++
	if d.running > a.least && a.idle%a.cycles == 0 {
		return -1
	}
	return 0
}

// backlogged is [CheaperBacklog].
type backlogged struct{ least, step, limit int }

func (a backlogged) decide(d demand) int {
	switch {
	case d.waiting > a.limit:
		return min(a.step, d.cheap)
	case d.waiting < a.limit && d.running > a.least:
		return -1
	}
	return 0
}
