package supervisor

import (
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// watchdog looks once a second for zygotes that do not respond, and for processes and reloads
// that take too long to start.
type watchdog struct{ g *Supervisor }

// look looks at starting processes and at zygotes.
func (s *watchdog) look(now time.Time) {
	g := s.g
	if !g.stopping {
		s.giveUpHanging(now)
		s.starts(now)
	}
	for _, z := range g.generations.all {
		if z.Retired() {
			continue
		}
		changed := z.health.Look(proc.State(z.PID))
		if z.health.Stuck != "" {
			if changed {
				s.distrust(z)
			}
			s.replace(z)
			continue
		}
		if changed {
			g.say("the zygote (pid: %d) responds again", z.PID)
			g.fleet.fill()
			g.backgrounds.fill()
		}
		if z.health.Ping() && z.forking {
			z.health.Owed++
			z.Ping()
		}
	}
}

// distrust logs that a zygote does not respond.
func (s *watchdog) distrust(z *generation) {
	s.g.say("DAMN ! the zygote (pid: %d) %s: it is replaced; its workers finish their requests", z.PID, z.health.Stuck)
}

// malformed handles a malformed report: nothing after it can be trusted. The zygote is
// replaced, and killed once its workers have finished.
func (s *watchdog) malformed(z *generation, err error) {
	if z.Retired() {
		return
	}
	if z.health.Distrust(fmt.Sprintf("has sent a report that cannot be right (%v)", err)) {
		s.distrust(z)
	}
	s.replace(z)
}

// replace starts another zygote for one that does not respond. Nobody reaps the old one's
// workers, so replace looks for their exits. It kills the old zygote when none is left.
func (s *watchdog) replace(z *generation) {
	g := s.g
	if z == g.generations.next {
		g.fleet.abandon(z) // no worker of it serves
		return
	}
	left := false
	for _, p := range g.fleet.places {
		if !p.alive || p.generation != z || p.streams == nil {
			continue
		}
		// A process without an id was not forked. It is only if the zygote goes on.
		if pid := p.pid(); pid != 0 {
			if p.exited(g.Memory, p.handle) {
				g.fleet.exited(p, pid, 0)
			} else {
				left = true
			}
		}
	}
	left = g.backgrounds.lookAfter(z) || left
	if z != g.generations.present || g.stopping {
		if !left {
			z.Kill()
		}
		return
	}
	if g.generations.next != nil || !z.health.Replace() {
		return
	}
	if err := g.generations.start(g.config.LazyApps); err != nil {
		g.generations.failed(err)
	}
}

// starts watches processes that do not serve yet. Importing has no limit. A hook, and the app's
// code in a fork, has the mercy time. After that a reload is given up, and the successor of a
// dead worker is tried again. At the first start the operator decides.
func (s *watchdog) starts(now time.Time) {
	g := s.g
	if z := g.generations.next; z != nil && !z.forking && z.Doing.Text != "" && z.Doing.Lasts() {
		g.say("the zygote (pid: %d) has been %s for %d seconds", z.PID, z.Doing.Text, int(now.Sub(z.Doing.Since).Seconds()))
	}
	for _, p := range g.fleet.places {
		if !p.alive || !p.Is(shared.Starting) {
			continue
		}
		took := now.Sub(p.doing.Since)
		who := fmt.Sprintf("worker %d (pid: %d)", p.worker.Number, p.pid())
		if p.doing.Lasts() {
			g.say("%s has been %s for %d seconds: it does not serve until that ends", who, p.doing.Text, int(took.Seconds()))
		}
		// One whose app could not be loaded was told to exit; its error is known.
		if p.pid() != 0 && p.err == nil && p.lost() {
			p.err = p.doing.ExitError(&g.config, who, "it has closed its descriptors, or become another program")
			p.signal(sigKill)
			continue
		}
		if p.doing.App >= 0 || took-g.pauses.Since(p.doing.Since, now) < g.config.Mercy {
			continue
		}
		switch {
		case p.generation != g.generations.next:
			g.say("%s did not serve within the mercy time: killing it", who)
			p.signal(sigKill)
			p.doing.Since = now // it may take a while
		case g.generations.served:
			g.generations.failed(&launch.StartError{Reason: fmt.Sprintf("%s has been %s for %d seconds (worker-reload-mercy)", who, p.doing.Text, int(took.Seconds()))})
			return
		}
	}
}

// giveUpHanging gives up a reload that takes too long while another one waits.
func (s *watchdog) giveUpHanging(now time.Time) {
	g, gens := s.g, &s.g.generations
	z := gens.next
	if z == nil || !gens.giveWay || !gens.served {
		return
	}
	took := now.Sub(gens.begun)
	if took-g.pauses.Since(gens.begun, now) < 2*gens.took+time.Second {
		return
	}
	what := fmt.Sprintf("the zygote (pid: %d) has been %s", z.PID, z.Doing.Text)
	for _, p := range g.fleet.places {
		if p.alive && p.generation == z && p.Is(shared.Starting) && p.doing.Text != "" {
			what = fmt.Sprintf("worker %d (pid: %d) has been %s", p.worker.Number, p.pid(), p.doing.Text)
		}
	}
	gens.failed(&launch.StartError{Reason: fmt.Sprintf("%s in a reload that takes %d seconds already, and another one has been asked for: this one is given up, and its processes are killed", what, int(took.Seconds()))})
}
