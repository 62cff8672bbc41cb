package config

import (
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/cmd/internal/stores"
)

// resolve gives the options their meaning. Options that inherit brings in are
// appended to the list and so come last.
func resolve(list *ini.List, w ini.World) (*Config, error) {
	r := newResolver(list, w)
	err := r.resolve()
	if !r.whole {
		return nil, err
	}
	return r.Config, err
}

func newResolver(list *ini.List, w ini.World) *resolver {
	return &resolver{Config: defaults(), list: list, world: w, told: map[string]bool{}}
}

// resolve does what all options say.
func (r *resolver) resolve() error {
	for i := 0; i < len(r.list.Entries); i++ {
		if err := r.mistake(r.entry(r.list.Entries[i])); err != nil {
			return err
		}
	}
	if err := r.mistake(r.finish()); err != nil {
		return err
	}
	r.whole = true
	return r.shut()
}

// mistake takes note of an error where all are asked for, and returns it where not.
func (r *resolver) mistake(err error) error {
	if err == nil || r.mistakes == nil {
		return err
	}
	*r.mistakes = append(*r.mistakes, err)
	return nil
}

// entry does what one option says.
func (r *resolver) entry(e ini.Entry) error {
	o := Options.Lookup(e.Key)
	if o == nil {
		return r.unknown(e)
	}
	if e.Settled && !o.Immediate {
		return nil // a placeholder that has the name of an option of ours
	}
	if !o.Status.Supported() {
		r.lose(o, e)
		return nil
	}
	return r.apply(o, e)
}

// resolver is a configuration in the making.
type resolver struct {
	oldCache stores.Cache // of the options for a cache without a name
	*Config
	list     *ini.List
	world    ini.World
	told     map[string]bool // options that a warning was given for
	mercySet bool            // by worker-reload-mercy
	// cronHarakiri holds for jobs without a time of their own.
	cronHarakiri time.Duration
	hooks        int // of Hooks, those of hook-STAGE, which stand first
	doors        []door
	alarms       []ini.Entry          // that make and raise alarms
	thresholds   []ini.Entry          // of metrics
	httpTo       []ini.Entry          // by http-to
	backendHTTP  bool                 // they speak HTTP
	byHost       *ini.Entry           // vhost, where it is on
	given        map[string]ini.Entry // up, by ignore-unsupported
	whole        bool                 // all options have been read
	async        int                  // as given: loop = gevent makes it Greenlets
	loop         bool                 // loop = gevent
	mistakes     *[]error             // where all are asked for; else nil
}

// unknown handles a key that is no option: a placeholder, or a mistake.
func (r *resolver) unknown(e ini.Entry) error {
	switch {
	case e.Settled:
		return nil
	case r.list.Strict():
		return r.list.Unknown(e, true)
	case !r.list.Used(e.Key) && !r.told[e.Key]:
		r.told[e.Key] = true
		r.list.Warnf("%v", r.list.Unknown(e, false))
	}
	return nil
}

// apply sets what one option asks for.
func (r *resolver) apply(o *option.Option, e ini.Entry) error {
	set := rowOf[o.Name].set
	if set == nil {
		return nil // package ini did what it says
	}
	if e.Settled { // uWSGI has read it before anything was filled in
		filled, err := r.list.Filled(e)
		if err != nil {
			return err
		}
		e.Value = filled
	}
	err := set(r, e)
	if why := noNumber(o, e); err != nil && why != "" {
		r.list.Warnf("%s: %q %s, so it is left out, as in uWSGI", e.Origin.Name(e.Key), e.Value, why)
		return nil
	}
	return err
}

// noNumber says why the value of an option that is a number was not meant as one; empty
// where it was, or the option is none. uWSGI reads such a value as 0, which is off in most.
func noNumber(o *option.Option, e ini.Entry) string {
	switch o.Kind {
	case option.Int, option.Plain, option.Percent, option.Size, option.Megabytes, option.Seconds, option.Fraction:
	default:
		return ""
	}
	word, _, _ := strings.Cut(strings.TrimLeft(e.Value, blanks), " ")
	switch strings.ToLower(strings.TrimRight(word, ";")) {
	case "":
		return "is no number"
	case "true", "yes", "on", "false", "no", "off", "none", "null":
		return "is a word and no number"
	}
	if strings.HasPrefix(word, "$(") {
		return "is no number: the environment has no such variable"
	}
	return ""
}

// finish settles what depends on several options.
func (r *resolver) finish() error {
	for _, t := range tables {
		if t.settle == nil {
			continue
		}
		if err := t.settle(r); err != nil {
			return err
		}
	}
	if r.Action == Run && len(r.list.Entries) == 0 {
		r.Action = Usage
	}
	r.Entries = r.list.Entries
	return nil
}
