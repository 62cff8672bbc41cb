package ini

import (
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// Bounds of a configuration. Real ones have some 50 entries.
const (
	maxEntries = 10_000
	maxDepth   = 32       // depth of includes
	maxFiles   = 1_000    // all files together
	maxWork    = 16 << 20 // bytes that expansion writes
)

// Entry is one option as given.
type Entry struct {
	Key      string // the name as written; it may be an alias or unknown
	Value    string
	HasValue bool // false only for a flag on the command line
	Origin   Origin
	Settled  bool // it has already acted, or is only a placeholder
}

// List has the options in their order, and the conditions that hold while more are added. It
// belongs to one goroutine.
type List struct {
	Entries  []Entry
	Warnings []string
	Links    []Link

	index  map[string]int // the first entry of each key
	world  World
	table  *option.Table // all options
	acts   map[string]act
	magic  [256]string
	first  bool   // a file has been read, so the upper-case magic variables hold
	last   string // the file that :section means
	logic  logic
	unread []string // files of for-readline with a warning
	inBody bool     // an entry of an if or for is being added
	strict bool
	remote bool // commands and other machines may give configurations
	files  int
	depth  int
	work   int
	used   map[string]bool // placeholders that something referred to
	// declared are the options of the configuration's own and what they stand for.
	declared map[string]string
}

// New returns an empty list for these options.
func New(w World, options *option.Table) *List {
	l := &List{world: w, table: options, acts: acts(), index: map[string]int{}, used: map[string]bool{}, declared: map[string]string{}}
	l.initMagic()
	return l
}

// Lookup returns an option by its name, nil for none.
func (l *List) Lookup(name string) *option.Option { return l.table.Lookup(name) }

// Strict reports whether the strict option is on.
func (l *List) Strict() bool { return l.strict }

// Used reports whether a value refers to key as a placeholder.
func (l *List) Used(key string) bool { return l.used[key] }

// Warnf adds a warning about something that ends nothing.
func (l *List) Warnf(format string, args ...any) {
	l.Warnings = append(l.Warnings, fmt.Sprintf(format, args...))
}

// Add appends an option, as the conditions allow. An option that acts while it is read acts now,
// and may add others.
func (l *List) Add(e Entry) error {
	if !l.inBody {
		switch e.Key {
		case "end", "endif", "endfor", "end-if", "end-for":
			l.logic = logic{}
		case "else":
			return l.otherwise(e)
		}
		if l.logic.name != "" {
			l.inBody = true
			defer func() { l.inBody = false }()
			return l.addBody(e)
		}
	}
	return l.append(e)
}

func (l *List) append(e Entry) error {
	if len(l.Entries) == maxEntries {
		return e.Origin.Errorf(e.Key, "more than %d options", maxEntries)
	}
	o := l.table.Lookup(e.Key)
	template, declared := l.declared[e.Key]
	if o == nil && !declared && l.strict && !e.Settled {
		return l.Unknown(e, true)
	}
	declared = declared && !e.Settled
	e.Settled = e.Settled || declared || o != nil && o.Immediate
	if _, ok := l.index[e.Key]; !ok {
		l.index[e.Key] = len(l.Entries)
	}
	l.Entries = append(l.Entries, e)
	if act := l.acts[e.Key]; act != nil {
		return act(l, e)
	}
	if declared {
		return l.stand(e, template)
	}
	return nil
}

// Unknown returns the error for an option that does not exist.
func (l *List) Unknown(e Entry, strict bool) error {
	if strict {
		return e.Origin.Errorf(e.Key, "[strict-mode] unknown config directive: %s%s", e.Key, l.Hint(e.Key))
	}
	return e.Origin.Errorf(e.Key, "unknown option%s", l.Hint(e.Key))
}

// Hint asks, for the end of a message, whether another name was meant; empty if none is likely.
func (l *List) Hint(name string) string {
	if near := l.table.Nearest(name); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// set adds the option or placeholder of a value NAME=VALUE.
func (l *List) set(e Entry, placeholder bool) error {
	name, value, ok := strings.Cut(e.Value, "=")
	if !ok {
		return e.Origin.Errorf(e.Key, "%q is not of the form NAME=VALUE", e.Value)
	}
	if placeholder {
		if o := l.table.Lookup(name); o != nil && o.Status != option.Own {
			return e.Origin.Errorf(e.Key, "%s is an option, so it cannot be a placeholder: choose another name", name)
		}
	}
	return l.Add(Entry{Key: name, Value: value, HasValue: true, Origin: e.Origin, Settled: placeholder})
}

// Get returns the value of the first entry with this key, which placeholders and if-opt see. They
// do not see a flag of the command line, because it has no value.
func (l *List) Get(key string) (string, bool) {
	l.used[key] = true
	i, ok := l.index[key]
	if !ok {
		return "", false
	}
	return l.Entries[i].Value, l.Entries[i].HasValue
}

// Bool reads a flag as uWSGI does: true unless exactly false, off, no or 0.
func Bool(value string) bool {
	switch strings.ToLower(value) {
	case "false", "off", "no", "0":
		return false
	}
	return true
}

// spend takes n bytes from the work that expansion may do, before they are written.
func (l *List) spend(n int) error {
	if l.work+n+1 > maxWork {
		return fmt.Errorf("expansion does not end: more than %d bytes written", maxWork)
	}
	l.work += n + 1
	return nil
}
