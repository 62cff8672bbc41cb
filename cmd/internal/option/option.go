// Package option says what an option is and finds options by name: the rows of uwsgo, and every
// other name of uWSGI. One Table drives the command line, ini files, UWSGI_* variables, --help and
// docs/options.md. Its rows are in package config, each beside what reads its value.
package option

//go:generate go test . -update

import (
	"sort"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/nearest"
)

// Kind is the kind of an option's value, and so how it is read and shown.
type Kind uint8

// The kinds of value an option can have.
const (
	Flag      Kind = iota // true unless the value is exactly false, off, no or 0
	Int                   // a count: 1000, 10k
	Plain                 // a number without a unit, such as that of a signal
	Percent               // a share of a hundred
	Size                  // bytes: 65536, 64k
	Megabytes             // MiB: 512, 2G
	Seconds               // a time in whole seconds: 90, 5m
	Fraction              // a time in seconds that may have a fraction: 0.5
	Text                  // a string, the last one given counts
	List                  // strings, each one given is added
	Action                // acts while it is read: another file, a condition, --help
)

// String returns the kind as docs/options.md shows it.
func (k Kind) String() string {
	return [...]string{"flag", "number", "plain number", "percent", "bytes", "megabytes", "seconds", "seconds, also 0.5", "text", "list", "directive"}[k]
}

// Status says how an option relates to uWSGI's of the same name.
type Status uint8

// What uwsgo does with an option.
const (
	Same    Status = iota // does what uWSGI's does
	Differs               // works, with a difference in Note
	Own                   // uwsgo's own, uWSGI does not have it
	Ignored               // accepted without effect; Note says why none is needed
	Changed               // accepted; Note says what happens in its place
	Planned               // known by name; its function is missing
	Ends                  // likewise, and its absence could hurt: it ends the start; Note says what to do
)

// String returns the status as docs/options.md shows it.
func (s Status) String() string {
	return [...]string{"same", "differs", "uwsgo only", "no effect", "changed", "not yet", "ends the start"}[s]
}

// Supported reports whether the option does something here. The log of each start says what becomes
// of all others.
func (s Status) Supported() bool { return s <= Own }

// Option is one row of the table. Rows are shared and must not be changed.
type Option struct {
	Name      string
	Aliases   []string // other long names with the same meaning
	Short     byte     // the one-letter flag, or 0
	Kind      Kind
	Arg       string // the value's name in --help; empty for a flag
	Optional  bool   // on the command line a value may follow only as --name=value
	Immediate bool   // acts while it is read, so its value is never expanded
	Default   string // the default; empty for off or none
	Section   Section
	Help      string // one sentence, no full stop
	Note      string // how it relates to uWSGI's; empty when the same
	Status    Status
}

// TakesValue reports whether a command line must or may give the option a value.
func (o *Option) TakesValue() bool { return o.Arg != "" }

// Section is the purpose of an option. --help and docs/options.md group by it, in this order.
type Section uint8

// The sections, in the order in which they are shown.
const (
	Listening Section = iota
	Application
	Python
	Processes
	System
	Requests
	Files
	Emperor
	Logging
	Configuration
	Other // options that uwsgo only knows by name
)

// String is the section's heading.
func (s Section) String() string {
	return [...]string{
		"Where to listen",
		"What to run",
		"Python",
		"Processes",
		"User, daemon, service manager",
		"Requests and limits",
		"Files and compression",
		"Emperor and vassals",
		"Logs and statistics",
		"Configuration",
		"Known from uWSGI",
	}[s]
}

// Table has options by name. Nothing changes it once it is made.
type Table struct {
	rows    []*Option // with a row of their own, in order of their sections
	byName  map[string]*Option
	byShort map[byte]*Option
	names   []string // every long name and alias, sorted
	working []string // names that do something here
}

// NewTable makes a table of options with rows, and of those that are only known by name. It shows
// the options of a section in the order given.
func NewTable(options ...Option) *Table {
	t := &Table{byName: map[string]*Option{}, byShort: map[byte]*Option{}}
	for i := range options {
		t.rows = append(t.rows, &options[i])
		t.register(&options[i])
	}
	for _, o := range known() {
		t.register(o)
	}
	sort.SliceStable(t.rows, func(i, j int) bool { return t.rows[i].Section < t.rows[j].Section })
	sort.Strings(t.names)
	for _, name := range t.names {
		if t.byName[name].Status.Supported() {
			t.working = append(t.working, name)
		}
	}
	return t
}

// register adds o under its names. A name with a row keeps it, so the list of uWSGI's names may
// have options that have got a row since.
func (t *Table) register(o *Option) {
	for _, name := range append([]string{o.Name}, o.Aliases...) {
		if t.byName[name] == nil {
			t.byName[name] = o
			t.names = append(t.names, name)
		}
	}
	if o.Short != 0 && t.byShort[o.Short] == nil && t.byName[o.Name] == o {
		t.byShort[o.Short] = o
	}
}

// Lookup returns an option by its exact long name or alias; nil for none.
func (t *Table) Lookup(name string) *Option { return t.byName[name] }

// LookupShort returns an option by its one-letter flag; nil for none.
func (t *Table) LookupShort(letter byte) *Option { return t.byShort[letter] }

// Rows returns the options with a row of their own, in order of their sections. Callers must not
// change them.
func (t *Table) Rows() []*Option { return append([]*Option(nil), t.rows...) }

// Names returns all known names, with aliases, sorted.
func (t *Table) Names() []string { return append([]string(nil), t.names...) }

// Complete returns the long names that a prefix on the command line may mean, as GNU getopt_long
// does: an exact name means itself, else every name that begins so. Names of one option count once.
// Options that work here come first: the many known names that do nothing must not make a habit
// such as --thread ambiguous.
func (t *Table) Complete(prefix string) []string {
	if t.byName[prefix] != nil {
		return []string{prefix}
	}
	var all, working []string
	seen := map[*Option]bool{}
	for _, name := range t.names[sort.SearchStrings(t.names, prefix):] {
		if !strings.HasPrefix(name, prefix) {
			break
		}
		o := t.byName[name]
		if seen[o] {
			continue
		}
		seen[o] = true
		all = append(all, name)
		if o.Status.Supported() {
			working = append(working, name)
		}
	}
	if len(working) > 0 {
		return working
	}
	return all
}

// Nearest returns the known name that name probably means, or "" if nothing is close: first by
// meaning, then by letters among the options that work here, then among all, where one letter may
// differ, or two of a long name.
func (t *Table) Nearest(name string) string {
	if option, known := t.meaning(name); known {
		return option
	}
	if len(name) < shortName {
		return ""
	}
	if near := nearest.Name(name, t.working); near != "" {
		return near
	}
	slips := 1
	if len(name) > longName {
		slips = 2
	}
	if near := nearest.Name(name, t.names); near != "" && nearest.Within(name, near, slips) {
		return near
	}
	return ""
}

// shortName is how many letters a name needs for letters to tell anything: three letters such as
// xid could mean many.
const shortName = 4

// longName is how many letters make the likeness of two names no chance.
const longName = 14
