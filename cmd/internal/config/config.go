// Package config makes one resolved configuration of the command line, the
// UWSGI_* environment and ini files, as uWSGI reads them: the environment first,
// then the command line from left to right with ini files in place, then files
// given by position; of an option that is given twice the last value holds.
//
// Package option says which options there are, package ini how files are read;
// here is what the values mean and what holds without them.
package config

import (
	"io/fs"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/handler/route"
)

// Action is what the command line asks for.
type Action uint8

// The actions. All but Run print something and exit with code 0; Usage exits
// with 1, as nothing was asked for.
const (
	Run     Action = iota // serve
	Help                  // --help: option.WriteHelp
	Version               // --version: VersionLine
	Usage                 // there is nothing to do: UsageText
	Signal                // --stop and its like: the signal for the process of a pid file
	Read                  // --connect-and-read
)

// Protocol is what is spoken on an address.
type Protocol string

// The protocols that an address can have.
const (
	HTTP  Protocol = "http"
	Uwsgi Protocol = "uwsgi"
)

// Listen is one address to listen on.
type Listen struct {
	Addr     string // host:port, :port, [v6]:port, a path, or @name; not parsed here
	Protocol Protocol
	Option   string // the option that asked for it, as written: http, http-socket, …
	Where    string // its origin for messages, like "app.ini:3: http"
}

// Mount is an app below a path.
type Mount struct {
	Prefix string // begins with a slash
	App    string // module:callable, or a file
	Where  string // its origin for messages
}

// StaticMap serves the files of a directory, or one file, below a path.
type StaticMap struct {
	Prefix     string
	Path       string
	KeepPrefix bool // it is part of the file's name
}

