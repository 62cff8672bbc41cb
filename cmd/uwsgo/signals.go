package main

import (
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/uwsgo/uwsgo/cmd/internal/hook"
)

// usual is what signals ask for, unless a hook of unix_signal says otherwise.
var usual = map[os.Signal]string{
	syscall.SIGHUP: hook.Reload, syscall.SIGTSTP: hook.Pause, syscall.SIGUSR1: hook.Stats, syscall.SIGUSR2: replaceTask,
	emperorReload: hook.Reload,
}

// replaceTask is the task that no hook can ask for.
const replaceTask = "replace"

// orders are what signals and the letters of master-fifo ask for. Only the goroutine of serve calls
// heed and obey.
type orders struct {
	server obeying
	logf   func(format string, args ...any)
	notify func(os.Signal) // lets a signal come to

	mu    sync.Mutex
	tasks map[os.Signal]string // what signals ask for by hooks of unix_signal; mu guards it
}

// obeying is a server that does what it is asked for.
type obeying interface {
	reload(why string, byEmperor bool)
	reloadChain(why string)
	reloadWorkers(why string)
	pause()
	logStats()
	replaceBinary()
	writePidFiles()
	scale(by int)
	reopenLog()
	rotateLog()
}

// setTask gives a signal another task. Any goroutine.
func (o *orders) setTask(sig syscall.Signal, task string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tasks == nil {
		o.tasks = map[os.Signal]string{}
	}
	o.tasks[sig] = task
	switch sig {
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT: // the server gets them anyway
	default:
		o.notify(sig)
	}
}

// request asks for the end like a signal, whatever signals ask for.
type request string

// Signal makes it an os.Signal.
func (request) Signal() {}

func (r request) String() string { return string(r) }

// heed does what a signal asks for, and reports whether the server goes on.
func (o *orders) heed(sig os.Signal) bool {
	o.mu.Lock()
	task, ok := o.tasks[sig]
	o.mu.Unlock()
	if !ok {
		task = usual[sig]
	}
	name := signalName(sig)
	switch task {
	case hook.Reload:
		o.server.reload(name+" received: reloading", sig == emperorReload)
	case hook.Pause:
		o.server.pause()
	case hook.Stats:
		o.logf("%s received:", name)
		o.server.logStats()
	case replaceTask:
		o.logf("%s received:", name)
		o.server.replaceBinary()
	default:
		return false
	}
	return true
}

// unsupportedLetters are commands of uWSGI that the server does not have yet.
const unsupportedLetters = "BCERSW"

// obey does what a letter asks for.
func (o *orders) obey(c byte) {
	switch {
	case c == 'w':
		o.server.reloadWorkers("master-fifo: w: reloading")
	case c == 'r':
		o.server.reload("master-fifo: r: reloading", false)
	case c == 'f':
		o.logf("master-fifo: f:")
		o.server.replaceBinary()
	case c == 'c':
		o.server.reloadChain("master-fifo: c: replacing the workers one by one")
	case c == 'p':
		o.server.pause()
	case c == 'P':
		o.server.writePidFiles()
	case c == '+':
		o.server.scale(1)
	case c == '-':
		o.server.scale(-1)
	case c == 'l':
		o.logf("master-fifo: l: opening the log anew")
		o.server.reopenLog()
	case c == 'L':
		o.logf("master-fifo: L: rotating the log")
		o.server.rotateLog()
	case c == 's':
		o.server.logStats()
	case strings.IndexByte(unsupportedLetters, c) >= 0:
		o.logf("master-fifo: command %q is not supported yet", string(c))
	default:
		o.logf("master-fifo: there is no command %q", string(rune(c)))
	}
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
