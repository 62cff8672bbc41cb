package logger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
)

// Config says where lines go. The zero value is standard error.
type Config struct {
	// To is the target of logto: a file, or a host:port that gets a UDP datagram for each line;
	// empty for standard error. A path with a colon must begin with "/" or ".".
	To         string
	Truncate   bool   // log-truncate: To is emptied when it is opened
	MaxSize    int64  // log-maxsize: To is rotated at this size; 0 for never
	BackupName string // log-backupname: To's name after that; empty for its name and the time
	// Master lets children print into a pipe in any case: log-master.
	Master bool
	// Dir is where relative paths of loggers begin, but not that of To; empty for the current
	// directory.
	Dir string

	Loggers, RequestLoggers   []Spec
	Encoders, RequestEncoders []Encoder
	Routes, RequestRoutes     []Route
	Drain, Filter             []*Pattern // lines that nobody gets, and lines that somebody gets
	PacketSize                int        // of rsyslog; 0 for 1024
	SplitMessages             bool       // rsyslog sends long messages in several
	JSON                      bool       // log-json: lines that are no request become JSON
	Date                      string     // log-date: the strftime format at the beginning of the server's lines; empty for none
	Access                    Access     // of files
	// UID and GID own the files that root makes for loggers, except that of logto: uWSGI opens them
	// as this user. 0 is root.
	UID, GID int
	// Watch, where not nil, sees each message before anything is done with it. Goroutines of
	// the sink call it; it must not wait, nor keep the message.
	Watch   func(message []byte)
	Open    Opener // of files; nil for os.OpenFile
	Changed func() // called when File has changed; any goroutine
}

// target is where lines end up.
type target struct {
	name  string // for messages
	queue *queue

	mu  sync.Mutex
	out output
}

func (t *target) output() output {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out
}

// Sink takes the lines of the log. See the package comment.
type Sink struct {
	config   Config
	base     *target // of logto
	targets  []*target
	stages   []*queue
	main     *queue // what the server says and its children print
	requests *queue
	printed  *printed // nil if children write to base itself
	log      *Logger
	closed   atomic.Bool
}

// Open opens all loggers and starts the goroutines of the sink, which run until [Sink.Close].
func Open(c Config) (*Sink, error) {
	if c.Open == nil {
		c.Open = func(path string, mode os.FileMode) (*os.File, error) {
			return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, mode)
		}
	}
	s := &Sink{config: c}
	s.log = &Logger{sink: s, date: accesslog.CompileDate(c.Date), json: c.JSON}
	if err := s.open(); err != nil {
		for _, t := range s.targets {
			_ = t.output().close()
		}
		return nil, err
	}
	if s.printed != nil {
		s.main.first = s.printed.drain
		s.printed.start()
	}
	for _, q := range s.queues() {
		go q.run()
	}
	return s, nil
}

// queues returns all queues, each before those that it feeds.
func (s *Sink) queues() []*queue {
	all := append([]*queue{}, s.stages...)
	for _, t := range s.targets {
		all = append(all, t.queue)
	}
	return all
}

