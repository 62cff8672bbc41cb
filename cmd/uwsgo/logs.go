package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
	"github.com/uwsgo/uwsgo/cmd/internal/logger"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
)

// openLog opens the log; until then errors go to standard error alone.
func (p *program) openLog() error {
	c := p.logConfig()
	sink, err := logger.Open(c)
	if p.role.Before != nil && errors.Is(err, fs.ErrPermission) {
		// Root has opened it before, and its log is standard error here.
		c.To, c.Truncate = "", false
		sink, err = logger.Open(c)
	}
	if err != nil {
		return err
	}
	p.sink = sink
	p.log = sink.Log()
	p.ending.Later(func() { _ = sink.Close() })
	return nil
}

// logConfig is what the options say of where lines go.
func (p *program) logConfig() logger.Config {
	cfg := p.cfg
	c := cfg.Log
	c.To, c.Open, c.Changed = cfg.LogTo, p.identity.Append, p.standard.changed
	c.Truncate = c.Truncate && p.role.Before == nil // it goes on with that one's log
	c.Master = c.Master || cfg.LogTo2 != ""
	c.Dir = cfg.Chdir
	if cfg.Chroot != "" {
		c.Dir = filepath.Join(cfg.Chroot, cfg.Chdir)
	}
	c.Encoders = append(c.Encoders, p.vassal.prefix(c)...)
	c.Access.UID, c.Access.GID = -1, -1
	c.UID, c.GID = p.identity.UID, p.identity.GID
	if cfg.LogChown {
		c.Access.UID, c.Access.GID = p.identity.UID, p.identity.GID
	}
	return c
}

// moveLog has the log go to the file of logto2, which the user of uid opens.
func (p *program) moveLog() error {
	if p.cfg.LogTo2 == "" {
		return nil
	}
	return p.sink.Move(p.cfg.LogTo2)
}

// watchLogs opens the log anew, or begins a new one, when files are touched, until ctx ends.
func (p *program) watchLogs(ctx context.Context) {
	life.Watch(ctx, life.Watched{Paths: p.site.under(p.cfg.TouchLogRotate...), Do: p.sink.Rotate}, life.Watched{Paths: p.site.under(p.cfg.TouchLogReopen...), Do: p.sink.Reopen})
}

// standard is the server's own standard output and error, which lead to the log once a
// daemon has let go of the terminal.
type standard struct {
	mu   sync.Mutex
	sink *logger.Sink // nil before that
}

// follow has them lead to the log from now on, to each that takes its place, too.
func (s *standard) follow(sink *logger.Sink) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sink = sink
	return s.redirect()
}

// changed is told of another file of the log. Any goroutine.
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

// requestFormat is the form of the lines of requests.
func (p *program) requestFormat() *accesslog.Format {
	cfg := p.cfg
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
		p.log.Printf("*** WARNING: log-format: %%(%s) is none of the server's: it is logged as - unless the app sets it (uwsgi.set_logvar) ***", name)
	}
	for _, name := range format.Secret() {
		p.log.Printf("*** WARNING: log-format: %%(var.%s) holds passwords and is logged as - ***", name)
	}
	return format
}

// listLoggers answers logger-list.
func (p *program) listLoggers() {
	if p.cfg.LoggerList {
		p.log.Printf("*** loggers: %s ***", strings.Join(logger.Kinds, " "))
	}
}
