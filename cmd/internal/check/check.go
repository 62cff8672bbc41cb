// Package check says what a start would say of a configuration, without starting anything: its
// mistakes, what the machine lacks, and which options do what they do in uWSGI.
//
// It writes nothing, runs no hook and listens nowhere. It asks the machine through Machine, so that
// tests need none.
package check

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// Level is how much a finding matters.
type Level string

// The levels, which are those of SARIF.
const (
	Error   Level = "error"   // the server does not start
	Warning Level = "warning" // it starts, and something may not be as intended
	Note    Level = "note"    // worth knowing
)

// The rules that findings break.
const (
	Values    = "configuration"
	Apps      = "app"
	Paths     = "path"
	Addresses = "address"
	Users     = "user"
	Limited   = "limit"
	Hooks     = "hook"
)

// Finding is one thing that is wrong or worth knowing, and where.
type Finding struct {
	Level   Level  `json:"level"`
	Rule    string `json:"rule"`
	File    string `json:"file,omitempty"` // empty for the command line and the environment
	Line    int    `json:"line,omitempty"`
	Option  string `json:"option,omitempty"`
	Message string `json:"message"`
	Output  string `json:"output,omitempty"` // printed by the app
}

// Report has the findings of one configuration.
type Report struct {
	Name     string    `json:"file"` // as named; empty without a file
	Starts   bool      `json:"starts"`
	Findings []Finding `json:"findings"`
	Lists
}

// Input is what to check.
type Input struct {
	Name     string
	Config   *config.Config // nil where it could not be read
	Mistakes []error
	// FileAlone leaves out everything that depends on this machine.
	FileAlone bool
	// Handlers makes the handlers of a start, and says why that fails. Import tries to import the
	// apps in dir as a user. Either may be nil.
	Handlers func(c *config.Config, dir string) error
	// Certificates reads those of an address in dir, and returns the files of those that are not
	// good now, with why; nil leaves that out.
	Certificates func(c *config.Config, l config.Listen, dir string) (stale map[string]string, err error)
	Import       func(c *config.Config, p Place) (*worker.Trial, error)
}

// Check checks one configuration.
func Check(in Input, m Machine) *Report {
	c := &checker{Report: &Report{Name: in.Name, Findings: []Finding{}}, cfg: in.Config, m: m}
	for _, err := range in.Mistakes {
		c.tell(Error, Values, "", err.Error())
	}
	if c.cfg != nil {
		for _, w := range c.cfg.Warnings {
			c.tell(Warning, Values, "", w)
		}
		c.Lists = Sort(c.cfg)
		if c.cfg.Action == config.Run {
			c.run(in)
		} else if len(in.Mistakes) == 0 {
			c.action()
		}
	}
	c.Starts = c.Count(Error) == 0
	return c.Report
}

// Count returns how many findings have a level.
func (r *Report) Count(level Level) (n int) {
	for _, f := range r.Findings {
		if f.Level == level {
			n++
		}
	}
	return n
}

// checker is a report in the making.
type checker struct {
	*Report
	cfg *config.Config
	m   Machine
}

// action handles a configuration that starts no server.
func (c *checker) action() {
	switch c.cfg.Action {
	case config.Usage:
		c.tell(Error, Values, "", "there is nothing to do: no option is given")
	case config.Signal, config.Read:
		c.tell(Note, Values, "", "no server is started: it sends a signal or reads from an address")
	default:
		c.tell(Note, Values, "", "no server is started: it prints something")
	}
}

// run checks the parts of a server.
func (c *checker) run(in Input) {
	cfg := c.cfg
	if isEmperor(cfg) {
		c.emperor(in)
		return
	}
	if why := cfg.NoApp(); why != "" {
		level := Warning
		if cfg.NeedApp {
			level = Error
		}
		c.tell(level, Apps, "", why)
	}
	if len(cfg.Listens) == 0 {
		level := Error
		if in.FileAlone || len(cfg.Companions)+len(cfg.Crons)+len(cfg.Mules) > 0 {
			level = Note // systemd may pass one, and companions need none
		}
		c.tell(level, Addresses, "", "there is no socket to listen on: add http = :8080, or socket = /path/to.sock for nginx; sockets of a systemd unit are not seen here")
	}
	c.addresses()
	c.hooks()
	if in.Handlers != nil {
		if err := in.Handlers(cfg, c.m.Cwd); err != nil {
			c.tell(Error, Values, "", err.Error())
		}
	}
	if in.FileAlone {
		return
	}
	p, ok := c.place()
	c.paths(p)
	c.certificates(in)
	c.bind(p)
	c.limits(p)
	if ok && in.Import != nil && cfg.HasApp() {
		c.importApps(in, p)
	}
}

// tell adds a finding. text may begin with its place, as errors of options do; else the place is
// where, in the same form.
func (c *checker) tell(level Level, rule, where, text string) *Finding {
	f := Finding{Level: level, Rule: rule, Message: text}
	f.locate(c)
	if where == "" && f.Option != "" && c.cfg != nil {
		where = c.where(f.Option, "")
	}
	if f.File == "" && where != "" {
		w := Finding{Message: where + ": "}
		w.locate(c)
		f.File, f.Line, f.Option = w.File, w.Line, w.Option
	}
	c.Findings = append(c.Findings, f)
	return &c.Findings[len(c.Findings)-1]
}

// at adds a finding about the last option that has one of these names.
func (c *checker) at(level Level, rule, option, text string) *Finding {
	return c.tell(level, rule, c.where(option, ""), text)
}

// where returns the origin of an option, of a certain value if one is given.
func (c *checker) where(name, value string) string {
	for _, e := range slices.Backward(c.cfg.Entries) {
		if o := config.Options.Lookup(e.Key); o != nil && o.Name == name && (value == "" || strings.Contains(e.Value, value)) {
			return e.Origin.Name(e.Key)
		}
	}
	return ""
}

var (
	located = regexp.MustCompile(`^(.+?):(\d+): (?s:(.*))$`)
	keyed   = regexp.MustCompile(`^(--)?([a-z0-9][a-z0-9_-]*): ?(?s:(.*))$`)
)

// locate cuts place and option from the beginning of a message.
func (f *Finding) locate(c *checker) {
	if m := located.FindStringSubmatch(f.Message); m != nil && c.isFile(m[1]) {
		f.File, f.Message = m[1], m[3]
		f.Line, _ = strconv.Atoi(m[2])
	}
	if m := keyed.FindStringSubmatch(f.Message); m != nil && (config.Options.Lookup(m[2]) != nil || f.Line > 0 && c.has(m[2])) {
		f.Option, f.Message = m[2], m[3]
	}
}

func (c *checker) isFile(name string) bool {
	if name == "standard input" || name == c.Name {
		return true
	}
	if c.cfg != nil {
		for _, e := range c.cfg.Entries {
			if e.Origin.File == name {
				return true
			}
		}
	}
	info, err := c.m.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// has reports whether a key was given.
func (c *checker) has(key string) bool {
	if c.cfg == nil {
		return false
	}
	for _, e := range c.cfg.Entries {
		if e.Key == key {
			return true
		}
	}
	return false
}

// place is where an entry stands.
func place(e ini.Entry) (file string, line int) { return e.Origin.File, e.Origin.Line }

// String returns the finding as one line.
func (f Finding) String() string {
	var b strings.Builder
	if f.File != "" {
		fmt.Fprintf(&b, "%s:%d: ", f.File, f.Line)
	}
	fmt.Fprintf(&b, "%s: ", f.Level)
	if f.Option != "" {
		b.WriteString(f.Option + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}
