// Package spool is the server's part of the spooler: it makes the directories, and wakes the
// processes that work them off when an app has put a task there. Tasks themselves are files,
// which apps write and spooler processes read; shim/spooler.py does both.
package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/engine/worker/control"
)

// Kind is the kind of spooler processes among those beside the workers.
const Kind = "spooler"

// Prepare makes the directory if it is missing, with an owner unless uid is negative, and returns its
// path without symbolic links.
func Prepare(dir string, uid, gid int) (string, error) {
	err := os.Mkdir(dir, 0o750)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("cannot make the spool directory: %w", err)
	}
	path, err := filepath.EvalSymlinks(dir)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fmt.Errorf("spool directory: %w", err)
	}
	if made && uid >= 0 {
		if err := os.Chown(path, uid, gid); err != nil {
			return "", fmt.Errorf("spool directory: %w", err)
		}
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return "", fmt.Errorf("spool directory: %s is no directory", dir)
	}
	return path, nil
}

// Spoolers are the spooler processes. Any goroutine may call its methods.
type Spoolers struct {
	// Immutable.
	all       []State // in the order of the configuration
	processes []int   // which of all a process is, by its number less 1

	mu        sync.Mutex
	running   []process // by number less 1
	frequency int       // seconds, as an app has set it; 0: none has
}

// State is a spooler as it stands in the stats.
type State struct {
	Dir     string
	Number  int // of its process, from 1; 0 for one that another server works off
	Tasks   uint64
	Running bool // a task, just now
}

// process is one that works a directory off.
type process struct {
	peer    *control.Peer // nil while there is none
	idle    bool          // it waits to be woken
	pending bool          // a task has come since it looked
	running bool
	tasks   uint64
}

// New returns the spoolers of these directories, and registers the calls of apps and spooler
// processes.
func New(h *control.Hub, dirs []worker.SpoolDirectory) *Spoolers {
	s := &Spoolers{}
	for _, d := range dirs {
		if d.Processes == 0 {
			s.all = append(s.all, State{Dir: d.Path})
		}
		for range d.Processes {
			s.processes = append(s.processes, len(s.all))
			s.all = append(s.all, State{Dir: d.Path, Number: len(s.processes)})
		}
	}
	s.running = make([]process, len(s.processes))
	h.Observe(s)
	h.Handle("spooled", s.spooled)
	h.Handle("spooler idle", s.waits)
	h.Handle("spooler task", s.task)
	h.Handle("spoolers", s.pids)
	h.Handle("set spooler frequency", s.setFrequency)
	return s
}

// Processes returns how many processes run tasks.
func (s *Spoolers) Processes() int { return len(s.processes) }

// Backgrounds are the processes that work the directories off. name makes what ps shows.
func (s *Spoolers) Backgrounds(name func(base string, master bool) string) (list []worker.Background) {
	for i := range s.processes {
		list = append(list, worker.Background{Kind: Kind, Number: i + 1, Imports: true, Title: name("uWSGI spooler", false)})
	}
	return list
}

// Snapshot returns all spoolers, in the order of the configuration.
func (s *Spoolers) Snapshot() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.all)
	for i, place := range s.processes {
		list[place].Tasks, list[place].Running = s.running[i].tasks, s.running[i].running
	}
	return list
}

// find returns the process at the other end of a channel, nil if it is no spooler that serves.
func (s *Spoolers) find(p *control.Peer) *process {
	if p.Kind != Kind || p.Number < 1 || p.Number > len(s.running) {
		return nil
	}
	if one := &s.running[p.Number-1]; one.peer == p {
		return one
	}
	return nil
}

// Serving notes that a process begins.
func (s *Spoolers) Serving(p *control.Peer) {
	if p.Kind != Kind || p.Number < 1 || p.Number > len(s.running) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[p.Number-1] = process{peer: p}
	// It may have said that it waits before this was known: so it looks again.
	_ = p.Tell("spooled")
	if s.frequency > 0 {
		_ = p.Tell("spooler frequency", s.frequency)
	}
}

// Retiring does nothing: a process that is to go may finish its task.
func (s *Spoolers) Retiring(*control.Peer) {}

// Exited notes that a process has gone.
func (s *Spoolers) Exited(p *control.Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.find(p); one != nil {
		*one = process{tasks: one.tasks}
	}
}

// spooled wakes one process of a directory that has a new task. A busy process looks again after its
// task.
func (s *Spoolers) spooled(_ *control.Peer, args []any) (any, error) {
	if len(args) != 1 {
		return nil, control.Refuse("this takes a directory")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	woken := false
	for i, place := range s.processes {
		one := &s.running[i]
		switch {
		case s.all[place].Dir != args[0] || one.peer == nil:
		case !one.idle:
			one.pending = true
		case !woken:
			woken = true
			s.wake(one)
		}
	}
	return nil, nil
}

func (s *Spoolers) wake(one *process) {
	one.idle, one.pending = false, false
	_ = one.peer.Tell("spooled") // what does not get it looks in time
}

// waits notes that a process has looked for tasks and found no more.
func (s *Spoolers) waits(p *control.Peer, _ []any) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.find(p); one != nil {
		if one.idle = !one.pending; one.pending {
			s.wake(one)
		}
	}
	return nil, nil
}

// task notes that a process begins a task, or ends one.
func (s *Spoolers) task(p *control.Peer, args []any) (any, error) {
	begins, ok := false, false
	if len(args) == 1 {
		begins, ok = args[0].(bool)
	}
	if !ok {
		return nil, control.Refuse("this takes whether a task begins")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.find(p); one != nil {
		if one.running = begins; !begins {
			one.tasks++
		}
	}
	return nil, nil
}

// pids returns the ids of all processes, 0 where there is none.
func (s *Spoolers) pids(*control.Peer, []any) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]any, len(s.all))
	for i := range list {
		list[i] = 0
	}
	for i, place := range s.processes {
		if peer := s.running[i].peer; peer != nil {
			list[place] = peer.PID()
		}
	}
	return list, nil
}

func (s *Spoolers) setFrequency(_ *control.Peer, args []any) (any, error) {
	seconds := 0
	if len(args) == 1 {
		seconds, _ = args[0].(int)
	}
	if seconds < 1 {
		return nil, control.Refuse("the frequency of a spooler is a second at least")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frequency = seconds
	for i := range s.running {
		if peer := s.running[i].peer; peer != nil {
			_ = peer.Tell("spooler frequency", seconds)
		}
	}
	return nil, nil
}
