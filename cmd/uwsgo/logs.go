package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/logger"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
)

// logs is the log of the server. A daemon's standard streams lead there.
type logs struct {
	*logger.Sink // nil before open
	standard     standard
}

// printf writes a line. Before the log is open it does nothing. Any goroutine.
func (l *logs) printf(format string, args ...any) {
	if l.Sink != nil {
		l.Log().Printf(format, args...)
	}
}

// open opens the log; before that errors go to standard error alone. A successor goes on with the
// log of the server before it.
func (l *logs) open(c logger.Config, successor bool) (err error) {
	c.Changed = l.standard.changed
	c.Truncate = c.Truncate && !successor
	l.Sink, err = logger.Open(c)
	if successor && errors.Is(err, fs.ErrPermission) {
		// Root has opened it for the server before this one, which passed it on as standard error.
		c.To, c.Truncate = "", false
		l.Sink, err = logger.Open(c)
	}
	return err
}

// logConfig returns where lines go by the options. user opens the files.
func logConfig(cfg *config.Config, user privilege.Identity) logger.Config {
	c := cfg.Log
	c.To, c.Open = cfg.LogTo, user.Append
	c.Master = c.Master || cfg.LogTo2 != ""
	c.Dir = cfg.Chdir
	if cfg.Chroot != "" {
		c.Dir = filepath.Join(cfg.Chroot, cfg.Chdir)
	}
	c.Access.UID, c.Access.GID = -1, -1
	c.UID, c.GID = user.UID, user.GID
	if cfg.LogChown {
		c.Access.UID, c.Access.GID = user.UID, user.GID
	}
	return c
}

// move lets the log go on in another file, which the user of uid opens. An empty name changes
// nothing.
func (l *logs) move(to string) error {
	if to == "" {
		return nil
	}
	return l.Move(to)
}

// watch begins a new log when a file of rotate is touched, and opens the log again when a file of
// reopen is, until ctx ends.
func (l *logs) watch(ctx context.Context, rotate, reopen []string) {
	life.Watch(ctx, life.Watched{Paths: rotate, Do: l.Rotate}, life.Watched{Paths: reopen, Do: l.Reopen})
}

// standard are the server's standard output and error. They lead to the log once a daemon has let
// go of the terminal.
type standard struct {
	mu   sync.Mutex
	sink *logger.Sink // nil before that
}

// follow lets them lead to the log, and to each file that takes its place.
func (s *standard) follow(sink *logger.Sink) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sink = sink
	return s.redirect()
}

// changed is called when the log has another file. Any goroutine.
func (s *standard) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sink != nil {
		_ = s.redirect()
	}
}

func (s *standard) redirect() error {
	for to := 1; to <= 2; to++ {
		if err := replace(int(s.sink.File().Fd()), to); err != nil {
			return fmt.Errorf("daemonize: %w", err)
		}
	}
	return nil
}

// requestFormat returns the form of the lines of requests.
func requestFormat(cfg *config.Config, logf func(format string, args ...any)) *accesslog.Format {
	o := accesslog.Options{Micros: cfg.LogMicros, Memory: cfg.MemoryReport}
	if cfg.LogFormatDate {
		o.Date = cfg.LogDate
	}
	if cfg.LogFormat == "" {
		if cfg.Log.JSON {
			return accesslog.JSON(o)
		}
		return accesslog.Default(o)
	}
	for _, rule := range cfg.Routes {
		if name := rule.LogVariable(); name != "" {
			o.Own = append(o.Own, name)
		}
	}
	format := accesslog.Compile(cfg.LogFormat, o)
	for _, name := range format.Unknown() {
		logf("*** WARNING: log-format: %%(%s) is none of the server's: it is logged as - unless the app sets it (uwsgi.set_logvar) ***", name)
	}
	for _, name := range format.Secret() {
		logf("*** WARNING: log-format: %%(var.%s) holds passwords and is logged as - ***", name)
	}
	return format
}
