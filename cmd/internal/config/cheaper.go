package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// maxCheaper bounds the numbers of cheaper and its kin.
const maxCheaper = 100_000

var algorithms = map[string]worker.CheaperAlgorithm{
	"spare":    worker.CheaperSpare,
	"backlog":  worker.CheaperBacklog,
	"busyness": worker.CheaperBusyness,
	"manual":   worker.CheaperManual,
}

// algorithm reads cheaper-algo. One that is not known is spare, as in uWSGI.
func (r *resolver) algorithm(e ini.Entry) {
	name := strings.TrimSpace(e.Value)
	a, ok := algorithms[name]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(algorithms)), ", ")
		r.list.Warnf("%s: there is no algorithm %q, so spare is taken; there are %s", e.Origin.Name(e.Key), name, known)
	}
	r.Cheaper.Algorithm = a
}

// noCheaper reports whether cheaper is given true or false. uWSGI takes either for 0, so
// all workers run.
func (r *resolver) noCheaper(e ini.Entry) bool {
	switch strings.ToLower(strings.TrimSpace(e.Value)) {
	case "true":
		r.list.Warnf("%s: %q is no number of workers: as in uWSGI all workers run; write cheaper = N for the least number of them, or leave it out",
			e.Origin.Name(e.Key), e.Value)
	case "false":
	default:
		return false
	}
	r.Cheaper.Min = 0
	return true
}

// checkCheaper compares the numbers of workers with each other.
func (r *resolver) checkCheaper() error {
	c := &r.Cheaper
	switch {
	case c.Min == 0:
		return nil
	case c.Min >= r.Processes:
		return fmt.Errorf("cheaper: %d must be lower than processes, which is %d", c.Min, r.Processes)
	case c.Initial == 0:
	case c.Initial < c.Min:
		r.list.Warnf("cheaper-initial: %d is lower than cheaper, so %d workers are started", c.Initial, c.Min)
		c.Initial = c.Min
	case c.Initial > r.Processes:
		r.list.Warnf("cheaper-initial: %d is more than processes, so %d workers are started", c.Initial, r.Processes)
		c.Initial = r.Processes
	}
	return nil
}
