package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// Lists are the options of a configuration by how they relate to uWSGI's, each list in the order of
// the configuration.
type Lists struct {
	Same      []Item `json:"same"`
	Different []Item `json:"different"`  // why
	NotNeeded []Item `json:"not_needed"` // why
	Lost      []Item `json:"lost"`       // what to do instead
}

// Item is an option as given.
type Item struct {
	Option string `json:"option"`
	Why    string `json:"why,omitempty"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
}

// Sort returns the lists of a configuration.
func Sort(c *config.Config) Lists {
	l := Lists{Same: []Item{}, Different: []Item{}, NotNeeded: []Item{}, Lost: []Item{}}
	lost := map[string][]config.Lost{} // by place and text
	for _, e := range c.Lost {
		at := e.Origin.Name(e.Key) + " " + e.Value
		if !slices.ContainsFunc(lost[at], func(l config.Lost) bool { return l.Name == e.Name }) {
			lost[at] = append(lost[at], e)
		}
	}
	for _, e := range c.Entries {
		o := config.Options.Lookup(e.Key)
		if o == nil || e.Settled && !o.Immediate || o.Immediate && o.Kind == option.Action {
			continue // a placeholder, or a directive
		}
		item := Item{Option: e.Key, Why: plain(o.Note)}
		item.File, item.Line = place(e)
		missing := lost[e.Origin.Name(e.Key)+" "+e.Value]
		switch {
		case len(missing) > 0:
			for _, m := range missing {
				item.Option, item.Why = m.Name, m.Instead
				l.Lost = append(l.Lost, item)
			}
		case !o.Status.Supported() && !config.Asks(o, e):
			item.Why = ""
			l.Same = append(l.Same, item) // it asks for nothing
		case o.Status == option.Same, o.Status == option.Own:
			item.Why = ""
			l.Same = append(l.Same, item)
		case o.Status == option.Differs, o.Status == option.Changed:
			l.Different = append(l.Different, item)
		case o.Status == option.Ignored:
			l.NotNeeded = append(l.NotNeeded, item)
		case o.Status == option.Ends:
			l.Lost = append(l.Lost, item)
		default:
			l.Lost = append(l.Lost, item)
		}
	}
	return l
}

// plain returns a note of the table without Markdown.
func plain(note string) string {
	return strings.NewReplacer("`", "", "[routing.md](routing.md)", "docs/routing.md", "[end the start](#ends-the-start)", "end the start").Replace(note)
}

// names returns the options of a list, each once.
func names(list []Item) (names []string) {
	for _, i := range list {
		if !slices.Contains(names, i.Option) {
			names = append(names, i.Option)
		}
	}
	return names
}

// mostNamed bounds the lost options that the summary names.
const mostNamed = 8

// Summary is one line for the start: how many options each list has, and which are lost. It is
// empty if all do what they do in uWSGI, or nearly.
func (l Lists) Summary() string {
	same, different, not, lost := names(l.Same), names(l.Different), names(l.NotNeeded), names(l.Lost)
	text := fmt.Sprintf("options: %d work as in uWSGI, %d in another way, %d are not needed, %d lost", len(same), len(different), len(not), len(lost))
	if len(lost) > 0 {
		more := ""
		if n := len(lost) - mostNamed; n > 0 {
			lost, more = lost[:mostNamed], fmt.Sprintf(" and %d more", n)
		}
		text += " (" + strings.Join(lost, ", ") + more + ")"
	}
	return text
}
