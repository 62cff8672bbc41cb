package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/uwsgo/uwsgo/cmd/internal/hook"
)

// usual is what signals ask for, unless a hook of unix_signal says otherwise.
var usual = map[os.Signal]string{
	syscall.SIGHUP: hook.Reload, syscall.SIGTSTP: hook.Pause, syscall.SIGUSR1: hook.Stats, syscall.SIGUSR2: replaceTask,
	emperorReload: hook.Reload,
}

// replaceTask is the one that no hook can ask for.
const replaceTask = "replace"

// setTask has a signal ask for something else from now on.
func (p *program) setTask(sig syscall.Signal, task string) {
	if p.tasks == nil {
		p.tasks = map[os.Signal]string{}
	}
	p.tasks[sig] = task
	switch sig {
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT: // p.ending has them
	default:
		signal.Notify(p.others, sig)
	}
}

// request asks for the end like a signal, whatever signals ask for.
type request string

// Signal makes it an os.Signal.
func (request) Signal() {}

func (r request) String() string { return string(r) }

// heed does what a signal asks for, and reports whether the server goes on. Only the
// goroutine of serve calls it.
func (p *program) heed(sig os.Signal) bool {
	task := usual[sig]
	if other, ok := p.tasks[sig]; ok {
		task = other
	}
	name := signalName(sig)
	switch task {
	case hook.Reload:
		if sig == emperorReload {
			p.vassal.renewing.Store(true)
		}
		p.reloads.Ask(name + " received: reloading")
	case hook.Pause:
		p.pause()
	case hook.Stats:
		p.log.Printf("%s received:", name)
		p.observer.Log(p.log.Printf)
	case replaceTask:
		p.log.Printf("%s received:", name)
		p.replaceBinary()
	default:
		p.log.Printf("%s received: finishing requests, at most %v (again: at once)", name, p.cfg.Mercy)
		return false
	}
	return true
}

func signalName(s os.Signal) string {
	switch s {
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGQUIT:
		return "SIGQUIT"
	case syscall.SIGINT:
		return "SIGINT"
	case syscall.SIGHUP:
		return "SIGHUP"
	case syscall.SIGUSR1:
		return "SIGUSR1"
	case syscall.SIGUSR2:
		return "SIGUSR2"
	}
	return s.String()
}
