// Package config makes one resolved configuration of the command line, the
// UWSGI_* environment and ini files, as uWSGI reads them: the environment first,
// then the command line from left to right with ini files in place, then files
// given by position; of an option that is given twice the last value holds.
//
// Package ini says how files are read. Here are the options: what they are called, what
// their values mean, and what holds without them.
package config

import "github.com/uwsgo/uwsgo/cmd/internal/ini"

// Action is what the command line asks for.
type Action uint8

// The actions. All but Run print something and exit with code 0; Usage exits
// with 1, as nothing was asked for.
const (
	Run     Action = iota // serve
	Help                  // --help: Options.WriteHelp
	Version               // --version: VersionLine
	Usage                 // there is nothing to do: UsageText
	Signal                // --stop and its like: the signal for the process of a pid file
	Read                  // --connect-and-read
)

// Config is a resolved configuration. Nothing changes it once Load has returned
// it, so every goroutine may read it. It has a part for each table of options.
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

	// Warnings tell of mistakes and of values that do not hold. Each is one line without
	// the word warning.
	Warnings []string
	// Quick says how an app is served that was named without an address; empty for others.
	Quick string
	Named string // the app as it was named by position; empty for none
	// Losses are the options that were accepted without doing what they ask for.
	Losses Losses
	// LostRules are rules of routes whose action is missing.
	LostRules []ini.Entry
	// Entries are all options as they were given, after expansion.
	Entries []ini.Entry
}

// Losses are names of options that do not do here what they do in uWSGI, each once, in the
// order in which they were given, by what is lost. Rules of routes are option:action.
type Losses struct {
	Unprotected []string // what they protect is open, as ignore-unsupported says
	Function    []string // what they do is missing
	Changed     []string // it is done in another way
	Harmless    []string // it need not be done
}
