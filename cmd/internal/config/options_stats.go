package config

import (
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// StatsConfig is about the stats of the server.
type StatsConfig struct {
	Stats        string   // address of the stats server
	StatsHTTP    bool     // it expects HTTP requests
	StatsHosts   []string // names that it answers to, besides addresses and localhost
	StatsMin     bool     // without line breaks and tabs
	StatsNoCores bool
	Profile      string // kind of Go profile to write, one of Profiles
}

// Profiles are the kinds of profile that the profile option knows.
var Profiles = []string{"cpu", "mem", "allocs", "heap", "mutex", "block", "goroutine", "threads", "clock", "trace"}

var statsRows = []row{
	{
		Option: option.Option{
			Name: "stats", Aliases: []string{"stats-server"}, Kind: option.Text, Arg: "ADDR", Status: option.Same,
			Help: "send statistics as JSON to whoever connects to this address",
		},
		set: func(r *resolver, e ini.Entry) error {
			err := setText(&r.Stats, e, "an address")
			r.Stats = address(r.Stats)
			return err
		},
	},
	{
		Option: option.Option{
			Name: "stats-http", Kind: option.Flag, Status: option.Differs,
			Help: "wait for an HTTP request on the address of --stats before the answer",
			Note: "Without it a request that comes at once gets an HTTP answer as well. Pages of other sites cannot read the answer; uWSGI lets them (`Access-Control-Allow-Origin: *`).",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.StatsHTTP, e) },
	},
	{
		Option: option.Option{
			Name: "stats-host", Kind: option.List, Arg: "NAME", Status: option.Own,
			Help: "answer HTTP requests to the address of --stats for this host name, too; by default only for addresses and localhost",
			Note: "The check stops web pages that point their own name at the server (DNS rebinding).",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.StatsHosts, e, "a host name") },
	},
	{
		Option: option.Option{
			Name: "stats-minified", Aliases: []string{"stats-min"}, Kind: option.Flag, Status: option.Same,
			Help: "send statistics without line breaks and tabs",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.StatsMin, e) },
	},
	{
		Option: option.Option{
			Name: "stats-no-cores", Kind: option.Flag, Status: option.Same,
			Help: "leave the cores of the workers out of the statistics",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.StatsNoCores, e) },
	},
	{
		Option: option.Option{
			Name: "profile", Kind: option.Text, Arg: "WHAT", Status: option.Own,
			Help: "write a Go profile: cpu, mem, allocs, heap, mutex, block, goroutine, threads, clock or trace",
			Note: "For work on uwsgo itself.",
		},
		set: (*resolver).profile,
	},
}

func (r *resolver) profile(e ini.Entry) error {
	err := oneOf(e, Profiles)
	if err == nil {
		r.Profile = e.Value
	}
	return err
}
