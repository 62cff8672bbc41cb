package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// door is a protective option, or action of a route, that uwsgo does not have. The start ends at
// it, unless its name is given up.
type door struct {
	name    string // for ignore-unsupported: an option, or option:action
	where   string // its origin for messages
	instead string // what to do
}

// lose notes an option that does not do what it does in uWSGI.
func (r *resolver) lose(o *option.Option, e ini.Entry) {
	if !asks(o, e) {
		return
	}
	switch o.Status {
	case option.Ignored:
		note(&r.Losses.Harmless, e.Key)
	case option.Changed:
		note(&r.Losses.Changed, e.Key)
	case option.Ends:
		r.doors = append(r.doors, door{e.Key, e.Origin.Name(e.Key), o.Note})
	default:
		note(&r.Losses.Function, e.Key)
	}
}

// Asks reports whether the value of an option asks for something.
func Asks(o *option.Option, e ini.Entry) bool { return asks(o, e) }

// asks reports whether the value of an option asks for something.
func asks(o *option.Option, e ini.Entry) bool {
	value := strings.TrimSpace(e.Value)
	if value == "" {
		return !o.TakesValue() || o.Optional
	}
	return ini.Bool(value)
}

// note adds name to a list, once.
func note(to *[]string, name string) {
	if !slices.Contains(*to, name) {
		*to = append(*to, name)
	}
}

// leftOut says what becomes of a rule whose action is missing.
const leftOut = "the rule is left out; where it may protect something it ends the start: have the web server in front do it"

// lost notes an entry whose function is missing though its option is there.
func (r *resolver) lost(e ini.Entry, name, instead string) {
	r.Lost = append(r.Lost, Lost{e, name, instead})
	note(&r.Losses.Function, name)
}

// action notes a rule whose action is missing.
func (r *resolver) action(e ini.Entry, action, instead string) {
	name := e.Key + ":" + action
	r.Lost = append(r.Lost, Lost{e, name, leftOut})
	if option.Harmless(action) {
		note(&r.Losses.Function, name)
		return
	}
	r.doors = append(r.doors, door{name, e.Origin.Name(e.Key) + ": " + action, instead})
}

// giveUp reads ignore-unsupported. Each name has to be one that ends the start, so that no misspelt
// name stays there for ever.
func (r *resolver) giveUp(e ini.Entry) error {
	if strings.Trim(e.Value, ", ") == "" {
		return e.Origin.Errorf(e.Key, "it needs names of options")
	}
	for _, name := range words(e.Value) {
		name = strings.TrimSuffix(strings.TrimPrefix(name, "--"), ":")
		key, _, action := strings.Cut(name, ":")
		o := r.list.Lookup(key)
		routes := option.Routes(key)
		switch {
		case o == nil:
			return e.Origin.Errorf(e.Key, "%q is no option%s", key, r.list.Hint(key))
		case routes && !action:
			return e.Origin.Errorf(e.Key, "name the action that is to be left out, too: %s:basicauth for one", key)
		case !routes && action:
			return e.Origin.Errorf(e.Key, "%s has no actions: write the name alone", key)
		}
		if r.given == nil {
			r.given = map[string]ini.Entry{}
		}
		r.given[name] = e
	}
	return nil
}

// shut ends the start if something protective is missing, unless it is given up.
func (r *resolver) shut() error {
	defer func() { r.Warnings = r.list.Warnings }()
	if r.Action != Run {
		return nil
	}
	var open []door
	unused := maps.Clone(r.given)
	for _, d := range r.doors {
		delete(unused, d.name)
		if _, ok := r.given[d.name]; ok {
			note(&r.Losses.Unprotected, d.name)
			continue
		}
		open = append(open, d)
	}
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		e := unused[name]
		r.list.Warnf("%s: %s is not needed: nothing that uses it would end the start", e.Origin.Name(e.Key), name)
	}
	if r.mistakes != nil {
		for _, d := range open {
			_ = r.mistake(fmt.Errorf("%s: not supported, and it may protect something: %s; to start without that, write ignore-unsupported = %s", d.where, d.instead, d.name))
		}
		return nil
	}
	if len(open) == 0 {
		return nil
	}
	var names, others []string
	for i, d := range open {
		note(&names, d.name)
		if i > 0 && i <= mostShown {
			others = append(others, d.where)
		}
	}
	also := ""
	if len(others) > 0 {
		also = "; likewise " + strings.Join(others, ", ")
		if more := len(open) - 1 - len(others); more > 0 {
			also += fmt.Sprintf(" and %d more", more)
		}
	}
	d := open[0]
	return fmt.Errorf("%s: not supported, and it may protect something: %s%s; to start without that, write ignore-unsupported = %s",
		d.where, d.instead, also, strings.Join(names, ","))
}

// mostShown bounds the places that one error names besides the first.
const mostShown = 9
