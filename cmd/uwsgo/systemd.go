package main

import (
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/engine"
)

// fromSystemd takes what systemd has passed: sockets, and the time of its watchdog.
func (p *program) fromSystemd() ([]succession.Socket, error) {
	var err error
	if p.watchdog, err = daemon.SdWatchdogEnabled(true); err != nil {
		return nil, fmt.Errorf("watchdog of systemd: %w", err)
	}
	return succession.FromSystemd()
}

// notify tells systemd, if it has started the server as Type=notify, how things are.
// A service manager that does not listen changes nothing.
func (p *program) notify(state, status string) {
	if _, err := daemon.SdNotify(false, state+"\nSTATUS="+status); err != nil {
		p.logf("*** WARNING: systemd is not told %q: %v ***", state, err)
	}
}

// startWatchdog has systemd told, twice in the time of WatchdogSec=, that the server
// is alive, for as long as all event loops are.
func (p *program) startWatchdog() {
	if p.watchdog == 0 {
		return
	}
	stop := make(chan struct{})
	p.ending.Later(func() { close(stop) })
	go watch(p.engine.Loops(), p.watchdog/2, stop, func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) })
}

// watch calls alive after each interval in which every loop has run what was posted to
// it, until one has stopped for good, or stop is closed.
func watch(loops []*engine.Loop, interval time.Duration, stop <-chan struct{}, alive func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		answers := make(chan struct{}, len(loops))
		for _, l := range loops {
			if l.Post(func() { answers <- struct{}{} }) != nil {
				return
			}
		}
		for range loops {
			select {
			case <-answers:
			case <-stop:
				return
			}
		}
		alive()
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}
