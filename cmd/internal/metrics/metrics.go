// Package metrics has uWSGI's metrics: numbers that apps count, and those of the server, by
// name. They are in the stats, in files of a directory, and can be sent to a statsd.
package metrics

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The types of uWSGI.
const (
	Counter = iota
	Gauge
	Absolute
	Alias
)

// Spec is one value of the option metric.
type Spec struct {
	Name    string
	OID     string
	Type    int
	Initial int64
	Alias   string // of another metric
	File    string // that has the value, for the collector file
	Field   int    // word of its first line, from 0
}

// Threshold is one value of metric-threshold.
type Threshold struct {
	Metric  string
	Value   int64
	Alarm   string
	Rate    time.Duration // between alarms
	Message string        // empty for the name of the metric
	Reset   *int64        // what the metric is set to then
}

// Push is a server that gets the values.
type Push struct{ Address, Prefix string }

// Config has what the options say. There are no metrics unless On.
type Config struct {
	On         bool
	Specs      []Spec
	Thresholds []Threshold
	Dir        string
	Restore    bool // take the first values from the files of Dir
	Pushes     []Push
	Freq       time.Duration // between pushes
}

// Sample is the value of a metric.
type Sample struct {
	Name, OID string
	Type      int
	Value     int64
}

// most bounds the metrics of the configuration.
const most = 4096

var validName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// Parse reads "NAME" or "name=NAME,type=gauge,initial_value=5,alias=OTHER,collector=file,arg1=PATH,arg1n=FIELD".
func Parse(value string) (Spec, error) {
	s := Spec{Name: strings.TrimSpace(value)}
	if strings.Contains(value, "=") {
		s.Name = ""
		collector := ""
		for part := range strings.SplitSeq(value, ",") {
			name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
			var err error
			switch name {
			case "name":
				s.Name = v
			case "oid":
				s.OID = v
			case "type":
				i := slices.Index([]string{"counter", "gauge", "absolute", "alias"}, v)
				if s.Type = i; i < 0 {
					err = fmt.Errorf("there is no type %q: there are counter, gauge, absolute and alias", v)
				}
			case "initial_value":
				s.Initial, err = strconv.ParseInt(v, 10, 64)
			case "alias":
				s.Alias = v
			case "collector":
				if collector = v; v != "file" && v != "" {
					err = fmt.Errorf("there is no collector %q: there is file; sums are for whoever reads the metrics", v)
				}
			case "arg1":
				s.File = v
			case "arg1n":
				s.Field, err = strconv.Atoi(v)
			case "freq", "reset_after_push", "arg2", "arg3", "arg2n", "arg3n":
			case "children":
				err = errors.New("there are no children: sums are for whoever reads the metrics")
			default:
				err = fmt.Errorf("%q is no part of it", name)
			}
			if err != nil {
				return s, fmt.Errorf("%q: %w", value, err)
			}
		}
		if collector == "" {
			s.File = ""
		} else if s.File == "" {
			return s, fmt.Errorf("%q: arg1, the file, is missing", value)
		}
		if s.Type == Alias && s.Alias == "" {
			return s, fmt.Errorf("%q: alias, the other metric, is missing", value)
		}
	}
	if !validName.MatchString(s.Name) || strings.Trim(s.Name, ".") == "" {
		return s, fmt.Errorf("%q is no name of a metric: letters, digits, _, - and . may be in it: write metric = NAME or metric = name=NAME,type=gauge", s.Name)
	}
	return s, nil
}

// ParseThreshold reads "key=METRIC,value=N,alarm=NAME,rate=SECONDS,msg=TEXT,reset=N".
func ParseThreshold(value string) (t Threshold, err error) {
	given := false
	for part := range strings.SplitSeq(value, ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "key":
			t.Metric = v
		case "value":
			t.Value, err = strconv.ParseInt(v, 10, 64)
			given = true
		case "alarm":
			t.Alarm = v
		case "rate":
			var n int
			n, err = strconv.Atoi(v)
			t.Rate = time.Duration(n) * time.Second
		case "msg":
			t.Message = v
		case "reset":
			var n int64
			n, err = strconv.ParseInt(v, 10, 64)
			t.Reset = &n
		default:
			err = fmt.Errorf("%q is no part of it", name)
		}
		if err != nil {
			return t, fmt.Errorf("%q: %w", value, err)
		}
	}
	if t.Metric == "" || !given {
		return t, fmt.Errorf("%q: key or value is missing: write metric-threshold = key=METRIC,value=100,alarm=NAME", value)
	}
	return t, nil
}

