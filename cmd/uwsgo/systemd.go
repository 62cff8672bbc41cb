package main

import (
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/engine"
)

// manager is the service manager, systemd. One that does not listen changes nothing.
type manager struct {
	watchdog time.Duration // it wants to hear from the server so often; 0 for never
	logf     func(format string, args ...any)
}

// inherit takes what systemd passes: sockets, and the time of its watchdog.
func (m *manager) inherit() ([]succession.Socket, error) {
	var err error
	if m.watchdog, err = daemon.SdWatchdogEnabled(true); err != nil {
		return nil, fmt.Errorf("watchdog of systemd: %w", err)
	}
	return succession.FromSystemd()
}

// notify tells systemd a state, if it has started the server as Type=notify. Any goroutine.
func (m *manager) notify(state, status string) {
	if _, err := daemon.SdNotify(false, state+"\nSTATUS="+status); err != nil {
		m.logf("*** WARNING: systemd is not told %q: %v ***", state, err)
	}
}

// alive tells the watchdog, if there is one, that the server works.
func (m *manager) alive() {
	if m.watchdog > 0 {
		_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
	}
}

// startWatch calls alive after each interval in which all loops have worked, until the end. An
// interval of 0 starts nothing.
func startWatch(e *life.Ending, loops []*engine.Loop, interval time.Duration, alive func()) {
	if interval == 0 {
		return
	}
	stop := make(chan struct{})
	e.Later(func() { close(stop) })
	go watch(loops, interval, stop, alive)
}

// watch calls alive after each interval in which every loop has run what was posted to it. It ends
// when a loop has ended, or stop is closed.
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