func (s *Sink) open() error {
	c := &s.config
	base, late, err := s.openBase(c.To)
	if err != nil {
		return fmt.Errorf("log target %q: %w", c.To, err)
	}
	name := c.To
	if name == "" {
		name = "standard error"
	}
	s.base = s.add(name, base)
	var warnings []string
	soft := func(name string, err error) {
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("*** WARNING: logger %s: nobody takes what it sends yet, and lines are lost until then: %v ***", name, err))
		}
	}
	soft(name, late)
	open := func(specs []Spec, encoders []Encoder) (list []*destination, err error) {
		for _, spec := range specs {
			t, late, err := s.target(spec)
			if err != nil {
				return nil, fmt.Errorf("logger %s: %w", spec, err)
			}
			soft(spec.String(), late)
			list = append(list, newDestination(spec.Name, t, encoders))
		}
		return list, nil
	}
	loggers, err := open(c.Loggers, c.Encoders)
	if err != nil {
		return err
	}
	requests, err := open(c.RequestLoggers, c.RequestEncoders)
	if err != nil {
		return err
	}
	find := func(routes []Route, option string, encoders []Encoder) (found []stageRoute) {
		for _, r := range routes {
			to := named(r.Name, loggers, requests)
			if to == nil {
				warnings = append(warnings, fmt.Sprintf("*** WARNING: %s: there is no logger named %q: lines go as if the route were not there ***", option, r.Name))
				continue
			}
			found = append(found, stageRoute{r.Pattern, newDestination(to.name, to.to, encoders)})
		}
		return found
	}
	main := &stage{watch: c.Watch, drain: c.Drain, filter: c.Filter, routes: find(c.Routes, "log-route", c.Encoders)}
	main.all = s.unnamed(loggers, c.Encoders)
	s.main = s.enter(main)
	s.requests = s.main
	// As in uWSGI, lines of requests are a stream of their own if they have a logger or a route.
	if len(c.RequestLoggers)+len(c.RequestRoutes) > 0 {
		own := &stage{watch: c.Watch, routes: find(c.RequestRoutes, "log-req-route", c.RequestEncoders)}
		own.all = s.unnamed(requests, c.RequestEncoders)
		s.requests = s.enter(own)
	} else if len(c.RequestEncoders) > 0 {
		warnings = append(warnings, "*** WARNING: log-req-encoder does nothing, as in uWSGI, without a logger for requests: add req-logger = stdio ***")
	}
	for _, t := range s.targets {
		s.watch(t)
	}
	_, isFile := base.(*file)
	if c.Master || isFile || c.JSON || len(s.stages) > 0 || len(s.targets) > 1 || s.main != s.base.queue {
		if s.printed, err = newPrinted(s.log.wrap, func() { notify(s.main.wake) }); err != nil {
			return fmt.Errorf("a pipe for what children print: %w", err)
		}
	}
	for _, w := range warnings {
		s.log.Printf("%s", w)
	}
	return nil
}

