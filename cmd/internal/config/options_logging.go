package config

import (
	"math"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/logger"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// LogConfig says what is logged, and where.
type LogConfig struct {
	Log            logger.Config // but for what is known only when the log is opened
	LogTo          string        // a file, or a host:port; empty for standard error
	LogTo2         string        // opened by the user of uid; empty for LogTo
	LogChown       bool          // log files belong to that user
	LoggerList     bool
	TouchLogRotate []string // files, relative to Chdir
	TouchLogReopen []string

	LogFilter       accesslog.Filter // says which requests have a line
	LogFormat       string           // empty for uWSGI's line
	LogMicros       bool
	LogDate         string // the strftime format of log-date; empty for none, and for that of ctime
	LogFormatDate   bool   // it holds for %(ftime), too
	LogForwardedFor bool
	MemoryReport    int
}

var logDefaults = LogConfig{LogFilter: accesslog.Filter{All: true}}

var loggingRows = []row{
	{
		Option: option.Option{
			Name: "disable-logging", Short: 'L', Kind: option.Flag, Status: option.Same,
			Help: "log no requests, except those that --log-4xx and its kin ask for",
		},
		set: (*resolver).disableLogging,
	},
	{
		Option: option.Option{
			Name: "log-4xx", Kind: option.Flag, Status: option.Same,
			Help: "with --disable-logging: log requests that are answered with 400 to 499",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.LogFilter.Status4xx, e) },
	},
	{
		Option: option.Option{
			Name: "log-5xx", Kind: option.Flag, Status: option.Same,
			Help: "with --disable-logging: log requests that are answered with 500 to 599",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.LogFilter.Status5xx, e) },
	},
	{
		Option: option.Option{
			Name: "log-slow", Kind: option.Text, Arg: "MSECS", Status: option.Same,
			Help: "with --disable-logging: log requests that take at least N milliseconds",
			Note: "A value that is not a number counts as 0 (off), with a warning.",
		},
		set: (*resolver).logSlow,
	},
	{
		Option: option.Option{
			Name: "log-big", Kind: option.Size, Arg: "BYTES", Status: option.Same,
			Help: "with --disable-logging: log responses whose body has at least N bytes",
		},
		set: func(r *resolver, e ini.Entry) error { return setSize(&r.LogFilter.BiggerThan, e) },
	},
	{
		Option: option.Option{
			Name: "log-zero", Kind: option.Flag, Status: option.Same,
			Help: "with --disable-logging: log responses without a body",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.LogFilter.Zero, e) },
	},
	{
		Option: option.Option{
			Name: "log-sendfile", Kind: option.Flag, Arg: "BOOL", Status: option.Same,
			Help: "with --disable-logging: log responses that are files",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.LogFilter.Sendfile, e) },
	},
	{
		Option: option.Option{
			Name: "log-ioerror", Kind: option.Flag, Arg: "BOOL", Status: option.Differs,
			Help: "with --disable-logging: log requests whose client failed while it sent or received",
			Note: "Either is enough; uWSGI needs both.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.LogFilter.IOError, e) },
	},
	{
		Option: option.Option{
			Name: "log-format", Aliases: []string{"logformat"}, Kind: option.Text, Arg: "FORMAT", Status: option.Differs,
			Help: "log requests in this format, with %(uri), %(status), %(msecs) and their like",
			Note: "It also has `%(queue_msecs)` and `%(queue_micros)`: how long a request waited for a worker. Text from clients is escaped. `%(var.HTTP_AUTHORIZATION)` is `-`, because it holds passwords.",
		},
		set: func(r *resolver, e ini.Entry) error {
			return setText(&r.LogFormat, e, "a format such as %(uri) %(status)")
		},
	},
	{
		Option: option.Option{
			Name: "logformat-strftime", Aliases: []string{"log-format-strftime"}, Kind: option.Flag, Status: option.Same,
			Help: "format %(ftime) of --log-format as --log-date says",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.LogFormatDate, e) },
	},
	{
		Option: option.Option{
			Name: "log-micros", Kind: option.Flag, Status: option.Same,
			Help: "log how long requests took in microseconds",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.LogMicros, e) },
	},
	{
		Option: option.Option{
			Name: "log-x-forwarded-for", Kind: option.Flag, Status: option.Same,
			Help: "log the value of X-Forwarded-For instead of the client's address",
			Note: "Any client can send that header. With --trusted-proxy the log has the address that those proxies report, whatever others send.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.LogForwardedFor, e) },
	},
	{
		Option: option.Option{
			Name: "memory-report", Short: 'm', Kind: option.Plain, Arg: "1|2", Optional: true, Status: option.Differs,
			Help: "begin request lines with the memory of their worker; 2 adds the memory that it does not share",
			Note: "Looked at once a second. Stats and `%(rss)` have it without this option, too.",
		},
		set: (*resolver).memoryReport,
	},
	{
		Option: option.Option{
			Name: "log-json", Kind: option.Flag, Status: option.Own,
			Help: "log JSON: one object for each request and for each message of the server and the app",
			Note: "A JSON object that an app prints stays as it is. So does a `log-format` of your own.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Log.JSON, e) },
	},
	{
		Option: option.Option{
			Name: "log-date", Aliases: []string{"logdate", "log-prefix"}, Kind: option.Text, Arg: "STRFTIME", Optional: true, Status: option.Same,
			Help: "begin lines of the server with the time, as ctime writes it or in a format of strftime",
		},
		set: (*resolver).logDate,
	},
	{
		Option: option.Option{
			Name: "logto", Kind: option.Text, Arg: "FILE", Default: "standard error", Status: option.Same,
			Help: "write the log to this file, or send it to this host:port by UDP",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.LogTo, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "logto2", Kind: option.Text, Arg: "FILE", Status: option.Same,
			Help: "the same, but the user of --uid opens the file; until then lines go to --logto",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.LogTo2, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "logger", Aliases: []string{"worker-logger"}, Kind: option.List, Arg: "[NAME ]KIND[:ARG]", Status: option.Differs,
			Help: "write the log to a logger: file:PATH, stdio, fd:N, socket:ADDR, syslog:IDENT or rsyslog:ADDR,IDENT; a logger with a name gets what --log-route sends to it",
			Note: "Other kinds (redislog, mongodblog, zeromq and so on) end the start, and so does a logger that cannot be opened. uWSGI opens them at the first line.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.addLogger(&r.Log.Loggers, e, e.Value) },
	},
	{
		Option: option.Option{
			Name: "req-logger", Aliases: []string{"logger-req", "worker-logger-req"}, Kind: option.List, Arg: "[NAME ]KIND[:ARG]", Status: option.Same,
			Help: "write the request lines to a logger of their own",
		},
		set: func(r *resolver, e ini.Entry) error { return r.addLogger(&r.Log.RequestLoggers, e, e.Value) },
	},
	{
		Option: option.Option{
			Name: "log-syslog", Kind: option.List, Arg: "IDENT", Optional: true, Status: option.Same,
			Help: "the same as --logger syslog:IDENT",
		},
		set: func(r *resolver, e ini.Entry) error { return r.addLogger(&r.Log.Loggers, e, "syslog:"+ident(e)) },
	},
	{
		Option: option.Option{
			Name: "log-socket", Kind: option.List, Arg: "ADDR", Status: option.Same,
			Help: "the same as --logger socket:ADDR",
		},
		set: func(r *resolver, e ini.Entry) error { return r.addLogger(&r.Log.Loggers, e, "socket:"+e.Value) },
	},
	{
		Option: option.Option{
			Name: "rsyslog-packet-size", Kind: option.Int, Arg: "BYTES", Default: "1024", Status: option.Same,
			Help: "send at most N bytes in a datagram of rsyslog",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Log.PacketSize, e, math.MaxUint16) },
	},
	{
		Option: option.Option{
			Name: "rsyslog-split-messages", Kind: option.Flag, Status: option.Same,
			Help: "send a long message to rsyslog in several datagrams instead of cutting it",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Log.SplitMessages, e) },
	},
	{
		Option: option.Option{
			Name: "log-encoder", Aliases: []string{"worker-log-encoder"}, Kind: option.List, Arg: "ENCODER[:NAME][ ARG]", Status: option.Same,
			Help: "change each log message: prefix, suffix, nl, format, json, gzip or compress, in the order given; with a name only for that logger",
		},
		set: func(r *resolver, e ini.Entry) error { return addParsed(&r.Log.Encoders, e, logger.ParseEncoder) },
	},
	{
		Option: option.Option{
			Name: "log-req-encoder", Aliases: []string{"worker-log-req-encoder"}, Kind: option.List, Arg: "ENCODER[:NAME][ ARG]", Status: option.Same,
			Help: "change each request line, with --req-logger",
		},
		set: func(r *resolver, e ini.Entry) error { return addParsed(&r.Log.RequestEncoders, e, logger.ParseEncoder) },
	},
	{
		Option: option.Option{
			Name: "log-route", Kind: option.List, Arg: "NAME REGEX", Status: option.Same,
			Help: "send messages that match only to the logger of that name",
		},
		set: func(r *resolver, e ini.Entry) error { return addParsed(&r.Log.Routes, e, logger.ParseRoute) },
	},
	{
		Option: option.Option{
			Name: "log-req-route", Kind: option.List, Arg: "NAME REGEX", Status: option.Differs,
			Help: "send request lines that match only to the logger of that name",
			Note: "It also finds loggers of `req-logger`; uWSGI only those of `logger`.",
		},
		set: func(r *resolver, e ini.Entry) error { return addParsed(&r.Log.RequestRoutes, e, logger.ParseRoute) },
	},
	{
		Option: option.Option{
			Name: "log-drain", Kind: option.List, Arg: "REGEX", Status: option.Same,
			Help: "leave messages that match out of the log",
		},
		set: func(r *resolver, e ini.Entry) error { return addParsed(&r.Log.Drain, e, logger.ParsePattern) },
	},
	{
		Option: option.Option{
			Name: "log-filter", Kind: option.List, Arg: "REGEX", Status: option.Same,
			Help: "leave messages that do not match out of the log",
		},
		set: func(r *resolver, e ini.Entry) error { return addParsed(&r.Log.Filter, e, logger.ParsePattern) },
	},
	{
		Option: option.Option{
			Name: "log-master", Kind: option.Flag, Status: option.Same,
			Help: "pass all output of apps through the server",
			Note: "Always on, except for a log on standard error without encoders, routes and loggers.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Log.Master, e) },
	},
	{
		Option: option.Option{
			Name: "log-truncate", Kind: option.Flag, Status: option.Same,
			Help: "empty the file of --logto at the start",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Log.Truncate, e) },
	},
	{
		Option: option.Option{
			Name: "log-maxsize", Kind: option.Size, Arg: "BYTES", Status: option.Same,
			Help: "rotate the file of --logto when it exceeds this size",
		},
		set: func(r *resolver, e ini.Entry) error { return setSize(&r.Log.MaxSize, e) },
	},
	{
		Option: option.Option{
			Name: "log-backupname", Kind: option.Text, Arg: "FILE", Default: "its name and the time", Status: option.Same,
			Help: "what --log-maxsize and --touch-logrotate call the old file",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Log.BackupName, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "touch-logrotate", Kind: option.List, Arg: "FILE", Status: option.Differs,
			Help: "rotate log files when this file is touched",
			Note: "It rotates all of them, as the letter L of `master-fifo` does; uWSGI only that of `logto`.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.TouchLogRotate, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "touch-logreopen", Kind: option.List, Arg: "FILE", Status: option.Differs,
			Help: "reopen log files when this file is touched, as logrotate needs it",
			Note: "It reopens all of them, as the letter l of `master-fifo` does, also for workers and companions; uWSGI only that of `logto`.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.TouchLogReopen, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "log-reopen", Kind: option.Flag, Status: option.Differs,
			Help: "reopen log files at each reload",
			Note: "Always on, if the path leads to another file by then.",
		},
		set: (*resolver).always,
	},
	{
		Option: option.Option{
			Name: "logfile-chmod", Kind: option.Text, Arg: "MODE", Default: "640", Status: option.Differs,
			Help: "the mode of log files",
			Note: "It holds for all of them; in uWSGI for that of `logto`. If the mode cannot be set, the start ends.",
		},
		set: (*resolver).logChmod,
	},
	{
		Option: option.Option{
			Name: "logfile-chown", Kind: option.Flag, Status: option.Same,
			Help: "give log files to the user of --uid and the group of --gid",
			Note: "A value with names is ignored, as in uWSGI.",
		},
		set: (*resolver).logChown,
	},
	{
		Option: option.Option{
			Name: "logger-list", Aliases: []string{"loggers-list"}, Kind: option.Flag, Status: option.Same,
			Help: "log the available kinds of loggers",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.LoggerList, e) },
	},
}

