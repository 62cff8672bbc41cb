package launch

import (
	"fmt"
	"time"
)

// Cheaper has the number of workers that run follow the load, between Min and
// [Config].Processes, as uWSGI's adaptive process spawning does. The other workers are
// cheap: they have no process. Once a cycle an algorithm decides whether
// there are to be more or one less. The zero value has all of them run always.
type Cheaper struct {
	Min     int // workers that run at least; 0: all do
	Initial int // workers that run at the start; default: Min
	Step    int // workers that are started at a time; default 1
	// Overload is how many cycles in a row must say the same before something is done;
	// [CheaperBacklog] compares it with the number of requests that wait. Default 3.
	Overload int
	// SoftRSS, where not 0, has no more workers started while all together have so many
	// bytes of resident memory; at HardRSS one that has no request ends. The last one stays.
	SoftRSS, HardRSS int64
	Algorithm        CheaperAlgorithm
	Busyness         Busyness // for [CheaperBusyness]

	Cycle time.Duration // how often it is decided; default a second
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
	// CheaperManual leaves it to worker.Pool.Scale.
	CheaperManual
)

// WithDefaults fills in what is not given.
func (c Cheaper) WithDefaults(processes int) (Cheaper, error) {
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
	if c.Cycle <= 0 {
		c.Cycle = time.Second
	}
	c.Busyness = c.Busyness.withDefaults()
	return c, nil
}

// Busyness is how [CheaperBusyness] goes about it; zero values mean uWSGI's defaults.
// Overload cycles are its unit of time.
type Busyness struct {
	Max int // per cent of their time for which workers are busy: start some above; default 50
	Min int // end one below; default 25
	// Multiplier is for how many units workers must have been less busy before one ends;
	// default 10. Penalty is added when a worker has had to be started again within that
	// time; default 2.
	Multiplier, Penalty int
	// BacklogAlert starts BacklogStep workers, default 1, in any cycle in which more
	// requests wait; default 33. BacklogMultiplier takes the place of Multiplier while such
	// workers run; default 3. BacklogNonzero is for how long some request or other must
	// have waited to have the same effect; default 60 s.
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