// Hook is a command that is run at a stage of the server's life.
type Hook struct {
	Stage   string // one of option.Stages, or master-start
	Command string // for a shell
	Safe    bool   // it may fail
	Where   string // its origin for messages
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

// Env is an environment variable for the app, or with Unset one that it does not get.
type Env struct {
	Name, Value string
	Unset       bool
}

// Config is a resolved configuration. Nothing changes it once Load has returned
// it, so every goroutine may read it; a reload makes a new one.
type Config struct {
	Action Action

	// Where to listen, in the order given.
	Listens     []Listen
	Protocol    Protocol    // of sockets that a service manager passes and no Listen names
	Backlog     int         // connections waiting to be accepted; 0 for what the kernel allows
	ChmodSocket fs.FileMode // mode of unix sockets; 0 leaves it to the umask
	ChownSocket string      // user[:group] of unix sockets; empty leaves it

	// What to run.
	Module            string // module[:callable]; Module and WSGIFile can both be empty
	WSGIFile          string // relative to Chdir
	Callable          string // never empty
	Mounts            []Mount
	ManageScriptName  bool
	NeedApp           bool // end with exit code 22 when an app does not load
	LazyApps          bool
	ImportOnce        bool // lazy-apps = false was given: whatever threads the import starts
	SingleInterpreter bool

	// Python.
	Virtualenv string
	PythonPath []string // in the order given; each goes in front of sys.path
	PyArgv     string   // words of sys.argv after the program's name
	Env        []Env
	// Links are the directories of configuration files that were named by way of links.
	Links      []ini.Link
	Chdir      string
	AutoReload bool // when Python code changes
	// AutoReloadIgnore are the modules whose files do not count.
	AutoReloadIgnore []string

	// Processes.
	Master          bool
	Processes       int // at least 1
	Threads         int // per process, at least 1
	Cheaper         worker.Cheaper
	EnableThreads   bool
	Harakiri        time.Duration // 0 for no limit
	HarakiriVerbose bool
	HarakiriMercy   time.Duration  // for the other requests of a worker; 0 for Mercy
	HarakiriSignal  syscall.Signal // that the worker gets first; 0 for none
	Routes          []*route.Rule  // of requests, in the order in which they are followed
	DieOnTerm       bool           // as asked; the server stops on SIGTERM regardless
	Vacuum          bool
	// When workers are replaced; 0 for never.
	MaxRequests, MaxRequestsDelta              int64
	MaxLifetime, MaxLifetimeDelta, MinLifetime time.Duration
	ReloadOnRSS, ReloadOnAS, EvilRSS, EvilAS   int64 // bytes
	LimitAS                                    int64 // bytes of address space of a worker; 0 for no limit
	// Mercy is how long requests may go on at a reload or a stop.
	Mercy            time.Duration
	DrainDelay       time.Duration // of serving as usual before a stop
	ReadyPath        string        // where the server tells whether it takes requests
	TouchReload      []string      // files, relative to Chdir
	TouchChainReload []string

	// User, daemon, service manager.
	UID, GID      string // names or numbers; empty leaves them
	AddGID        []string
	NoInitgroups  bool
	ImmediateDrop bool   // become UID and GID before anything else
	Umask         int    // -1 leaves it
	Chroot        string // empty for none
	PidFile       string // these are written when the addresses are bound,
	PidFile2      string // when UID and GID hold,
	SafePidFile   string // and when the apps are loaded
	SafePidFile2  string
	Daemonize     string // the log of a server in the background; empty for the foreground
	DaemonShow    bool   // show what was logged at the start

	Hooks []Hook // in the order in which those of one stage are run

	Procnames  Procnames
	Fifos      []string // named pipes that take commands
	Companions []companion.Spec
	Crons      []cron.Job

	// What Signal and Read are for.
	Signal string // stop, reload or pause
	Target string // a pid file, or an address

	// Requests and limits.
	BufferSize    int           // bytes of a request head, 32 KiB to 1 MiB
	HTTPTimeout   time.Duration // silence of an HTTP client within a request
	SocketTimeout time.Duration // silence of a uwsgi client within a request
	KeepAlive     time.Duration // idle time of an HTTP connection; 0 closes after each request
	QueueSize     int           // requests that may wait for a worker; 0 for none
	QueueTimeout  time.Duration // how long each may; 0 for ever
	Lanes         bool          // keep slow routes from taking every thread
	LimitPost     int64         // bytes of a request body; 0 for no limit
	LimitBuffers  int64         // bytes of all connections; 0 for the server's choice
	PostBuffering int64         // bytes of a body kept in memory; 0 for the server's choice

	// Files and compression.
	StaticMaps  []StaticMap
	CheckStatic []string // directories
	StaticIndex []string // file names
	StaticSkip  []string // ends of names of files that are not served
	StaticSafe  []string // directories that links may lead to
	AddHeader   []string // "Name: value" for every response
	RemHeader   []string // names of headers that no response gets
	Compress    bool
	HTTPGzip    bool // compress what the app marks with uWSGI-Encoding: gzip

	// Logs and statistics.
	LogRequests  bool     // false with disable-logging
	LogFormat    string   // empty for uWSGI's line
	LogTo        string   // a file; empty for standard error
	Stats        string   // address of the stats server
	StatsHTTP    bool     // it waits for HTTP requests
	StatsHosts   []string // names it answers to beside addresses and localhost
	StatsMin     bool     // without line breaks and tabs
	StatsNoCores bool
	Profile      string // kind of Go profile to write, one of Profiles

	// Configuration.
	Show    bool // call ShowConfig before serving
	Strict  bool
	Plugins []string

	// Warnings tell of mistakes and of values that do not hold. Each is one line without
	// the word warning.
	Warnings []string
	// Losses are the options that were accepted without doing what they ask for.
	Losses Losses
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

// HasApp reports whether there is an app to run.
func (c *Config) HasApp() bool {
	return c.Module != "" || c.WSGIFile != "" || len(c.Mounts) > 0
}

// HasFiles reports whether there are files to serve.
func (c *Config) HasFiles() bool {
	return len(c.StaticMaps) > 0 || len(c.CheckStatic) > 0
}

// The smallest and the largest request head that can be configured, in bytes.
const (
	minBufferSize = 32 << 10
	minBuffers    = 1 << 20
	maxBufferSize = 1 << 20
)

// maxQueueSize is a bit less than what one event loop can tell apart.
const maxQueueSize = 60_000

// maxProcesses and maxThreads refuse a typing error before it forks.
const (
	maxProcesses = 10_000
	maxThreads   = 10_000
)

// defaults is what holds when nothing is given.
func defaults() *Config {
	return &Config{
		Protocol:      Uwsgi,
		Callable:      "application",
		NeedApp:       true,
		Processes:     1,
		Threads:       1,
		Umask:         -1,
		EnableThreads: true,
		DieOnTerm:     true,
		BufferSize:    minBufferSize,
		HTTPTimeout:   60 * time.Second,
		SocketTimeout: 60 * time.Second,
		KeepAlive:     125 * time.Second, // as engine.DefaultIdleTimeout
		Mercy:         60 * time.Second,
		MinLifetime:   10 * time.Second,
		QueueSize:     16 << 10,
		Lanes:         true,
		LogRequests:   true,
	}
}
