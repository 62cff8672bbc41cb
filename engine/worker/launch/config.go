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

	// Paste, Pecan and Eval are other sources of the app. Paste is a PasteDeploy URI, such as
	// config:/srv/production.ini; Callable then names its app. Pecan is a configuration file of
	// Pecan. Eval is Python code that defines the callable.
	Paste, Pecan, Eval string
}

// Way returns the source of the app and its kind, for the shim.
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

// Exceptions says what happens when apps raise while they answer.
type Exceptions struct {
	// Tell sends the client the traceback with status 500 if the answer has not begun. For
	// development: it reveals the app's code.
	Tell bool
	// Any replaces the process after each exception. The others do so for an exception whose
	// class, text, or "class: text" is in the list. The process finishes its requests first.
	Any                   bool
	Types, Values, Traces []string
}

// Import is a module that is imported before the apps, or a file with a slash or .py in it.
type Import struct{ Option, What string }

// Step is an action of a process before it serves. One of its fields is set.
type Step struct {
	Command string // for a shell
	Chdir   string // the directory to go to
	Setenv  string // NAME=VALUE to set, or NAME to remove
}

// WebSockets bounds the WebSockets of the uwsgi module; zero values are uWSGI's defaults.
type WebSockets struct {
	MaxSize       int // of a message, in KiB
	PingFreq      int // seconds that a client may be silent before it is asked whether it is there
	PongTolerance int // seconds that it has to answer
}

// Gevent says how gevent is used.
type Gevent struct {
	Early bool // gevent.monkey.patch_all() is called before the apps are imported
	Patch bool // likewise in each worker, before it serves
	Wait  bool // a process that has finished its requests waits for all other greenlets
}

// WriteErrors says what an app sees when its client goes during the answer. By default write()
// raises OSError, and an iterable is closed before its end.
type WriteErrors struct {
	Silent   bool // write() raises nothing
	Tolerant bool // as Silent, and an iterable is read to its end
	Thrown   bool // OSError is raised inside a generator; an iterable is read to its end
}

