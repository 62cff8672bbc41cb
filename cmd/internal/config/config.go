// Package config makes one configuration of the command line, the UWSGI_* environment and ini
// files. It reads them as uWSGI does: first the environment, then the command line from left to
// right with ini files in place, then files given by position. Of an option that is given twice the
// last value holds.
//
// Package ini says how files are read. This package has the options: their names, their values'
// meanings, and their defaults.
package config

import "github.com/uwsgo/uwsgo/cmd/internal/ini"

// Action is what the command line asks for.
type Action uint8

// The actions. All but Run print something and exit with 0; Usage exits with 1, because nothing was
// asked for.
const (
	Run     Action = iota // serve
	Help                  // --help: Options.WriteHelp
	Version               // --version: VersionLine
	Usage                 // nothing to do: UsageText
	Signal                // --stop and its like: the signal for the process of a pid file
	Read                  // --connect-and-read
)

// Config is a complete configuration. Nothing changes it after Load, so any goroutine may read it.
// It has a part for each table of options.
type Config struct {
	Action Action

	ListenConfig
	TLSConfig
	AppConfig
	PythonConfig
	ProcessConfig
	CheaperConfig
	HarakiriConfig
	RecyclingConfig
	LifeConfig
	MuleConfig
	StoreConfig
	SpoolerConfig
	SystemConfig
	CompanionConfig
	NameConfig
	HookConfig
	RouteConfig
	ProxyConfig
	RequestConfig
	FileConfig
	CacheConfig
	LogConfig
	AlarmConfig
	MetricConfig
	StatsConfig
	EmperorConfig
	ReadingConfig

	// Warnings tell of mistakes, and of values that do not hold. Each is one line without the word
	// warning.
	Warnings []string
	// Quick says how an app without an address is served; empty for others.
	Quick string
	Named string // the app as named by position; empty for none
	// Losses are the options that are accepted and do not do what they ask for.
	Losses Losses
	// Lost are entries of options that are there, whose function is missing all the same.
	Lost []Lost
	// Entries are all options as given, after expansion.
	Entries []ini.Entry
}

// Lost is an entry whose function is missing.
type Lost struct {
	ini.Entry
	Name    string // of what is lost: an option, option:action for rules, or plugin and its name
	Instead string // why, and what to do
}

// Losses are the names of options that do not do what they do in uWSGI, each once, in their order,
// by what is lost. Rules of routes are option:action.
type Losses struct {
	Unprotected []string // what they protect is open, by ignore-unsupported
	Function    []string // their function is missing
	Changed     []string // it is done in another way
	Harmless    []string // it need not be done
}
