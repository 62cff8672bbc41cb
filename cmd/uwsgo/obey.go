package main

// served is the server, as orders see it.
type served struct{ *program }

func (p served) reload(why string, byEmperor bool) {
	if byEmperor {
		p.vassal.renewing.Store(true)
	}
	p.reloads.Ask(why)
}

func (p served) reloadChain(why string) { p.reloads.AskChain(why) }

func (p served) reloadWorkers(why string) { p.reloads.AskWorkers(why) }

func (p served) logStats() { p.observer.Log(p.logf) }

func (p served) reopenLog() { p.logs.Reopen() }

func (p served) rotateLog() { p.logs.Rotate() }

func (p served) writePidFiles() { p.pidFiles.again() }

// pause stops accepting connections, or goes on.
func (p served) pause() {
	paused := !p.paused.Load()
	p.paused.Store(paused)
	p.engine.Pause(paused)
	if paused {
		p.logf("*** PAUSE: no connection is accepted until SIGTSTP comes again ***")
	} else {
		p.logf("*** (SIGTSTP received) accepting connections again ***")
	}
}

// scale runs by more workers, or fewer where by is negative.
func (p served) scale(by int) {
	if p.workers.Pool == nil || p.cfg.Cheaper.Min == 0 {
		p.logf("master-fifo: the number of workers is fixed: set cheaper to have it change")
		return
	}
	p.workers.Scale(by)
}
