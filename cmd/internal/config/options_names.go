package config

import (
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// NameConfig is what ps shows for the processes.
type NameConfig struct {
	Procnames Procnames
}

// Procnames are what ps shows for the processes.
type Procnames struct {
	Auto           bool // uWSGI's names, where All and Master say nothing else
	Prefix, Append string
	All, Master    string
}

// Name returns what a process is to be called that uWSGI would call usual; empty if it
// keeps its name. master says that it is the server itself.
func (p Procnames) Name(usual string, master bool) string {
	switch {
	case master && p.Master != "":
		usual = p.Master
	case p.All != "":
		usual = p.All
	case !p.Auto:
		return ""
	}
	return p.Prefix + usual + p.Append
}

var nameRows = []row{
	{
		Option: option.Option{
			Name: "auto-procname", Kind: option.Flag, Status: option.Differs,
			Help: "make ps show uWSGI master, uWSGI worker 1 and so on",
			Note: "Linux. The process that imports the app and forks the workers is `uWSGI zygote`.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Procnames.Auto, e) },
	},
	{
		Option: option.Option{
			Name: "procname-prefix", Kind: option.Text, Arg: "TEXT", Status: option.Same,
			Help: "the same, with this in front of each name",
		},
		set: func(r *resolver, e ini.Entry) error { return r.procnamePart(&r.Procnames.Prefix, e, "") },
	},
	{
		Option: option.Option{
			Name: "procname-prefix-spaced", Kind: option.Text, Arg: "TEXT", Status: option.Same,
			Help: "the same, with this and a space in front of each name",
		},
		set: func(r *resolver, e ini.Entry) error { return r.procnamePart(&r.Procnames.Prefix, e, " ") },
	},
	{
		Option: option.Option{
			Name: "procname-append", Kind: option.Text, Arg: "TEXT", Status: option.Same,
			Help: "the same, with this behind each name",
		},
		set: func(r *resolver, e ini.Entry) error { return r.procnamePart(&r.Procnames.Append, e, "") },
	},
	{
		Option: option.Option{
			Name: "procname", Kind: option.Text, Arg: "TEXT", Status: option.Same,
			Help: "the name that ps shows for every process",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Procnames.All, e, "a name") },
	},
	{
		Option: option.Option{
			Name: "procname-master", Kind: option.Text, Arg: "TEXT", Status: option.Same,
			Help: "the name that ps shows for the server itself",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Procnames.Master, e, "a name") },
	},
}

// procnamePart reads what stands in front of each name, or behind it.
func (r *resolver) procnamePart(to *string, e ini.Entry, space string) error {
	s, err := text(e, "a name")
	*to = s + space
	r.Procnames.Auto = true
	return err
}