func (r *resolver) disableLogging(e ini.Entry) error {
	var off bool
	err := r.flag(&off, e)
	r.LogFilter.All = !off
	return err
}

// logSlow reads milliseconds. What is no number is 0 in uWSGI, and files have log-slow = true.
func (r *resolver) logSlow(e ini.Entry) error {
	if !e.HasValue || strings.Trim(strings.ToLower(e.Value), "abcdefghijklmnopqrstuvwxyz") == "" {
		r.list.Warnf("%s: %q is no number of milliseconds, so slow requests have no line of their own, as in uWSGI: write %s = 1000",
			e.Origin.Name(e.Key), e.Value, e.Key)
		return nil
	}
	n, err := plain(e, maxSeconds)
	r.LogFilter.SlowerThan = time.Duration(n) * time.Millisecond
	return err
}

func (r *resolver) memoryReport(e ini.Entry) error {
	n, err := numberOrTrue(e, nil, math.MaxInt32)
	r.MemoryReport = int(n)
	return err
}

// logDate reads a format of strftime, or a word for true.
func (r *resolver) logDate(e ini.Entry) error {
	switch strings.ToLower(e.Value) {
	case "", "true", "1", "on", "yes":
		r.Log.Date, r.LogDate = logger.CTime, ""
	case "false", "off", "no", "0":
		r.Log.Date, r.LogDate = "", ""
	default:
		r.Log.Date, r.LogDate = e.Value, e.Value
	}
	return nil
}

