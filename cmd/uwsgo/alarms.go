package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/alarm"
	"github.com/uwsgo/uwsgo/cmd/internal/command"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// openAlarms starts what the alarms of the options need.
func (p *program) openAlarms() {
	if p.cfg.AlarmList {
		p.logf("*** alarms: %s ***", strings.Join(alarm.Kinds, " "))
	}
	queues := p.workers.queues
	raiser := alarm.New(p.cfg.Alarm, alarm.Hands{
		Logf:   p.logf,
		Signal: p.services.send,
		Mule: func(number int, message []byte) error {
			if number >= len(queues) || number > len(p.cfg.Mules) {
				return fmt.Errorf("there is no mule %d", number)
			}
			_, err := queues[number].Send.Write(message) // the first is for any of them
			return err
		},
		Run: p.actions.alarm,
	})
	p.alarms.Store(raiser)
}

// raise raises an alarm, without waiting. It returns false where there is none of that name.
func (p *program) raise(name string, message []byte) bool {
	return p.alarms.Load().Raise(name, message)
}

// alarm runs the command of an alarm. Its output is marked in the log, so that it raises none.
func (a *actions) alarm(ctx context.Context, line string, stdin *os.File) error {
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			a.logs.printf("[uwsgi-alarm] %s", lines.Text())
		}
		_ = out.Close() // of what follows a line that is too long nothing is logged
	}()
	err = command.Command{Line: line, Env: a.app.environ(), Output: in, Stdin: stdin}.Run(ctx)
	_ = in.Close()
	select {
	case <-printed:
	case <-time.After(time.Second): // what it has started still has its output
	}
	return err
}

// watchBacklogs raises the alarm for full queues, until ctx ends.
func watchBacklogs(ctx context.Context, listeners []*engine.Listener, snapshot func() (worker.Snapshot, bool), raise func(text string)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var refused uint64
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, ln := range listeners {
			most, known := ln.Backlog()
			if waiting := ln.Waiting(); known && most > 0 && waiting >= most {
				raise(fmt.Sprintf("listen queue of socket %q full !!! (%d/%d)", ln, waiting, most))
			}
		}
		if s, ok := snapshot(); ok && s.Refused > refused {
			raise(fmt.Sprintf("the queue of requests is full !!! %d were refused", s.Refused-refused))
			refused = s.Refused
		}
	}
}
