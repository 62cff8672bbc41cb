package launch

import (
	"fmt"
	"time"
)

// Cheaper makes the number of running workers follow the load, between Min and
// [Config].Processes, as uWSGI's adaptive process spawning does. The other workers are cheap:
// they have no process. Once a cycle an algorithm decides to start some or to end one. With the
// zero value all workers always run.
type Cheaper struct {
	Min     int // workers that always run; 0 for all
	Initial int // workers that run at the start; default: Min
	Step    int // workers that are started at a time; default 1
	// Overload is how many cycles in a row must agree before an action. [CheaperBacklog]
	// compares it with the number of waiting requests. Default 3.
	Overload int
	// SoftRSS, if not 0, bounds the resident memory of all workers in bytes: beyond it no more
	// are started. Beyond HardRSS one without a request ends. The last one stays.
	SoftRSS, HardRSS int64
	Algorithm        CheaperAlgorithm
	Busyness         Busyness // for [CheaperBusyness]

	Cycle time.Duration // time between decisions; default a second
}

// CheaperAlgorithm decides how many workers run.
type CheaperAlgorithm uint8

// The algorithms. Running requests divided by Threads, rounded up, are the busy workers.
const (
	// CheaperSpare starts workers when all have been busy for Overload cycles. It ends one
	// after Overload cycles with two or more idle workers.
	CheaperSpare CheaperAlgorithm = iota
	// CheaperBacklog starts workers when more than Overload requests wait, and ends one a
	// cycle while fewer do.
	CheaperBacklog
	// CheaperBusyness keeps the busy share of workers' time between two bounds. It waits longer
	// before it ends workers that it had to start again.
	CheaperBusyness
	// CheaperManual leaves it to worker.Pool.Scale.
	CheaperManual
)

// WithDefaults replaces zero values.
func (c Cheaper) WithDefaults(processes int) (Cheaper, error) {
	if c.Min <= 0 {
		return Cheaper{}, nil
	}
	if c.Min >= processes {
		return c, fmt.Errorf("a worker pool of %d processes cannot keep %d of them running and start more", processes, c.Min)
	}
	c.Initial = min(max(c.Initial, c.Min), processes)
	c.Step = max(c.Step, 1)
	if c.Overload <= 0 {
		c.Overload = 3
	}
	if c.Cycle <= 0 {
		c.Cycle = time.Second
	}
	c.Busyness = c.Busyness.withDefaults()
	return c, nil
}

// Busyness configures [CheaperBusyness]. Zero values mean uWSGI's defaults. Its unit of time is
// Overload cycles.
type Busyness struct {
	Max int // busy share of workers' time in per cent: start some above; default 50
	Min int // end one below; default 25
	// Multiplier is how many units of low load end a worker; default 10. Penalty is added when
	// a worker must be started again within that time; default 2.
	Multiplier, Penalty int
	// BacklogAlert, default 33, starts BacklogStep workers, default 1, in a cycle with more
	// waiting requests. BacklogMultiplier, default 3, replaces Multiplier while such workers
	// run. BacklogNonzero, default 60 s, has the same effect when requests have waited that
	// long without a break.
	BacklogAlert, BacklogStep, BacklogMultiplier int
	BacklogNonzero                               time.Duration
	Verbose                                      bool // log each measurement
}

func (b Busyness) withDefaults() Busyness {
	for _, one := range []struct {
		value *int
		usual int
	}{
		{&b.Max, 50},
		{&b.Min, 25},
		{&b.Multiplier, 10},
		{&b.Penalty, 2},
		{&b.BacklogAlert, 33},
		{&b.BacklogStep, 1},
		{&b.BacklogMultiplier, 3},
	} {
		if *one.value <= 0 {
			*one.value = one.usual
		}
	}
	if b.BacklogNonzero <= 0 {
		b.BacklogNonzero = time.Minute
	}
	return b
}
