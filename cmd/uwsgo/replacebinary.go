package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
)

// ownPath returns the absolute path of the program as it was called: an upgrade puts the new one
// there. /proc would lead to the old one.
func ownPath() string {
	path, err := exec.LookPath(os.Args[0])
	if err == nil || errors.Is(err, exec.ErrDot) {
		path, err = filepath.Abs(path)
	}
	if err != nil { // the name leads nowhere
		path, _ = os.Executable()
	}
	return path
}

// replaceBinary starts the program again, to take this process's place and sockets. Only the
// goroutine of serve calls it.
func (p *program) replaceBinary() {
	if p.vassal != nil {
		p.logf("%v", errVassal)
		return
	}
	if why := p.role.Refusal(os.Getpid(), p.paused.Load(), p.cfg.Chroot != ""); why != "" {
		p.logf("%s", why)
		return
	}
	p.logf("binary reloading uwsgo: starting %s...", p.self)
	if err := p.role.Start(p.likeThis()); err != nil {
		p.logf("the binary is not replaced: %v", err)
		return
	}
	p.logf("process %d is to take the place of this one", p.role.After.PID())
	p.reloads.Tell(1, "replacing the binary")
}

// likeThis returns how this process was started.
func (p *program) likeThis() succession.Spec {
	s := succession.Spec{
		Path: p.self, Args: os.Args, Dir: p.site.started, Stdin: p.stdin, Stdout: os.Stdout, Stderr: p.logs.File(),
		Home: *p.site.cwd.Load(), // of socket files: the directory where they were made may be gone
	}
	if _, err := os.Stat(p.site.started); err != nil && p.site.dir != "" {
		s.Dir = p.site.dir // a release that is gone
	}
	if p.manager.watchdog > 0 {
		s.Env = append(s.Env, "WATCHDOG_USEC="+strconv.FormatInt(p.manager.watchdog.Microseconds(), 10))
	}
	s.Sockets = p.sockets.handed()
	if p.stats != nil {
		s.Sockets = append(s.Sockets, succession.Handed{
			Option: p.cfg.Stats, Address: p.stats.Addr().String(), Stats: true, Owned: p.stats.OwnsFile(), File: p.stats.File,
		})
	}
	return s
}

// handOver deals with the outcome of a successor's start: either the successor goes on, or this
// server does. It reports whether this server has to end now.
func (p *program) handOver(outcome error) bool {
	over, besides, pipes := p.role.HandOver(outcome)
	if over {
		return true
	}
	if pipes {
		if err := p.fifos.open(); err != nil {
			p.logf("%v", err)
		}
	}
	if besides {
		if err := p.beside.start(p.cfg.Companions, p.cfg.Crons); err != nil {
			p.logf("%v", err)
		}
	}
	p.reloads.Tell(-1, "serving requests with the old binary, as the new one did not start")
	return false
}
