package launch

import (
	"os"
	"time"
)

// Module has the values of the apps' uwsgi module. Zero values are sensible.
type Module struct {
	Version    string   // uwsgi.version: the uWSGI that uwsgo follows; default 2.0.31
	Options    []Option // uwsgi.opt, in the order given
	BufferSize int
	Started    time.Time
	Mode       string // uwsgi.mode; empty for none
	PIDFile    string // uwsgi.pidfile, likewise
	Locks      int    // locks of uwsgi.lock besides the first
	Stores     []Store
	Spooler    *Spooler // nil without one
	Mules      int      // how many there are
	Farms      []Farm   // of them
	Queues     []Queue  // of messages to them
}

// Spooler is what is known of spool directories, by apps and by the processes that work them
// off.
type Spooler struct {
	Directories []SpoolDirectory // the first is meant where none is named; at least one
	Ordered     bool             // tasks are run in the order of their names
	Quiet       bool             // the log does not name each task
	NoSync      bool             // the system chooses when a task is written to the disk
	Frequency   int              // seconds between looks; at least 1
	MaxTasks    int              // after which a process is replaced; 0 for never
	Chdir       string           // where tasks are run; empty for where their files are
	Harakiri    int              // seconds that a task may take; 0 for ever
	Signals     bool             // signals count as tasks
	Imports     []string         // modules or files that processes import
}

// SpoolDirectory is a directory with tasks.
type SpoolDirectory struct {
	Name      string // as it was given
	Path      string // without symbolic links
	Processes int    // that work it off; 0: another server does
}

// Farm is a group of mules, by number.
type Farm struct {
	Name  string
	Mules []int
}

// Files are those of stores and queues, in the order in which a zygote gets them.
func (m *Module) Files() (files []*os.File) {
	for _, s := range m.Stores {
		files = append(files, s.File)
	}
	for _, q := range m.Queues {
		files = append(files, q.Send, q.Receive)
	}
	return files
}

// Store is memory that the apps of all workers share through the module: a cache, the queue or
// a shared area. Its maker keeps File open.
type Store struct {
	Kind, Name string
	File       *os.File
	Shape      map[string]any // for shim/stores.py
}

// Option is an option as given.
type Option struct {
	Name, Value string
	Flag        bool // it had no value
}