// logChown reads a flag. Files have logfile-chown = %U:%G, which is true in uWSGI.
func (r *resolver) logChown(e ini.Entry) error {
	if strings.Contains(e.Value, ":") {
		r.LogChown = true
		return nil
	}
	return r.flag(&r.LogChown, e)
}

func (r *resolver) logChmod(e ini.Entry) error {
	if len(e.Value) != 3 {
		return e.Origin.Errorf(e.Key, "%q is not three octal digits such as 640", e.Value)
	}
	m, err := mode(e)
	r.Log.Access.Chmod = m
	return err
}

// ident is the value of log-syslog, which people set to true.
func ident(e ini.Entry) string {
	if strings.EqualFold(e.Value, "true") {
		return ""
	}
	return e.Value
}

func (r *resolver) addLogger(to *[]logger.Spec, e ini.Entry, value string) error {
	spec, err := logger.ParseSpec(value)
	if strings.TrimSpace(value) == "file" {
		r.list.Warnf("%s: a file logger without a path writes nowhere, in uWSGI too: lines go where they would without it; write file:/path", e.Origin.Name(e.Key))
		return nil
	}
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	*to = append(*to, spec)
	return nil
}

// addParsed adds what parse makes of the value.
func addParsed[T any](to *[]T, e ini.Entry, parse func(string) (T, error)) error {
	one, err := parse(e.Value)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	*to = append(*to, one)
	return nil
}
