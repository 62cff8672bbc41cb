package launch

import (
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/engine/internal/printable"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
	"github.com/uwsgo/uwsgo/engine/internal/segment"
	"github.com/uwsgo/uwsgo/engine/worker/control"
)

// App is a WSGI app: what to import, and the callable in it.
type App struct {
	Mount    string // mountpoint, such as /shop; empty for the default app
	File     string // wsgi-file: run as a module named uwsgi_file_<path>
	Module   string // module, or module:callable; used instead of File
	Callable string // in the file or module; default "application"; "name()" is called to get the app

	// Paste, Pecan and Eval, where not empty, make the app in another way: that of a
	// PasteDeploy URI, such as config:/srv/production.ini, where Callable is the name of its
	// app; that of a configuration file of Pecan's; and Python code that has the callable.
	Paste, Pecan, Eval string
}

// Way returns what the shim makes the app from, and how.
func (a App) Way() (from, how string) {
	switch {
	case a.Module != "":
		return "", ""
	case a.File != "":
		return a.File, ""
	case a.Pecan != "":
		return a.Pecan, "pecan"
	case a.Paste != "":
		return a.Paste, "paste"
	}
	return a.Eval, "eval"
}

// String returns the app as it would be given on the command line.
func (a App) String() string {
	s, how := a.Way()
	if a.Module != "" {
		s = a.Module
	}
	if how == "eval" {
		s = "the code of eval"
	}
	if a.Callable != "" && !strings.Contains(a.Module, ":") {
		s += ":" + a.Callable
	}
	if a.Mount != "" {
		s = a.Mount + "=" + s
	}
	return s
}

// Exceptions say what is done about what apps raise while they answer.
type Exceptions struct {
	// Tell has the client get the traceback, with status 500, where the answer has not
	// begun. For development: it shows what the app is made of.
	Tell bool
	// Any has the process replaced after each exception, the others after one whose class,
	// text, or "class: text" is in the list. It finishes the requests that it has.
	Any                   bool
	Types, Values, Traces []string
}

// Import is a module that is imported before the apps, or a file with a slash or .py in it.
type Import struct{ Option, What string }

// Step is something that a process does before it serves: one of its fields says what.
type Step struct {
	Command string // for a shell
	Chdir   string // the directory to go to
	Setenv  string // NAME=VALUE to set, or NAME to take away
}

// Gevent says how gevent is used.
type Gevent struct {
	Early bool // gevent.monkey.patch_all() is called before the apps are imported
	Patch bool // likewise in each worker, before it serves
	Wait  bool // a process that has finished its requests waits for all other greenlets
}

// WriteErrors says what an app hears of a client that has gone while it answers. By default
// write() raises OSError, and an iterable is closed without having come to its end.
type WriteErrors struct {
	Silent   bool // write() raises nothing
	Tolerant bool // likewise, and an iterable is read to its end
	Thrown   bool // OSError is raised where a generator stands; an iterable is read to its end
}