// unnamed returns the destinations of messages that no route takes.
func (s *Sink) unnamed(loggers []*destination, encoders []Encoder) (all []*destination) {
	for _, d := range loggers {
		if d.name == "" {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		all = append(all, newDestination("", s.base, encoders))
	}
	return all
}

// enter returns the first queue of a stream: a stage's, or that of its only target.
func (s *Sink) enter(st *stage) *queue {
	if st.watch == nil && len(st.drain)+len(st.filter)+len(st.routes) == 0 && len(st.all) == 1 && len(st.all[0].encoders) == 0 {
		return st.all[0].to.queue
	}
	q := newQueue(st.take)
	q.told = s.tellLost
	s.stages = append(s.stages, q)
	return q
}

func newDestination(name string, to *target, encoders []Encoder) *destination {
	d := &destination{name: name, to: to}
	for _, e := range encoders {
		if e.For == "" || e.For == name && name != "" {
			d.encoders = append(d.encoders, e)
		}
	}
	return d
}

func named(name string, lists ...[]*destination) *destination {
	for _, list := range lists {
		for _, d := range list {
			if d.name == name && name != "" {
				return d
			}
		}
	}
	return nil
}

func (s *Sink) add(name string, out output) *target {
	t := &target{name: name, out: out}
	t.queue = newQueue(func(b *batch) (uint64, error) { return t.output().write(b) })
	s.targets = append(s.targets, t)
	return t
}

// target returns the target of a logger, opened if it is not yet.
func (s *Sink) target(spec Spec) (t *target, late, err error) {
	var out output
	switch spec.Kind {
	case "stdio":
		return s.base, nil, nil
	case "fd":
		var fd int
		if fd, err = parseFD(spec.Arg); err == nil {
			out, err = openFD(fd)
		}
	case "file":
		var f fileSpec
		if f, err = parseFile(spec.Arg); err != nil {
			break
		}
		f.path, f.backup = s.under(f.path), s.under(f.backup)
		if t := s.opened(f.path); t != nil {
			return t, nil, nil
		}
		out, err = s.openFile(f, s.give, false)
	case "socket", "syslog", "rsyslog":
		out, late, err = s.datagrams(spec)
	default:
		err = fmt.Errorf("there is no such kind")
	}
	if err != nil {
		return nil, nil, err
	}
	return s.add(spec.Kind+":"+spec.Arg, out), late, nil
}

// datagrams opens a logger that sends datagrams.
func (s *Sink) datagrams(spec Spec) (d *datagrams, late, err error) {
	var p syslogSpec
	switch spec.Kind {
	case "socket":
		a, err := parseSocket(spec.Arg)
		if err != nil {
			return nil, nil, err
		}
		if d, late, err = openDatagrams(a.network, a.addr); err != nil {
			return nil, nil, err
		}
		d.frame = d.headed(a.head)
	case "syslog":
		if p, err = parseSyslog(spec.Arg); err != nil {
			return nil, nil, err
		}
		if d, late, err = openDatagrams("unixgram", syslogPlaces...); err != nil {
			return nil, nil, err
		}
		d.frame = d.local(p)
	case "rsyslog":
		if p, err = parseRemote(spec.Arg); err != nil {
			return nil, nil, err
		}
		if d, late, err = openDatagrams(p.network, p.addr); err != nil {
			return nil, nil, err
		}
		size := s.config.PacketSize
		if size <= 0 {
			size = 1024
		}
		d.frame = d.remote(p, size, s.config.SplitMessages)
	}
	return d, late, nil
}

// under returns the path of a logger.
func (s *Sink) under(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.config.Dir, path)
}

// opened returns the target of a file that is already open, so that it is rotated once.
func (s *Sink) opened(path string) *target {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	for _, t := range s.targets {
		if f, ok := t.output().(*file); ok && f.path == path {
			return t
		}
	}
	return nil
}

// openBase opens the target of logto.
func (s *Sink) openBase(to string) (out output, late, err error) {
	switch {
	case to == "":
		return &stream{os.Stderr, false}, nil, nil
	case strings.Contains(to, ":") && to[0] != '/' && to[0] != '.':
		d, late, err := openDatagrams("udp", to)
		if err != nil {
			return nil, nil, err
		}
		return d, late, nil
	}
	f, err := s.openFile(fileSpec{path: to, maxSize: s.config.MaxSize, backup: s.config.BackupName}, s.config.Open, s.config.Truncate)
	if err != nil {
		return nil, nil, err
	}
	f.changed = func(*os.File) {
		if s.config.Changed != nil {
			s.config.Changed()
		}
	}
	if len(s.config.Encoders) == 0 && !s.config.JSON {
		f.say = func(to *os.File, line string) { _, _ = to.WriteString(line) }
	}
	return f, nil, nil
}

func (s *Sink) openFile(spec fileSpec, open Opener, truncate bool) (*file, error) {
	f, err := openFile(spec, open, s.config.Access, truncate)
	if err == nil {
		f.report = s.log.Printf
	}
	return f, err
}

