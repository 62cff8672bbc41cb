package config

import (
	"slices"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// Renew reads the configuration anew for a server that runs with c. The Config has new values for
// options that hold at a reload, and c's for all others. waiting names those of the others that
// have changed: they wait for a restart.
func (c *Config) Renew(args, environ []string, w ini.World) (next *Config, waiting []string, err error) {
	w.Reload = true
	read, err := Load(args, environ, w)
	if err != nil {
		return nil, nil, err
	}
	list := ini.New(w, Options)
	for _, e := range c.Entries {
		if kept(e) == atRestart {
			list.Entries = append(list.Entries, e)
		}
	}
	for _, e := range read.Entries {
		if kept(e) == atReload {
			list.Entries = append(list.Entries, e)
		}
	}
	if next, err = resolve(list, w); err != nil {
		return nil, nil, err
	}
	if c.Named != "" {
		if err := next.quick(c.Named, w); err != nil {
			return nil, nil, err
		}
	}
	next.Links = c.Links
	before, now := given(c.Entries), given(read.Entries)
	for _, o := range Options.Rows() {
		if rowOf[o.Name].holds == atRestart && rowOf[o.Name].set != nil && !slices.Equal(before[o.Name], now[o.Name]) {
			waiting = append(waiting, o.Name)
		}
	}
	return next, waiting, nil
}

// kept says when a change of the entry's option holds. The entries already have what inherit has
// read, so it does not act twice.
func kept(e ini.Entry) holds {
	o := Options.Lookup(e.Key)
	if o == nil || o.Name == "inherit" || rowOf[o.Name] == nil {
		return never
	}
	return rowOf[o.Name].holds
}

// given returns the values of each option by its own name, in order.
func given(entries []ini.Entry) map[string][]string {
	found := map[string][]string{}
	for _, e := range entries {
		if o := Options.Lookup(e.Key); o != nil {
			found[o.Name] = append(found[o.Name], e.Value)
		}
	}
	return found
}