// Config says which apps are run and how. Loops is needed; zero values of the rest
// are sensible.
type Config struct {
	Python     string // interpreter; default: FindPython("")
	PythonFrom string // where that path is from, for messages: one of the From constants
	Dir        string // working directory of the apps; default: the server's
	StartedIn  string // where the server was started: what relative paths may have been meant from, for messages
	// Anew, where not nil, is called before each generation with a copy of this, to find
	// anew what may have moved or changed: it may set Python, PythonFrom, Dir, PythonPath,
	// Env and Argv. Its error ends the start, or the reload. One goroutine at a time calls it.
	Anew       func(*Config) error
	Env        []string // of the Python processes, as K=V; nil for the server's own
	PythonPath []string // each put in front of sys.path, after "."
	Argv       []string // sys.argv after "uwsgi"
	Optimize   int      // Python's level of optimization: 1 is -O, 2 is -OO
	// Imports are imported before the apps are. What fails is logged.
	Imports []Import
	Apps    []App
	// PasteLogger has the logging of a PasteDeploy file set up before its app is made.
	PasteLogger bool
	// Exceptions say what is done about what apps raise, besides the traceback in the log.
	Exceptions Exceptions
	// Affinity is on how many processors each worker runs, 0 for all (Linux). Worker 2 has
	// those behind the ones of worker 1, and so on, from the first again after the last.
	Affinity int
	// NoFileWrapper leaves wsgi.file_wrapper out of the environ.
	NoFileWrapper bool
	Processes     int // default 1
	Threads       int // of each process; default 1
	// Slots is how many requests each thread may have at a time; default 1. More is for
	// threads that are hubs of greenlets: each slot is a core, with a claim of its own.
	Slots int
	// Gevent has the requests of each process run in greenlets of gevent, which the Python
	// of the apps needs to have, one for each of its Slots; nil for threads.
	Gevent   *Gevent
	Cheaper  Cheaper
	LazyApps bool // each worker imports the apps for itself, after the fork
	// ImportOnce has the zygote import the apps even where that starts threads. They run
	// there and in no worker. Without it each worker imports such apps for itself, as with
	// LazyApps: a fork leaves threads behind, and whatever they hold locked. On PyPy that
	// is always so.
	ImportOnce bool
	// Backgrounds are processes beside the workers.
	Backgrounds []Background
	// PostFork is what each worker process does, one after another, once it has been forked,
	// before it serves. What fails ends the process.
	PostFork []Step
	// NeedApp has Start fail when an app cannot be loaded. Else such an app answers
	// 500, as in uWSGI. A reload that cannot load an app fails either way.
	NeedApp bool
	// Harakiri is how long a request may run, counted from when a worker takes it.
	// Then its client gets an answer, and its process, whose thread cannot be stopped,
	// is replaced: a successor is started, the requests of other threads end, and it is
	// killed. 0 means for ever; it is looked at four times a second or more.
	Harakiri time.Duration
	// HarakiriLeast is the shortest of the times that requests have of their own, see
	// worker.Job; 0: none has one.
	HarakiriLeast time.Duration
	// HarakiriMercy is how long those requests may take; default: Mercy.
	HarakiriMercy time.Duration
	// HarakiriSignal, where not 0, is sent to the process of a late request, once, so that
	// the app can tell what it was doing or give up. Then the late request, too, has
	// HarakiriMercy to end, unless the pool is being stopped. That should be short, as a
	// worker has room for four processes. An app that does not handle the signal may be
	// ended by it, and other requests of the process with it.
	HarakiriSignal syscall.Signal
	// HarakiriVerbose logs the system call in which the thread is, too (Linux).
	HarakiriVerbose bool
	// WriteErrors says what apps hear of clients that have gone.
	WriteErrors WriteErrors
	// Limits say when processes are replaced.
	Limits Limits
	// LimitAS bounds the address space of each process in bytes, as RLIMIT_AS does.
	LimitAS int64
	// Mercy is how long a process that is replaced may go on with the requests that it
	// has before it is killed. Default: 60 s.
	Mercy time.Duration
	// Imported, where not nil, is told the files of the modules that the apps import, as
	// they do; not those of the standard library and site-packages, nor of the modules
	// named in Unwatched. The supervisor calls it, which waits meanwhile.
	Imported  func(files []string)
	Unwatched []string
	// Queue bounds the requests that wait for a worker, over all loops; more get
	// worker.ErrQueueFull. Default 16384; negative: none waits.
	Queue int
	// QueueTimeout bounds how long a request waits for a worker. One that has waited for
	// longer is never run, and one that would have to is refused at once: they get
	// worker.ErrQueueTimeout. 0 means for ever.
	QueueTimeout time.Duration
	// NoLanes lets slow routes take every thread. Without it, where there are two threads
	// or more, those that have proved slow hold at most three quarters of them while
	// there are fast ones. See worker.Job.
	NoLanes bool
	// StreamMode gives each thread its requests on its own stream, as it is done where
	// the system has no SOCK_SEQPACKET, so that this can be tested elsewhere.
	StreamMode bool

	// Bodies is the memory in which the server has bodies, which processes map; nil for none.
	Bodies *segment.Pool
	Loops  []*reactor.Handle // those that have a Port; at most worker.MaxLoops
	Log    func(line string) // gets uWSGI's log lines, from any goroutine; default: none
	Stdin  *os.File          // stdin of the apps; default: /dev/null
	Stderr *os.File          // stdout and stderr of the apps; default: os.Stderr
	// Names are what ps shows for the zygote and, by number, for the workers (Linux);
	// empty leaves theirs.
	Names   []string
	Version string // uwsgi.version in the environ
	// Control has the services that the uwsgi module of the apps calls; default: none.
	Control *control.Hub
	// Module is what the uwsgi module tells without asking.
	Module Module
}

// LoadedApp is one of [Config].Apps after the start.
type LoadedApp struct {
	App     App
	Seconds float64 // that importing took
	Reason  string  // why it could not be loaded; empty when it was
}

// Initial returns how many workers run at the start.
func (c *Config) Initial() int {
	if c.Cheaper.Min == 0 {
		return c.Processes
	}
	return c.Cheaper.Initial
}

// LateAfter returns the time that no request can be late before; 0: none can.
func (c *Config) LateAfter() time.Duration {
	if c.Harakiri > 0 && (c.HarakiriLeast <= 0 || c.Harakiri < c.HarakiriLeast) {
		return c.Harakiri
	}
	return max(c.HarakiriLeast, 0)
}

// Say writes a line to the log. Any goroutine.
func (c *Config) Say(line string) {
	if c.Log != nil {
		c.Log(printable.Text(line, false))
	}
}

// Cores returns how many requests a process can have at a time.
func (c *Config) Cores() int { return c.Threads * max(c.Slots, 1) }
