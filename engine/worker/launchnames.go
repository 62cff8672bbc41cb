package worker

import (
	"context"
	"os"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/zygote"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// What a pool runs and how is said with the types of package launch, which has their
// documentation.
type (
	// Config says which apps are run and how.
	Config = launch.Config
	// App is a WSGI app: what to import, and the callable in it.
	App = launch.App
	// Background is a process beside the workers, which is given no requests.
	Background = launch.Background
	// Step is something that a process does before it serves.
	Step = launch.Step
	// WriteErrors says what an app hears of a client that has gone while it answers.
	WriteErrors = launch.WriteErrors
	// Exceptions says what happens when apps raise while they answer.
	Exceptions = launch.Exceptions
	// Import is a module that is imported before the apps.
	Import = launch.Import
	// Module is what the uwsgi module of the apps tells of the server.
	Module = launch.Module
	// Store is memory that apps share, for [Module].
	Store = launch.Store
	// Spooler is what is known of spool directories, for [Module].
	Spooler = launch.Spooler
	// SpoolDirectory is a directory with tasks.
	SpoolDirectory = launch.SpoolDirectory
	// Queue carries messages of the apps between processes, for [Module].
	Queue = launch.Queue
	// Farm is a group of mules, for [Module].
	Farm = launch.Farm
	// Option is an option as it was given, for [Module].
	Option = launch.Option
	// Limits say when a process has served long enough and is replaced.
	Limits = launch.Limits
	// Cheaper has the number of workers that run follow the load.
	Cheaper = launch.Cheaper
	// WebSockets bounds the WebSockets of the uwsgi module.
	WebSockets = launch.WebSockets
	// Gevent says how gevent is used.
	Gevent = launch.Gevent
	// CheaperAlgorithm is how it is decided how many workers run.
	CheaperAlgorithm = launch.CheaperAlgorithm
	// Busyness is how [CheaperBusyness] goes about it.
	Busyness = launch.Busyness
	// LoadedApp is one of [Config].Apps after the start.
	LoadedApp = launch.LoadedApp
	// Trial is what became of an import that was tried.
	Trial = launch.Trial
	// LoadError is returned by [Start] when an app cannot be loaded that is needed.
	LoadError = launch.LoadError
	// StartError is returned by [Start] when its processes exit before they serve, and no app
	// is known to be at fault.
	StartError = launch.StartError
	// PythonError says that no Python interpreter can be run, and what to do.
	PythonError = launch.PythonError
)

// The algorithms of [Cheaper].
const (
	CheaperSpare    = launch.CheaperSpare
	CheaperBacklog  = launch.CheaperBacklog
	CheaperBusyness = launch.CheaperBusyness
	CheaperManual   = launch.CheaperManual
)

// What [Config].PythonFrom can say: how the interpreter was chosen.
const (
	FromOption      = launch.FromOption
	FromProgram     = launch.FromProgram
	FromEnvironment = launch.FromEnvironment
	FromProject     = launch.FromProject
	FromModule      = launch.FromModule
	FromInstall     = launch.FromInstall
	FromPath        = launch.FromPath
)

// NewQueue makes a queue of messages: see [launch.NewQueue].
func NewQueue(name string, size int) (Queue, error) { return launch.NewQueue(name, size) }

// FindPython returns the path of the interpreter to run: see [launch.FindPython].
func FindPython(virtualenv string) (string, error) { return launch.FindPython(virtualenv) }

// OwnVirtualenv returns the virtualenv that program is in: see [launch.OwnVirtualenv].
func OwnVirtualenv(program string) string { return launch.OwnVirtualenv(program) }

// Compile returns a file for [Config].Code: an interpreter compiles the Python side, which
// processes of the same Python then need not do. Nobody can change the file, so servers of
// different users may share it. It is nil where the system has no such files.
func Compile(ctx context.Context, python string) (*os.File, error) {
	return zygote.Compile(ctx, python)
}

// Compiled returns the file of [Compile] that a descriptor is of, nil if it is none.
func Compiled(fd int) *os.File { return proc.Sealed(fd) }