// Config says which apps to run and how. Loops is required; zero values of the rest are
// sensible.
type Config struct {
	Python     string // interpreter; default: FindPython("")
	PythonFrom string // the origin of that path, for messages: one of the From constants
	Dir        string // working directory of the apps; default: the server's
	StartedIn  string // the directory that the server was started in, for messages about relative paths
	// Anew, if not nil, is called before each generation with a copy of this Config, to look up
	// paths again. It may set Python, PythonFrom, Dir, PythonPath, Env and Argv. Its error ends
	// the start or the reload. One goroutine at a time calls it.
	Anew       func(*Config) error
	Env        []string // of the Python processes, as K=V; nil for the server's own
	PythonPath []string // each put in front of sys.path, after "."
	Argv       []string // sys.argv after "uwsgi"
	Optimize   int      // Python's level of optimization: 1 is -O, 2 is -OO
	// Imports are imported before the apps. Failures are logged.
	Imports []Import
	Apps    []App
	// PasteLogger sets up the logging of a PasteDeploy file before its app is made.
	PasteLogger bool
	// Exceptions says what happens when apps raise, besides the traceback in the log.
	Exceptions Exceptions
	// Affinity is how many processors each worker may use, 0 for all (Linux). Worker 2 gets the
	// processors after worker 1's, and so on, round and round.
	Affinity int
	// NoFileWrapper leaves wsgi.file_wrapper out of the environ.
	NoFileWrapper bool
	Processes     int // default 1
	Threads       int // of each process; default 1
	// Slots is how many requests each thread may have at a time; default 1. More suits hubs of
	// greenlets: each slot is a core with its own claim.
	Slots int
	// Gevent has the requests of each process run in greenlets of gevent, which the Python
	// of the apps needs to have, one for each of its Slots; nil for threads.
	Gevent *Gevent
	// WebSockets are those of the uwsgi module.
	WebSockets WebSockets
	Cheaper    Cheaper
	LazyApps   bool // each worker imports the apps for itself, after the fork
	// ImportOnce makes the zygote import the apps even if that starts threads. The threads then
	// run in the zygote only. Without it each worker imports such apps for itself, as with
	// LazyApps: a fork loses threads and leaves their locks taken. On PyPy workers always do.
	ImportOnce bool
	// Backgrounds are processes beside the workers.
	Backgrounds []Background
	// PostFork lists the steps of each worker process between its fork and its first request. A
	// failed step ends the process.
	PostFork []Step
	// NeedApp makes Start fail when an app cannot be loaded. Otherwise such an app answers 500,
	// as in uWSGI. A reload that cannot load an app fails either way.
	NeedApp bool
	// Harakiri is how long a request may run after a worker takes it. Beyond it the client gets
	// an answer and the process is replaced, because its thread cannot be stopped: a successor
	// starts, the requests of other threads end, and the process is killed. 0 means for ever.
	// It is checked at least four times a second.
	Harakiri time.Duration
	// HarakiriLeast is the shortest limit of requests with a limit of their own, see
	// worker.Job; 0 for none.
	HarakiriLeast time.Duration
	// HarakiriMercy is how long those requests may take; default: Mercy.
	HarakiriMercy time.Duration
	// HarakiriSignal, if not 0, is sent once to the process of a late request, so that the app
	// can report or give up. The late request then also has HarakiriMercy to end, unless the
	// pool stops. Keep that short: a worker has room for four processes. If the app does not
	// handle the signal, it may end the process with all its requests.
	HarakiriSignal syscall.Signal
	// HarakiriVerbose also logs the system call of the thread (Linux).
	HarakiriVerbose bool
	// WriteErrors says what apps see when clients go.
	WriteErrors WriteErrors
	// Limits says when processes are replaced.
	Limits Limits
	// LimitAS bounds the address space of each process in bytes, by RLIMIT_AS.
	LimitAS int64
	// Mercy is how long a retired process may go on with its requests before it is killed.
	// Default: 60 s.
	Mercy time.Duration
	// Imported, if not nil, gets the files of modules as the apps import them. It leaves out
	// the standard library, site-packages and the modules in Unwatched. The supervisor calls it
	// and waits for it.
	Imported  func(files []string)
	Unwatched []string
	// Queue bounds the requests that wait for a worker, over all loops. Others get
	// worker.ErrQueueFull. Default 16384; negative means that none may wait.
	Queue int
	// QueueTimeout bounds how long a request waits for a worker. One that has waited longer
	// never runs, and one that would have to is refused at once: both get
	// worker.ErrQueueTimeout. 0 means for ever.
	QueueTimeout time.Duration
	// NoLanes lets slow routes take every thread. Without it slow routes hold at most three
	// quarters of the threads while fast requests come, if there are two threads or more. See
	// worker.Job.
	NoLanes bool
	// StreamMode sends each thread its requests on its own stream, as on systems without
	// SOCK_SEQPACKET. It makes that testable elsewhere.
	StreamMode bool

	// Bodies is the shared memory for bodies, which processes map; nil for none.
	Bodies *segment.Pool
	Loops  []*reactor.Handle // the loops that get a Port; at most worker.MaxLoops
	Log    func(line string) // gets uWSGI's log lines, from any goroutine; default: none
	Stdin  *os.File          // stdin of the apps; default: /dev/null
	Stderr *os.File          // stdout and stderr of the apps; default: os.Stderr
	// Names are what ps shows for the zygote and, by number, for the workers (Linux);
	// empty leaves theirs.
	Names   []string
	Version string // uwsgi.version in the environ
	// Control has the services for the apps' uwsgi module; default: none.
	Control *control.Hub
	// Module has the values that the uwsgi module knows without a call.
	Module Module
	// Code is a file of worker.Compile, in which processes of the same Python find their side
	// compiled; nil where each compiles it.
	Code *os.File
}

// LoadedApp is one of [Config].Apps after the start.
type LoadedApp struct {
	App     App
	Seconds float64 // of its import
	Reason  string  // why it could not be loaded; empty if it was
}

// Initial returns how many workers run at the start.
func (c *Config) Initial() int {
	if c.Cheaper.Min == 0 {
		return c.Processes
	}
	return c.Cheaper.Initial
}

// LateAfter returns the shortest time after which a request can be late; 0 for never.
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
