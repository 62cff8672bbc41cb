package main

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/alarm"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
)

// process is what a server and an emperor have in common: a beginning, a log, a user, signals, and
// those who hear of it.
type process struct {
	cfg   *config.Config
	self  string // the absolute path of this program when it started; an upgrade puts another program there
	start time.Time
	site  *site
	logs  logs

	// identity is the user that the process becomes once its addresses are bound.
	identity privilege.Identity
	ending   *life.Ending
	others   chan os.Signal   // signals that do not ask for the end
	role     *succession.Role // to the servers before and after this one
	manager  *manager
	vassal   *vassal // nil for a process that no emperor has started
	daemon   daemonized
	pidFiles *pidFiles
	alarms   atomic.Pointer[alarm.Raiser] // nil without any
}

// newProcess returns one that has done nothing yet. self is the absolute path of this program,
// before is the server whose place this one takes, nil for none.
func newProcess(cfg *config.Config, self string, before *succession.Predecessor) *process {
	p := &process{cfg: cfg, self: self, site: &site{cfg: cfg}, role: succession.NewRole(before), others: make(chan os.Signal, 8)}
	p.ending = life.NewEnding(func() {
		_, _ = os.Stderr.WriteString("uwsgo: the end was asked for twice and did not come: ending as it is\n")
		os.Exit(exitConfig)
	})
	p.manager = &manager{logf: p.logf}
	p.role.Logf, p.role.Notify, p.role.Mercy = p.logf, p.manager.notify, cfg.Mercy
	return p
}

// logf writes a line into the log, once that is open. Any goroutine.
func (p *process) logf(format string, args ...any) { p.logs.printf(format, args...) }

// takeSignals lets signals come to the process, and never gives them back: one at the very end must
// not change the exit code.
func (p *process) takeSignals() {
	// A log whose reader has gone must not end the process. Not by Ignore: the programs that it
	// starts would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	signal.Notify(p.ending.Asked, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	// What uWSGI reloads or reports on must not end the process.
	signal.Notify(p.others, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP)
	p.vassal.listen(p.ending, p.others)
}

// open sets umask, name and identity of the process, and opens the log. Its errors go to standard
// error alone.
func (p *process) open() error {
	p.start = time.Now()
	go reapAdopted(p.ending.Patience.Done())
	if p.cfg.Umask >= 0 {
		syscall.Umask(p.cfg.Umask)
	}
	setTitle(p.cfg)
	var err error
	if p.identity, err = identify(p.cfg); err != nil {
		return err
	}
	c := logConfig(p.cfg, p.identity)
	c.Encoders = append(c.Encoders, p.vassal.prefix(c)...)
	if len(p.cfg.Alarm.Logs)+len(p.cfg.Alarm.Segfault) > 0 {
		c.Watch = func(line []byte) { p.alarms.Load().Line(line) }
	}
	if err := p.logs.open(c, p.role.Before != nil); err != nil {
		return err
	}
	p.ending.Later(func() { _ = p.logs.Close() })
	p.pidFiles = &pidFiles{user: p.identity, role: p.role, ending: p.ending, vacuum: p.cfg.Vacuum, logf: p.logf}
	return nil
}

// writePidFiles writes the files that options name. Early ones are relative to where the process
// was started.
func (p *process) writePidFiles(early bool, paths ...string) error {
	for _, path := range paths {
		if err := p.pidFiles.write(p.site.path(path, early)); err != nil {
			return err
		}
	}
	return nil
}

// complain logs why the process does not start. It also writes that to the terminal, because who
// started the process looks there and not into the log file.
func (p *process) complain(err error) {
	p.logf("uwsgo: %v", err)
	if p.cfg.LogTo != "" {
		fail(err)
	}
}