// give opens a file as Open does. What root makes belongs to the user of loggers.
func (s *Sink) give(path string, mode os.FileMode) (*os.File, error) {
	_, err := os.Lstat(path)
	f, failed := s.config.Open(path, mode)
	if failed != nil || !errors.Is(err, os.ErrNotExist) || os.Geteuid() != 0 || s.config.UID <= 0 {
		return f, failed
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > 0 {
		return f, nil
	}
	gid := s.config.GID
	if gid <= 0 {
		gid = -1
	}
	if err := f.Chown(s.config.UID, gid); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// watch lets the log say when lines of a target are lost.
func (s *Sink) watch(t *target) {
	if t == s.base {
		t.queue.told = s.tellLost
	} else {
		t.queue.told = func(lost uint64) {
			s.log.Printf("*** %d lines for %s were lost: their reader was stuck, full or missing ***", lost, t.name)
		}
	}
	if t.queue != s.main { // the target could not say it itself
		t.queue.failing = func(err error) { s.log.Printf("*** lines for %s are lost: %v ***", t.name, err) }
	}
}

func (s *Sink) tellLost(lost uint64) {
	s.log.Printf("*** %d log lines were lost: the log's reader was stuck or full ***", lost)
}

// Move lets the log go on in another file: logto2.
func (s *Sink) Move(to string) error {
	out, _, err := s.openBase(to)
	if err != nil {
		return fmt.Errorf("log target %q: %w", to, err)
	}
	moved := make(chan struct{})
	s.base.queue.order(func() {
		s.base.mu.Lock()
		old := s.base.out
		s.base.out = out
		s.base.mu.Unlock()
		_ = old.close()
		close(moved)
	})
	select {
	case <-moved:
	case <-time.After(closeTime):
		return fmt.Errorf("log target %q: the reader of the log so far is stuck", to)
	}
	if s.config.Changed != nil {
		s.config.Changed()
	}
	return nil
}

// Printed is the standard output and error of children. It stays the sink's: do not close it, and
// do not use it after Close.
func (s *Sink) Printed() *os.File {
	if s.printed != nil {
		return s.printed.write
	}
	return s.File()
}

// File is the descriptor of the log itself: that of logto or standard error. It stays the sink's,
// and changes at a rotation.
func (s *Sink) File() *os.File {
	switch out := s.base.output().(type) {
	case *file:
		return out.current()
	case *stream:
		return out.f
	}
	return os.Stderr
}

// Log returns the logger for the server's own lines.
func (s *Sink) Log() *Logger { return s.log }

// Write takes the line of one request, with its newline. It copies p, never blocks, and any
// goroutine may call it. Without room it drops p and returns no error, because a caller could do
// nothing. After Close it returns [os.ErrClosed].
func (s *Sink) Write(p []byte) (int, error) {
	if err := s.requests.add(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Sync waits until everything that was logged and printed is written or lost, at most two seconds
// for targets that stand still.
func (s *Sink) Sync() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	for _, q := range s.queues() { // stages come first
		done := make(chan struct{})
		q.order(func() { close(done) })
		select {
		case <-done:
		case <-q.done:
		case <-ctx.Done():
		}
	}
}

// Reopen opens all files anew, after what was logged is written.
func (s *Sink) Reopen() { s.files((*file).reopen) }

// Follow opens the files anew whose paths lead elsewhere by now.
func (s *Sink) Follow() { s.files((*file).follow) }

// Rotate renames all files and begins new ones.
func (s *Sink) Rotate() { s.files((*file).rotate) }

func (s *Sink) files(do func(*file)) {
	for _, t := range s.targets {
		t.queue.order(func() {
			if f, ok := t.output().(*file); ok {
				do(f)
			}
		})
	}
}

// Dropped returns how many lines were lost.
func (s *Sink) Dropped() uint64 {
	n := uint64(0)
	for _, q := range s.queues() {
		n += q.lost()
	}
	if s.printed != nil {
		n += s.printed.lost()
	}
	return n
}

// Close writes what is pending and closes everything but standard error. It waits at most two
// seconds for targets that stand still, and returns an error if lines were left.
func (s *Sink) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if s.printed != nil {
		s.printed.close()
	}
	for _, q := range s.stages {
		if err := q.close(ctx); err != nil {
			return err
		}
	}
	var failed error
	for _, t := range s.targets {
		err := t.queue.close(ctx)
		if err == nil {
			err = t.output().close()
		}
		if failed == nil {
			failed = err
		}
	}
	return failed
}
