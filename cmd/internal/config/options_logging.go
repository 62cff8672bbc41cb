package config

import (
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// LogConfig says what is logged, and where.
type LogConfig struct {
	LogRequests bool   // false with disable-logging
	LogFormat   string // empty for uWSGI's line
	LogTo       string // a file; empty for standard error
}

var logDefaults = LogConfig{LogRequests: true}

var loggingRows = []row{
	{
		Option: option.Option{
			Name: "disable-logging", Short: 'L', Kind: option.Flag, Status: option.Same,
			Help: "do not log requests",
		},
		set: (*resolver).disableLogging,
	},
	{
		Option: option.Option{
			Name: "log-format", Aliases: []string{"logformat"}, Kind: option.Text, Arg: "FORMAT", Status: option.Differs,
			Help: "log requests in this form; %(uri), %(status), %(msecs) and their like are filled in",
			Note: "Has `%(queue_msecs)` and `%(queue_micros)` too: how long a request waited to be run.",
		},
		set: func(r *resolver, e ini.Entry) error {
			return setText(&r.LogFormat, e, "a format such as %(uri) %(status)")
		},
	},
	{
		Option: option.Option{
			Name: "logto", Kind: option.Text, Arg: "FILE", Default: "standard error", Status: option.Same,
			Help: "write the log to this file",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.LogTo, e, "a file name") },
	},
}

func (r *resolver) disableLogging(e ini.Entry) error {
	var off bool
	err := r.flag(&off, e)
	r.LogRequests = !off
	return err
}
