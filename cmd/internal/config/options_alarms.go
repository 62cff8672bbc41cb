package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/alarm"
	"github.com/uwsgo/uwsgo/cmd/internal/hook"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// AlarmConfig has the alarms.
type AlarmConfig struct {
	Alarm     alarm.Config
	AlarmList bool
}

var alarmDefaults = AlarmConfig{Alarm: alarm.Config{Freq: 3 * time.Second, MostSize: 8192}}

var alarmRows = []row{
	{
		Option: option.Option{
			Name: "alarm", Kind: option.List, Arg: "NAME KIND:ARGUMENT", Status: option.Differs,
			Help: "define an alarm: cmd:COMMAND (the message is its standard input), log:PREFIX, signal:NUMBER, mule:NUMBER or curl:URL;method=POST;timeout=SECONDS",
			Note: "`curl` speaks only HTTP. Other kinds, such as `xmpp`, `speech` and `sentry`, are ignored if `plugins` names a plugin that is missing, and end the start otherwise, as in uWSGI. A log line of an alarm raises no alarm.",
		},
		set: (*resolver).alarm,
	},
	{
		Option: option.Option{
			Name: "log-alarm", Aliases: []string{"alarm-log"}, Kind: option.List, Arg: "ALARM[,ALARM...] REGEX", Status: option.Same,
			Help: "raise these alarms when a log line matches",
		},
		set: (*resolver).alarm,
	},
	{
		Option: option.Option{
			Name: "not-log-alarm", Aliases: []string{"not-alarm-log"}, Kind: option.List, Arg: "ALARM[,ALARM...] REGEX", Status: option.Same,
			Help: "a line that matches raises none of the log-alarm options that follow",
		},
		set: (*resolver).alarm,
	},
	{
		Option: option.Option{
			Name: "alarm-backlog", Aliases: []string{"backlog-alarm", "lq-alarm", "alarm-lq", "alarm-listen-queue", "listen-queue-alarm"}, Kind: option.List, Arg: "ALARM", Status: option.Differs,
			Help: "raise this alarm when the backlog of a socket or the request queue is full",
			Note: "uwsgo looks once a second.",
		},
		set: (*resolver).alarm,
	},
	{
		Option: option.Option{
			Name: "alarm-segfault", Aliases: []string{"segfault-alarm"}, Kind: option.List, Arg: "ALARM", Status: option.Differs,
			Help: "raise this alarm when a worker crashes (SIGSEGV and its kin)",
			Note: "The message is the log line about the crash.",
		},
		set: (*resolver).alarm,
	},
	{
		Option: option.Option{
			Name: "alarm-fd", Kind: option.List, Arg: "ALARM FD[:BYTES] MESSAGE", Status: option.Same,
			Help: "raise this alarm whenever N bytes (1 by default) can be read from a descriptor",
		},
		set: (*resolver).alarm,
	},
	{
		Option: option.Option{
			Name: "alarm-freq", Kind: option.Seconds, Arg: "SECONDS", Default: "3", Status: option.Same,
			Help: "raise no alarm with the same message again within N seconds",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Alarm.Freq, e) },
	},
	{
		Option: option.Option{
			Name: "alarm-msg-size", Kind: option.Size, Arg: "BYTES", Default: "8192", Status: option.Same,
			Help: "cut alarm messages to this size",
		},
		set: func(r *resolver, e ini.Entry) error {
			n := int64(r.Alarm.MostSize)
			err := setSize(&n, e)
			r.Alarm.MostSize = int(min(max(n, 1), 1<<20))
			return err
		},
	},
	{
		Option: option.Option{
			Name: "alarm-list", Aliases: []string{"alarms-list"}, Kind: option.Flag, Status: option.Same,
			Help: "log the available kinds of alarms",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.AlarmList, e) },
	},
}

// alarm keeps an entry until all alarms are known.
func (r *resolver) alarm(e ini.Entry) error {
	r.alarms = append(r.alarms, e)
	return nil
}

