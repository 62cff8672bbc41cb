package config

import (
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/alarm"
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
			Help: "an alarm: cmd:COMMAND, which has the message as its standard input, log:PREFIX, signal:NUMBER, mule:NUMBER or curl:URL;method=POST;timeout=SECONDS",
			Note: "`curl` speaks HTTP alone. There is no `xmpp` and no `speech`: those end the start. What an alarm writes to the log raises none.",
		},
		set: func(r *resolver, e ini.Entry) error { return addParsed(&r.Alarm.Alarms, e, alarm.Parse) },
	},
	{
		Option: option.Option{
			Name: "log-alarm", Aliases: []string{"alarm-log"}, Kind: option.List, Arg: "ALARM[,ALARM...] REGEX", Status: option.Same,
			Help: "raise these alarms when a line of the log matches",
		},
		set: func(r *resolver, e ini.Entry) error { return addParsed(&r.Alarm.Logs, e, alarm.ParseLog) },
	},
	{
		Option: option.Option{
			Name: "not-log-alarm", Aliases: []string{"not-alarm-log"}, Kind: option.List, Arg: "ALARM[,ALARM...] REGEX", Status: option.Same,
			Help: "have a line that matches raise no alarm by the log-alarm that follow",
		},
		set: func(r *resolver, e ini.Entry) error {
			err := addParsed(&r.Alarm.Logs, e, alarm.ParseLog)
			if err == nil {
				r.Alarm.Logs[len(r.Alarm.Logs)-1].Not = true
			}
			return err
		},
	},
	{
		Option: option.Option{
			Name: "alarm-backlog", Aliases: []string{"backlog-alarm", "lq-alarm", "alarm-lq", "alarm-listen-queue", "listen-queue-alarm"}, Kind: option.List, Arg: "ALARM", Status: option.Differs,
			Help: "raise this alarm when the queue of a socket, or that of requests, is full",
			Note: "Looked at once a second.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Alarm.Backlog, e, "the name of an alarm") },
	},
	{
		Option: option.Option{
			Name: "alarm-segfault", Aliases: []string{"segfault-alarm"}, Kind: option.List, Arg: "ALARM", Status: option.Differs,
			Help: "raise this alarm when a worker is killed by a fault of its own",
			Note: "The message is the line of the log that says so.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Alarm.Segfault, e, "the name of an alarm") },
	},
	{
		Option: option.Option{
			Name: "alarm-fd", Kind: option.List, Arg: "ALARM FD[:BYTES] MESSAGE", Status: option.Same,
			Help: "raise this alarm whenever so many bytes, 1 unless given, can be read from a descriptor",
		},
		set: func(r *resolver, e ini.Entry) error { return addParsed(&r.Alarm.FDs, e, alarm.ParseFD) },
	},
	{
		Option: option.Option{
			Name: "alarm-freq", Kind: option.Seconds, Arg: "SECONDS", Default: "3", Status: option.Same,
			Help: "do not raise an alarm again with the same message before that",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Alarm.Freq, e) },
	},
	{
		Option: option.Option{
			Name: "alarm-msg-size", Kind: option.Size, Arg: "BYTES", Default: "8192", Status: option.Same,
			Help: "cut messages of alarms to this size",
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
			Help: "log which kinds of alarms there are",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.AlarmList, e) },
	},
}

func (r *resolver) settleAlarms() error { return r.Alarm.Check() }