// ParsePush reads "statsd:HOST:PORT[,PREFIX]".
func ParsePush(value string) (Push, error) {
	kind, rest, _ := strings.Cut(value, ":")
	if kind != "statsd" {
		return Push{}, fmt.Errorf("%q: values are sent to statsd alone, by stats-push = statsd:HOST:PORT,PREFIX: have an agent read the JSON of stats for others", value)
	}
	address, prefix, found := strings.Cut(rest, ",")
	if !found {
		prefix = "uwsgi"
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return Push{}, fmt.Errorf("%q: %w", value, err)
	}
	return Push{address, prefix}, nil
}

// own is a metric of the configuration.
type own struct {
	Spec
	value  int64
	filed  int64 // that its file in Dir has; only write uses it
	inFile bool
}

// Set has all metrics. Any goroutine may call its methods; a nil one has none.
type Set struct {
	config  Config
	builtin func() []Sample
	raise   func(alarm, message string)
	logf    func(format string, args ...any)

	mu     sync.Mutex
	byName map[string]*own
	order  []*own
	alarms map[int]time.Time // when a threshold has raised its alarm
	pushed map[string]int64  // what counters had at the last push
}

// New returns the metrics of the configuration, nil for none. builtin returns those of the
// server.
func New(c Config, builtin func() []Sample, raise func(alarm, message string), logf func(format string, args ...any)) (*Set, error) {
	if !c.On {
		return nil, nil
	}
	s := &Set{config: c, builtin: builtin, raise: raise, logf: logf, byName: make(map[string]*own), alarms: make(map[int]time.Time), pushed: make(map[string]int64)}
	for _, spec := range c.Specs {
		if len(s.order) >= most {
			return nil, fmt.Errorf("metric: these are more than %d", most)
		}
		if s.byName[spec.Name] != nil {
			continue
		}
		one := &own{Spec: spec, value: spec.Initial}
		if c.Restore && c.Dir != "" {
			if text, err := read(filepath.Join(c.Dir, spec.Name)); err == nil {
				if n, err := strconv.ParseInt(strings.TrimRight(text, "\n\x00"), 10, 64); err == nil {
					one.value = n
				}
			}
		}
		s.byName[spec.Name] = one
		s.order = append(s.order, one)
	}
	if c.Dir != "" {
		if err := os.MkdirAll(c.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("metrics-dir: %w", err)
		}
		if err := s.write(); err != nil {
			return nil, fmt.Errorf("metrics-dir: %w", err)
		}
	}
	return s, nil
}

// Get returns a value, 0 where there is no such metric.
func (s *Set) Get(name string) int64 {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	one := s.byName[name]
	if one != nil && one.Alias == "" {
		defer s.mu.Unlock()
		return one.value
	}
	s.mu.Unlock()
	if one != nil {
		name = one.Alias
	}
	for _, b := range s.samples(false) {
		if b.Name == name {
			return b.Value
		}
	}
	return 0
}

// Change changes the value of a configured metric. It returns false for every other metric.
func (s *Set) Change(name, how string, by int64) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byName[name]
	if one == nil || one.Alias != "" || one.File != "" {
		return false
	}
	switch how {
	case "set":
		one.value = by
	case "inc":
		one.value += by
	case "dec":
		one.value -= by
	case "mul":
		one.value *= by
	case "div":
		if by == 0 {
			return false
		}
		one.value /= by
	case "set_max":
		one.value = max(one.value, by)
	case "set_min":
		if by > one.Initial {
			one.value = min(one.value, by)
		}
	default:
		return false
	}
	return true
}

// Samples returns all metrics.
func (s *Set) Samples() []Sample {
	if s == nil {
		return nil
	}
	return s.samples(true)
}

// samples returns those of the server, then those of the configuration, with aliases or not.
func (s *Set) samples(aliases bool) []Sample {
	list := s.builtin()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.order {
		v := Sample{one.Name, one.OID, one.Type, one.value}
		if one.Alias != "" {
			if !aliases {
				continue
			}
			for _, other := range list {
				if other.Name == one.Alias {
					v.OID, v.Value = other.OID, other.Value
				}
			}
		}
		list = append(list, v)
	}
	return list
}

