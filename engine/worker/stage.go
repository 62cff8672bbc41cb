package worker

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// stage is what a process does before it serves, for the log and for errors.
type stage struct {
	app   int    // the place in Config.Apps of the app that it imports, -1 for none
	text  string // such as "importing app.py"; empty before its Python runs
	since time.Time
	looks int // at which it was the same
	group int // the process group of a command that it runs, 0 for none
}

// ended returns the error for a process that has ended meanwhile. how says how.
func (s stage) ended(c *Config, who, how string) error {
	if s.app >= 0 && s.app < len(c.Apps) {
		return &LoadError{App: c.Apps[s.app], Reason: fmt.Sprintf("%s ended while it was importing it (%s): what is imported must not end, replace or daemonize its process, nor close descriptors that it has not opened", who, how)}
	}
	return &StartError{Reason: fmt.Sprintf("%s ended before it could serve, while it was %s: %s", who, s.text, how)}
}

// why returns the error for a generation whose zygote has ended before it took over.
func (g *supervisor) why(z *zygote) error {
	how := orEnded(z.err)
	if z.health.stuck != "" {
		how = fmt.Errorf("it %s, and was killed", z.health.stuck)
	}
	if z.doing.text == "" {
		return &PythonError{Path: z.config.Python, From: z.config.PythonFrom, Err: fmt.Errorf("it ended before the apps were loaded: %w", how)}
	}
	return z.doing.ended(&g.pool.config, fmt.Sprintf("the zygote (pid: %d)", z.pid), how.Error())
}

// How often a stage that lasts is looked at, and at which looks the log says so; then
// after twice as many each time.
const (
	watchEach   = time.Second
	reportAfter = 10
)

// lasts counts a look and reports whether the log is to say that the stage lasts.
func (s *stage) lasts() bool {
	s.looks++
	n := s.looks
	if n%reportAfter != 0 {
		return false
	}
	n /= reportAfter
	return n&(n-1) == 0
}

// watchStarts tells of processes that do not get as far as to serve. Importing may take
// as long as it likes. A hook, and what the app does in a fork, has the mercy time: then
// a reload is given up, and a worker that is to take a dead one's place is tried again. At
// the first start whoever started the server decides.
func (g *supervisor) watchStarts(now time.Time) {
	if z := g.next; z != nil && !z.forking && z.doing.text != "" && z.doing.lasts() {
		g.pool.log(fmt.Sprintf("the zygote (pid: %d) has been %s for %d seconds", z.pid, z.doing.text, int(now.Sub(z.doing.since).Seconds())))
	}
	for _, p := range g.places {
		if !p.alive || !p.is(Starting) {
			continue
		}
		took := now.Sub(p.doing.since)
		who := fmt.Sprintf("worker %d (pid: %d)", p.worker.number, p.pid.Load())
		if p.doing.lasts() {
			g.pool.log(fmt.Sprintf("%s has been %s for %d seconds: it does not serve before that is over", who, p.doing.text, int(took.Seconds())))
		}
		if p.pid.Load() != 0 && p.lost() {
			p.err = p.doing.ended(&g.pool.config, who, "it has closed its descriptors, or become another program")
			g.signal(p, unix.SIGKILL)
			continue
		}
		if p.doing.app >= 0 || took-g.pauses.since(p.doing.since, now) < g.pool.config.Mercy {
			continue
		}
		switch {
		case p.zygote != g.next:
			g.pool.log(fmt.Sprintf("%s is killed, as it did not serve within the mercy time", who))
			g.signal(p, unix.SIGKILL)
			p.doing.since = now // it may take a while
		case g.served:
			g.failed(&StartError{Reason: fmt.Sprintf("%s has been %s for %d seconds (worker-reload-mercy)", who, p.doing.text, int(took.Seconds()))})
			return
		}
	}
}
