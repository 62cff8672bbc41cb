package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// MuleConfig has the mules: processes that wait for messages and signals, or run code of
// their own.
type MuleConfig struct {
	Mules        []string // what each runs: a file, module:function; anything else waits
	Farms        []Farm
	MuleHarakiri time.Duration
	MuleMercy    time.Duration
	MuleMsgSize  int64 // of the queues of messages; 0: the system's
	TouchMules   []string
}

// Farm is a group of mules, by number.
type Farm struct {
	Name  string
	Mules []int
	Where string // its origin for messages
}

// mostMules bounds the mules, each of which is a process.
const mostMules = 1024

var muleDefaults = MuleConfig{MuleMercy: time.Minute}

var muleRows = []row{
	{
		Option: option.Option{
			Name: "mule", Kind: option.List, Arg: "FILE|MODULE:FUNCTION", Optional: true, Status: option.Differs,
			Help: "add a mule: a process that runs this file or calls this function; without a value it waits for messages and signals",
			Note: "A mule that keeps ending soon is started again after a pause, which grows to a minute. At a reload and a stop it finishes its message or signal within `mule-reload-mercy`. With lazy-apps a mule that waits imports the app, too.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.addMules(e, []string{strings.TrimSpace(e.Value)}) },
	},
	{
		Option: option.Option{
			Name: "mules", Kind: option.Int, Arg: "N", Status: option.Same,
			Help: "add N mules that wait for messages and signals",
		},
		set: func(r *resolver, e ini.Entry) error {
			var n int
			if err := setNumber(&n, e, mostMules); err != nil {
				return err
			}
			return r.addMules(e, make([]string, n))
		},
	},
	{
		Option: option.Option{
			Name: "farm", Kind: option.List, Arg: "NAME:MULE,MULE", Status: option.Same,
			Help: "group mules by their numbers; one of them takes each message or signal for the farm",
		},
		set: (*resolver).farm,
	},
	{
		Option: option.Option{
			Name: "mule-harakiri", Kind: option.Seconds, Arg: "SECONDS", Status: option.Same,
			Help: "kill a mule when the function of a signal runs longer",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.MuleHarakiri, e) },
	},
	{
		Option: option.Option{
			Name: "mule-reload-mercy", Kind: option.Seconds, Arg: "SECONDS", Default: "60", Status: option.Same,
			Help: "how long a mule may take to end at a reload or a stop before it is killed",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.MuleMercy, e) },
	},
	{
		Option: option.Option{
			Name: "mule-msg-size", Kind: option.Size, Arg: "BYTES", Status: option.Same,
			Help: "the size of each mule message queue, and so the largest message",
		},
		set: func(r *resolver, e ini.Entry) error {
			if err := setSize(&r.MuleMsgSize, e); err != nil {
				return err
			}
			if r.MuleMsgSize > math.MaxInt32 {
				return e.Origin.Errorf(e.Key, "%q is more than a queue can have", e.Value)
			}
			return nil
		},
	},
	{
		Option: option.Option{
			Name: "touch-mules-reload", Kind: option.List, Arg: "FILE", Status: option.Same,
			Help: "replace the mules when this file is touched",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.TouchMules, e, "a file name") },
	},
}

func (r *resolver) addMules(e ini.Entry, what []string) error {
	if len(r.Mules)+len(what) > mostMules {
		return e.Origin.Errorf(e.Key, "these are more than the %d mules that there may be", mostMules)
	}
	r.Mules = append(r.Mules, what...)
	return nil
}

func (r *resolver) farm(e ini.Entry) error {
	name, list, found := strings.Cut(e.Value, ":")
	f := Farm{Name: strings.TrimSpace(name), Where: e.Origin.Name(e.Key)}
	for part := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || f.Name == "" || !found {
			return e.Origin.Errorf(e.Key, "%q is no name and mules: write farm = NAME:1,2", e.Value)
		}
		f.Mules = append(f.Mules, n)
	}
	if slices.ContainsFunc(r.Farms, func(other Farm) bool { return other.Name == f.Name }) {
		return e.Origin.Errorf(e.Key, "there is a farm named %q", f.Name)
	}
	r.Farms = append(r.Farms, f)
	return nil
}

func (r *resolver) settleMules() error {
	for _, f := range r.Farms {
		for _, n := range f.Mules {
			if n < 1 || n > len(r.Mules) {
				return fmt.Errorf("%s: there is no mule %d, as there are %d: add mule or mules", f.Where, n, len(r.Mules))
			}
		}
	}
	return nil
}