// Run looks at thresholds, files and pushes once a second, until done is closed.
func (s *Set) Run(done <-chan struct{}) {
	if s == nil {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	pushed := time.Now()
	var failed string
	for {
		select {
		case now := <-tick.C:
			s.collect()
			s.look(now)
			err := s.write()
			if len(s.config.Pushes) > 0 && now.Sub(pushed) >= s.config.Freq {
				pushed = now
				err = errors.Join(err, s.push())
			}
			if err == nil {
				failed = ""
			} else if err.Error() != failed { // said once
				failed = err.Error()
				s.logf("*** WARNING: metrics: %v ***", err)
			}
		case <-done:
			_ = s.write()
			return
		}
	}
}

// mostFile bounds what is read of a file with a value.
const mostFile = 4096

// read returns the beginning of a file.
func read(path string) (string, error) {
	f, err := open(path, os.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	buf := make([]byte, mostFile)
	n, err := f.Read(buf)
	if err == io.EOF {
		err = nil
	}
	return string(buf[:n]), err
}

// open opens a file and nothing else: a pipe would hold up all metrics, and the stop.
func open(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|syscall.O_NONBLOCK, 0o644) //nolint:gosec // for whoever watches
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, errors.Join(err, fmt.Errorf("%s is no file", path))
	}
	return f, nil
}

// collect reads the files of metrics that have one.
func (s *Set) collect() {
	for _, one := range s.order {
		if one.File == "" {
			continue
		}
		text, err := read(one.File)
		if err != nil {
			continue
		}
		line, _, _ := strings.Cut(text, "\n")
		words := strings.Fields(line)
		if one.Field < 0 || one.Field >= len(words) {
			continue
		}
		if v, err := strconv.ParseInt(words[one.Field], 10, 64); err == nil {
			s.mu.Lock()
			one.value = one.Initial + v
			s.mu.Unlock()
		}
	}
}

// look compares metrics with their thresholds and raises alarms.
func (s *Set) look(now time.Time) {
	for i, t := range s.config.Thresholds {
		if s.Get(t.Metric) < t.Value {
			continue
		}
		if t.Reset != nil {
			s.Change(t.Metric, "set", *t.Reset)
		}
		if last, raised := s.alarms[i]; t.Alarm == "" || raised && now.Sub(last) < t.Rate {
			continue
		}
		s.alarms[i] = now
		message := t.Message
		if message == "" {
			message = t.Metric
		}
		s.raise(t.Alarm, message)
	}
}

// write writes changed values of the configured metrics to their files.
func (s *Set) write() error {
	if s.config.Dir == "" {
		return nil
	}
	for _, one := range s.order {
		s.mu.Lock()
		value := one.value
		s.mu.Unlock() // whoever changes a metric does not wait for the disk
		if one.inFile && one.filed == value || one.Alias != "" {
			continue
		}
		f, err := open(filepath.Join(s.config.Dir, one.Name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(f, "%d\n", value)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		one.filed, one.inFile = value, true
	}
	return nil
}

// datagram is how much is sent at once.
const datagram = 1400

// push sends all values to the statsd servers. A counter is sent as its increase, because a statsd
// adds up what it gets.
func (s *Set) push() error {
	var list []Sample
	for _, v := range s.Samples() {
		if v.Type == Counter || v.Type == Absolute {
			before := s.pushed[v.Name]
			s.pushed[v.Name] = v.Value
			if v.Value -= before; v.Value <= 0 {
				continue
			}
		}
		list = append(list, v)
	}
	var errs []error
	for _, p := range s.config.Pushes {
		errs = append(errs, p.send(list))
	}
	return errors.Join(errs...)
}

func (p Push) send(list []Sample) error {
	conn, err := net.DialTimeout("udp", p.Address, time.Second)
	if err != nil {
		return fmt.Errorf("stats-push: %w", err)
	}
	defer conn.Close()
	var b []byte
	send := func() {
		if len(b) > 0 {
			_, _ = conn.Write(b) // a statsd that is not there loses nothing but this
			b = b[:0]
		}
	}
	for _, v := range list {
		kind := "g"
		if v.Type == Counter || v.Type == Absolute {
			kind = "c"
		}
		line := fmt.Appendf(nil, "%s.%s:%d|%s\n", p.Prefix, v.Name, v.Value, kind)
		if len(b)+len(line) > datagram {
			send()
		}
		b = append(b, line...)
	}
	send()
	return nil
}
