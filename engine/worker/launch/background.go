package launch

import (
	"fmt"
	"time"
)

// Background is a process beside the workers: it has the apps, the uwsgi module and a channel
// to the server as a worker has, and is given no requests. A mule is one, a spooler another.
//
// The zygote that serves forks it once the workers serve. There is one process at a time:
// one that ends, however it does, is followed by another, after a pause that grows where it
// ends soon after its start. At a reload it is told to go, and its successor, of the new
// code, is forked when it has gone.
//
// What it does is up to the shim: shim/background.py runs the function that is there for its
// Kind, in the main thread, with Spec.
type Background struct {
	Kind   string // such as mule: what it is called in the log, and what the shim does
	Number int    // from 1, among those of its kind
	Title  string // what ps shows (Linux); empty for one like "uwsgo mule 1"
	// Imports has it import the apps for itself where the zygote does not, as with LazyApps.
	Imports bool
	// Steps are done before it begins, as those of Config.PostFork are in workers.
	Steps []Step
	// Mercy is how long it may take to go when it is told to, before it is killed; default:
	// [Config].Mercy.
	Mercy time.Duration
	// Spec is what the function of the shim gets. Its values are those that pymarshal knows.
	Spec map[string]any
}

// Name is what the log calls it, such as "mule 1".
func (b *Background) Name() string { return fmt.Sprintf("%s %d", b.Kind, b.Number) }

// Label is what ps shows.
func (b *Background) Label() string {
	if b.Title != "" {
		return b.Title
	}
	return "uwsgo " + b.Name()
}
