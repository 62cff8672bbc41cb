package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/uwsgo/uwsgo/cmd/internal/emperor"
	"github.com/uwsgo/uwsgo/cmd/internal/stats"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// throne is one run of the emperor.
type throne struct{ *process }

// reign runs the emperor until it is stopped, and returns the exit code. An emperor begins and ends
// like a server, and has no loops, workers and apps.
func reign(base *process) int {
	p := &throne{base}
	p.takeSignals()
	defer p.ending.Hurry()
	defer p.ending.Undo()
	if p.cfg.Procnames.Master == "" {
		p.cfg.Procnames.Master = p.cfg.EmperorName
	}
	setProcs(false)
	if err := p.open(); err != nil {
		return fail(err)
	}
	e, err := p.crown()
	if err != nil {
		p.complain(err)
		return exitConfig
	}
	asked := make(chan emperor.Ask)
	over := make(chan struct{})
	go p.petition(asked, over)
	e.Run(asked)
	close(over)
	p.logf("The Emperor is buried.")
	return exitOK
}

// crown prepares all that an emperor needs, in the order of a server.
func (p *throne) crown() (*emperor.Emperor, error) {
	cfg := p.cfg
	p.logf("*** Starting uwsgo Emperor %s (%s, %d CPUs) on [%s] ***", version, runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), p.start.Format(time.ANSIC))
	inherited, err := p.manager.inherit()
	if err != nil {
		return nil, err
	}
	if len(inherited) > 0 {
		p.logf("*** WARNING: an emperor listens nowhere itself: the sockets of systemd stay unused ***")
	}
	if err := p.site.begin(); err != nil {
		return nil, err
	}
	p.site.started = p.site.home
	for _, w := range cfg.Warnings {
		p.logf("*** WARNING: %s ***", w)
	}
	if err := p.site.chdir(); err != nil {
		return nil, err
	}
	o := cfg.Emperor
	o.Program, o.Dir, o.Logf, o.Mercy = p.self, *p.site.cwd.Load(), p.logf, cfg.Mercy+5*time.Second
	o.Output = os.Stderr
	var code atomic.Pointer[os.File]
	o.Code = code.Load
	if cfg.LogTo != "" {
		o.Output = p.logs.File()
	}
	governed := -1
	o.Governing = func(n int) {
		if n != governed {
			governed = n
			p.manager.notify("", fmt.Sprintf("The Emperor is governing %d vassals", n))
		}
		p.manager.alive()
	}
	if p.manager.watchdog > 0 {
		o.Freq = min(o.Freq, p.manager.watchdog/2)
	}
	e, err := emperor.New(o)
	if err != nil {
		return nil, err
	}
	if cfg.EmperorStats != "" {
		so := stats.Options{Mode: cfg.ChmodSocket, Owner: p.identity.Owner(), HTTP: cfg.StatsHTTP, Minified: cfg.StatsMin, Hosts: cfg.StatsHosts}
		document := func() ([]byte, error) {
			text, err := e.Document(version)
			if err == nil && text == nil {
				err = errors.New("the emperor has ended")
			}
			if err != nil {
				return nil, err
			}
			return stats.Indent(nil, text, so.Minified), nil
		}
		s, err := stats.NewDocument(cfg.EmperorStats, document, so)
		if err != nil {
			return nil, fmt.Errorf("emperor-stats: %w", err)
		}
		p.ending.Later(func() { _ = s.Close() })
		p.logf("*** Emperor stats server enabled on %s ***", s.Addr())
	}
	if err := p.writePidFiles(true, cfg.PidFile, cfg.EmperorPid); err != nil {
		return nil, err
	}
	if err := e.Keep(func() error { return dropPrivileges(p.site, p.identity, p.logf) }); err != nil {
		return nil, err
	}
	if err := p.logs.move(cfg.LogTo2); err != nil {
		return nil, err
	}
	if err := p.writePidFiles(false, cfg.PidFile2, cfg.SafePidFile, cfg.SafePidFile2); err != nil {
		return nil, err
	}
	if err := p.daemon.detach(&p.logs); err != nil {
		return nil, err
	}
	go compileForVassals(&code)
	p.ending.Started = true
	tellLosses(p.cfg, p.logf)
	p.manager.notify(daemon.SdNotifyReady, "The Emperor is governing 0 vassals")
	p.vassal.tell(emperor.Spawned, emperor.Accepting, emperor.Loyal)
	return e, nil
}

// compileForVassals has the system's Python compile what vassals would compile each for itself,
// if that is their Python. Without it they only start slower.
func compileForVassals(code *atomic.Pointer[os.File]) {
	ctx, cancel := context.WithTimeout(context.Background(), compileTime)
	defer cancel()
	if python, err := worker.FindPython(""); err == nil {
		if f, err := worker.Compile(ctx, python); err == nil {
			code.Store(f)
		}
	}
}

const compileTime = 30 * time.Second

// petition passes on what is asked of the emperor by signals, and by an emperor above it.
func (p *throne) petition(asked chan<- emperor.Ask, over <-chan struct{}) {
	look := make(chan os.Signal, 1)
	signal.Notify(look, syscall.SIGWINCH)
	ask := func(what emperor.Ask) {
		select {
		case asked <- what:
		case <-over:
		}
	}
	go func() {
		<-p.ending.Patience.Done()
		ask(emperor.Hurry)
	}()
	for {
		select {
		case sig := <-p.ending.Asked:
			p.logf("%s received: stopping the vassals, at most %v (again: at once)", signalName(sig), p.cfg.Mercy)
			p.manager.notify(daemon.SdNotifyStopping, "stopping the vassals")
			ask(emperor.Finish)
			p.ending.Insist()
			return
		case sig := <-p.others:
			switch sig {
			case syscall.SIGHUP, emperorReload:
				p.logf("%s received: all vassals reload", signalName(sig))
				p.logs.Follow()
				ask(emperor.ReloadAll)
			case syscall.SIGUSR1:
				ask(emperor.Report)
			case syscall.SIGUSR2:
				p.logf("SIGUSR2 received: an emperor is not replaced: restart it")
			}
		case <-look:
			ask(emperor.Look)
		case <-over:
			return
		}
	}
}
