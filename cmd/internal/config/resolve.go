package config

import (
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// Profiles are the kinds of profile that the profile option knows.
var Profiles = []string{"cpu", "mem", "allocs", "heap", "mutex", "block", "goroutine", "threads", "clock", "trace"}

// resolve gives the options their meaning. Options that inherit brings in are
// appended to the list and so come last.
func resolve(list *ini.List, w ini.World) (*Config, error) {
	r := &resolver{Config: defaults(), list: list, world: w, told: map[string]bool{}}
	for i := 0; i < len(list.Entries); i++ {
		e := list.Entries[i]
		o := option.Lookup(e.Key)
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
		if o.Kind == option.Action && e.Settled {
			continue // package ini did what it says
		}
		if err := r.apply(o.Name, e); err != nil {
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
		return ini.Unknown(e, true)
	case !r.list.Used(e.Key) && !r.told[e.Key]:
		r.told[e.Key] = true
		r.list.Warnf("%v", ini.Unknown(e, false))
	}
	return nil
}

// finish settles what depends on several options.
func (r *resolver) finish() error {
	for i := range r.Listens {
		if r.Listens[i].Protocol == "" {
			r.Listens[i].Protocol = r.Protocol
		}
	}
	if r.Processes == 0 {
		r.Processes = 1
		r.list.Warnf("processes: 0 is too few, so one is run")
	}
	r.Threads = max(1, r.Threads)
	if err := r.checkCheaper(); err != nil {
		return err
	}
	if r.Mercy == 0 {
		r.Mercy = defaults().Mercy
	}
	if r.HarakiriSignal != 0 && r.HarakiriMercy == 0 {
		r.HarakiriSignal = 0
		r.list.Warnf("harakiri-graceful-signal: no signal is sent without harakiri-graceful-timeout, as in uWSGI")
	}
	if r.MaxLifetime > 0 && r.MaxLifetime <= r.MinLifetime {
		return fmt.Errorf("max-worker-lifetime: %d seconds must be more than min-worker-lifetime, which is %d", r.MaxLifetime/time.Second, r.MinLifetime/time.Second)
	}
	if r.BufferSize > maxBufferSize {
		r.list.Warnf("buffer-size: %d is more than can be asked for, %d holds", r.BufferSize, maxBufferSize)
	}
	r.BufferSize = min(max(r.BufferSize, minBufferSize), maxBufferSize)
	if r.LimitBuffers > 0 {
		r.LimitBuffers = max(r.LimitBuffers, minBuffers)
	}
	if r.Action == Run && len(r.list.Entries) == 0 {
		r.Action = Usage
	}
	for i := range r.Crons {
		if r.Crons[i].Harakiri == 0 {
			r.Crons[i].Harakiri = r.cronHarakiri
		}
	}
	if err := r.checkVariables(); err != nil {
		return err
	}
	if r.Daemonize != "" {
		r.LogTo = r.Daemonize
	}
	r.Entries = r.list.Entries
	return nil
}
