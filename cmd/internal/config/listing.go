package config

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// Listing is a configuration as read and expanded, before its values have a meaning. So it also
// shows what no server starts with.
type Listing struct {
	list *ini.List
}

// List reads what Load reads.
func List(args, environ []string, w ini.World) (*Listing, error) {
	list, _, err := read(args, environ, w)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(list.Entries); i++ { // what they add may have its own
		if e := list.Entries[i]; e.Key == "inherit" && !e.Settled {
			if err := list.Inherit(e); err != nil {
				return nil, err
			}
		}
	}
	return &Listing{list}, nil
}

// Warnings returns what may be meant otherwise than it was read.
func (l *Listing) Warnings() []string { return l.list.Warnings }

// JSON writes the options as pairs of key and value, in order and as uWSGI holds them, and the keys
// that are neither an option nor used by a value.
func (l *Listing) JSON(w io.Writer) error {
	out := struct {
		Options [][2]string `json:"options"`
		Unknown []string    `json:"unknown"`
	}{[][2]string{}, []string{}}
	for _, e := range l.list.Entries {
		if !l.directive(e) {
			out.Options = append(out.Options, [2]string{e.Key, shown(e)})
		}
		if l.unknown(e) {
			note(&out.Unknown, e.Key)
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}

// Text writes the given options with their origins, and then the defaults of all others.
func (l *Listing) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	given := map[string]bool{}
	for i, e := range l.list.Entries {
		if l.directive(e) {
			continue
		}
		if o := l.lookup(e); o != nil {
			given[o.Name] = true
		}
		value := e
		if expanded, err := l.list.Filled(e); err == nil {
			value.Value = expanded
		}
		fmt.Fprintf(t, "%s = %s\t%s%s\n", e.Key, printable(shown(value)), e.Origin, l.remark(i))
	}
	var defaults []*option.Option
	for _, o := range Options.Rows() {
		if !given[o.Name] && o.Default != "" {
			defaults = append(defaults, o)
		}
	}
	slices.SortFunc(defaults, func(a, b *option.Option) int { return strings.Compare(a.Name, b.Name) })
	for _, o := range defaults {
		fmt.Fprintf(t, "%s = %s\tdefault\n", o.Name, o.Default)
	}
	return t.Flush()
}

// remark returns what else is worth knowing of an entry.
func (l *Listing) remark(i int) string {
	e := l.list.Entries[i]
	o := l.lookup(e)
	switch {
	case o == nil && l.unknown(e):
		return ", unknown" + l.list.Hint(e.Key)
	case o == nil:
		return ", placeholder"
	case o.Status == option.Planned:
		return ", not supported"
	case o.Status == option.Ends:
		return ", not supported: " + o.Note
	case o.Status == option.Ignored, o.Status == option.Changed:
		return ", no effect: " + o.Note
	case o.Kind == option.List, o.Kind == option.Action:
		return ""
	}
	for _, later := range l.list.Entries[i+1:] {
		if other := l.lookup(later); other == o {
			return ", but see below"
		}
	}
	return ""
}

// lookup returns the option of an entry; nil for placeholders and mistakes.
func (l *Listing) lookup(e ini.Entry) *option.Option {
	o := l.list.Lookup(e.Key)
	if o != nil && e.Settled && !o.Immediate {
		return nil // a placeholder with the name of an option
	}
	return o
}

// directive reports whether an entry has acted and is no option of the server.
func (l *Listing) directive(e ini.Entry) bool {
	o := l.lookup(e)
	return o != nil && o.Immediate && o.Kind == option.Action
}

func (l *Listing) unknown(e ini.Entry) bool {
	return l.lookup(e) == nil && !e.Settled && !l.list.Used(e.Key)
}

// shown returns the value of an entry as show-config has it.
func shown(e ini.Entry) string {
	if !e.HasValue {
		return "true"
	}
	return e.Value
}

// printable keeps a value on its line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
