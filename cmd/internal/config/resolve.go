package config

import (
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// resolve gives the options their meaning. Options that inherit brings in are
// appended to the list and so come last.
func resolve(list *ini.List, w ini.World) (*Config, error) {
	r := &resolver{Config: defaults(), list: list, world: w, told: map[string]bool{}}
	for i := 0; i < len(list.Entries); i++ {
		e := list.Entries[i]
		o := Options.Lookup(e.Key)
		if o == nil {
			if err := r.unknown(e); err != nil {
				return nil, err
			}
			continue
		}
		if e.Settled && !o.Immediate {
			continue // a placeholder that has the name of an option of ours
		}
		if routes, label, always := option.Routes(o.Name); routes && !o.Status.Supported() {
			if err := r.rule(e, label, always); err != nil {
				return nil, err
			}
			continue
		}
		if !o.Status.Supported() {
			r.lose(o, e)
			continue
		}
		if err := r.apply(o, e); err != nil {
			return nil, err
		}
	}
	if err := r.finish(); err != nil {
		return nil, err
	}
	return r.Config, r.shut()
}

// resolver is a configuration in the making.
type resolver struct {
	*Config
	list     *ini.List
	world    ini.World
	told     map[string]bool // options that a warning was given for
	mercySet bool            // by worker-reload-mercy
	// cronHarakiri holds for jobs without a time of their own.
	cronHarakiri time.Duration
	hooks        int // of Hooks, those of hook-STAGE, which stand first
	doors        []door
	given        map[string]ini.Entry // up, by ignore-unsupported
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
	if set := rowOf[o.Name].set; set != nil {
		return set(r, e)
	}
	return nil // package ini did what it says
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