// settleAlarms reads the alarms, then what raises them. As in uWSGI, whatever raises alarms does
// nothing where there are none; where there are some, rules for lines and descriptors have to name
// those.
func (r *resolver) settleAlarms() error {
	gone := map[string]bool{} // alarms of a kind that a missing plugin has
	for _, e := range r.alarms {
		if r.list.Lookup(e.Key).Name != "alarm" {
			continue
		}
		a, err := alarm.Parse(e.Value)
		switch {
		case errors.Is(err, alarm.ErrKind) && r.missingPlugin():
			gone[a.Name] = true
			r.lost(e, e.Key, err.Error())
		case err != nil:
			if err = r.mistake(e.Origin.Errorf(e.Key, "%w", err)); err != nil {
				return err
			}
			gone[a.Name] = true // one error is enough
		default:
			r.Alarm.Alarms = append(r.Alarm.Alarms, a)
		}
	}
	for _, e := range r.alarms {
		if err := r.mistake(r.raising(e, gone)); err != nil {
			return err
		}
	}
	for _, h := range r.Hooks {
		r.warnOfHook(h)
	}
	for _, h := range r.TouchHooks {
		r.warnOfHook(h.Hook)
	}
	return nil
}

func (r *resolver) warnOfHook(h Hook) {
	if h.Kind == hook.Alarm {
		r.warnOfAlarm(h.Where, h.Name)
	}
}

// warnOfAlarm warns where an alarm is not there: uWSGI raises none then, and goes on.
func (r *resolver) warnOfAlarm(where, name string) {
	if !r.Alarm.Has(name) {
		r.list.Warnf("%s: %s", where, noAlarm(name))
	}
}

// raising reads what raises alarms.
func (r *resolver) raising(e ini.Entry, gone map[string]bool) error {
	c := &r.Alarm
	name := r.list.Lookup(e.Key).Name
	switch name {
	case "alarm-backlog", "alarm-segfault":
		raised, err := text(e, "the name of an alarm")
		switch {
		case err != nil:
			return err
		case !c.Has(raised):
			r.lost(e, e.Key, noAlarm(raised))
		case name == "alarm-backlog":
			c.Backlog = append(c.Backlog, raised)
		default:
			c.Segfault = append(c.Segfault, raised)
		}
	case "log-alarm", "not-log-alarm":
		if len(c.Alarms) == 0 {
			names, _, _ := strings.Cut(e.Value, " ")
			r.lost(e, e.Key, noAlarm(names))
			return nil
		}
		l, err := alarm.ParseLog(e.Value)
		if err != nil {
			return e.Origin.Errorf(e.Key, "%w", err)
		}
		l.Not = name == "not-log-alarm"
		for _, raised := range l.Alarms {
			if c.Has(raised) {
				continue
			}
			if !gone[raised] {
				return e.Origin.Errorf(e.Key, "%s", noAlarm(raised))
			}
			r.lost(e, e.Key, noAlarm(raised))
		}
		c.Logs = append(c.Logs, l)
	case "alarm-fd":
		if len(c.Alarms) == 0 {
			raised, _, _ := strings.Cut(e.Value, " ")
			r.lost(e, e.Key, noAlarm(raised))
			return nil
		}
		f, err := alarm.ParseFD(e.Value)
		switch {
		case err != nil:
			return e.Origin.Errorf(e.Key, "%w", err)
		case c.Has(f.Alarm):
			c.FDs = append(c.FDs, f)
		case gone[f.Alarm]:
			r.lost(e, e.Key, noAlarm(f.Alarm))
		default:
			return e.Origin.Errorf(e.Key, "%s", noAlarm(f.Alarm))
		}
	}
	return nil
}

// noAlarm says that there is no alarm of this name, and what to do.
func noAlarm(name string) string {
	name, _, _ = strings.Cut(name, ",")
	return fmt.Sprintf("there is no alarm named %q: add alarm = %s log:, for one that writes to the log", name, name)
}

// missingPlugin reports whether a plugin is asked for that is not there.
func (r *resolver) missingPlugin() bool {
	return slices.ContainsFunc(r.Plugins, func(name string) bool { return !option.HasPlugin(name) })
}
