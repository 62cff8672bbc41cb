package zygote

import (
	"errors"
	"fmt"
	"os"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// Report is a message of a zygote, or of its reader: one of the types below.
type Report interface{ report() }

// Reports of a zygote. A place is the process's among all of the pool.
type (
	// Version is the first report: the version of Python.
	Version struct{ Python string }
	// Threads says that the app started threads during its import. If they are not Kept the
	// zygote goes no further.
	Threads struct {
		Names []string
		Kept  bool
	}
	// Loaded says whether the apps were loaded. It lists none when workers import for
	// themselves.
	Loaded struct {
		Python, Path string
		Apps         []launch.LoadedApp
	}
	// Doing says what a process does before it serves.
	Doing struct {
		Place int // -1 for the zygote
		App   int // that it imports, -1 for none
		Text  string
		Group int // process group of a command that it runs, 0 for none
	}
	// Spawned says that a process has been forked.
	Spawned struct{ Place, PID int }
	// Ready says that a process serves. Apps are those that it has imported for itself.
	Ready struct {
		Place int
		Apps  []launch.LoadedApp
		PID   int
	}
	// Pong answers a ping.
	Pong struct{}
	// Exit says that a process has exited. PID is 0 when it could not be forked. Code is
	// negative for a signal.
	Exit struct{ Place, PID, Code int }
	// Imported lists the files of modules that the app has imported.
	Imported struct{ Files []string }
)

// Reports of a zygote's reader.
type (
	// Malformed says that the zygote has sent a malformed report. Later bytes cannot be parsed,
	// so only Exited follows.
	Malformed struct{ Err error }
	// Exited is the last report: its process has exited.
	Exited struct{}
)

func (Version) report()   {}
func (Threads) report()   {}
func (Loaded) report()    {}
func (Doing) report()     {}
func (Spawned) report()   {}
func (Ready) report()     {}
func (Pong) report()      {}
func (Exit) report()      {}
func (Imported) report()  {}
func (Malformed) report() {}
func (Exited) report()    {}

var errFrame = errors.New("malformed frame")

// decode reads one report of a zygote that was started with c. An app has the descriptor too
// and may have written to it, so every report that a zygote would not send is an error.
func decode(c *launch.Config, b []byte) (Report, error) {
	v, err := pymarshal.Unmarshal(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("%w: not a list", errFrame)
	}
	r := &reader{config: c, left: list[1:]}
	var report Report
	switch list[0] {
	case "python":
		report = Version{Python: r.text()}
	case "threads":
		report = Threads{Names: r.texts(), Kept: r.flag()}
	case "loaded":
		report = Loaded{Python: r.text(), Path: r.text(), Apps: r.apps()}
	case "doing":
		report = Doing{Place: r.number(-1, r.lastPlace()), App: r.number(-1, len(c.Apps)-1), Text: r.text(), Group: r.pidOrNone()}
	case "spawned":
		report = Spawned{Place: r.place(), PID: r.pid()}
	case "ready":
		report = Ready{Place: r.place(), Apps: r.apps(), PID: r.pid()}
	case "pong":
		report = Pong{}
	case "exit":
		report = Exit{Place: r.place(), PID: r.pidOrNone(), Code: r.number(-255, 255)}
	case "imported":
		report = Imported{Files: r.texts()}
	default:
		r.wrong = true
	}
	if r.wrong || len(r.left) > 0 {
		return nil, fmt.Errorf("%w: %.100q", errFrame, fmt.Sprint(list...))
	}
	return report, nil
}

// reader reads the arguments of a report. A missing or wrong one makes the report malformed.
type reader struct {
	config *launch.Config
	left   []any
	wrong  bool
}

// next returns the next argument if it is a T.
func next[T any](r *reader) (value T) {
	if len(r.left) == 0 {
		r.wrong = true
		return value
	}
	value, ok := r.left[0].(T)
	r.left = r.left[1:]
	if !ok {
		r.wrong = true
	}
	return value
}

func (r *reader) text() string { return next[string](r) }

func (r *reader) flag() bool { return next[bool](r) }

func (r *reader) texts() (texts []string) {
	for _, one := range next[[]any](r) {
		text, ok := one.(string)
		if !ok {
			r.wrong = true
		}
		texts = append(texts, text)
	}
	return texts
}

func (r *reader) number(least, most int) int {
	n := next[int](r)
	if n < least || n > most {
		r.wrong = true
	}
	return n
}

// lastPlace is that of the last process: those beside the workers are behind them.
func (r *reader) lastPlace() int {
	return r.config.Processes*shared.Places + len(r.config.Backgrounds) - 1
}

// place returns the place of a process.
func (r *reader) place() int { return r.number(0, r.lastPlace()) }

// mostPID is beyond the process ids of all systems.
const mostPID = 1 << 30

// pid returns the id of a process. It must be right, because it may be signalled.
func (r *reader) pid() int {
	n := r.number(2, mostPID)
	if n == os.Getpid() {
		r.wrong = true
	}
	return n
}

func (r *reader) pidOrNone() int {
	if len(r.left) > 0 && r.left[0] == 0 {
		r.left = r.left[1:]
		return 0
	}
	return r.pid()
}

// apps returns the state of all apps, or of none when another process imports them.
func (r *reader) apps() (loaded []launch.LoadedApp) {
	list := next[[]any](r)
	if len(list) > 0 && len(list) != len(r.config.Apps) {
		r.wrong = true
		return nil
	}
	for i, one := range list {
		entry, _ := one.([]any)
		if len(entry) != 3 {
			r.wrong = true
			return nil
		}
		seconds, _ := entry[1].(float64)
		reason, _ := entry[2].(string)
		loaded = append(loaded, launch.LoadedApp{App: r.config.Apps[i], Seconds: seconds, Reason: reason})
	}
	return loaded
}
