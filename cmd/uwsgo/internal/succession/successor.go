package succession

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

// Successor is the server that takes the place of this one. Methods of a nil one do nothing.
type Successor struct {
	process *os.Process
	goOn    *os.File   // says that this server has let go
	out     chan error // nil when it serves and nothing runs beside this server any more; else why it has ended
	ended   chan struct{}
	done    bool // it has taken over; only the server's goroutine reads it before the end
}

// Spec says how a successor is started.
type Spec struct {
	Path    string   // of the program
	Args    []string // with its name
	Dir     string
	Env     []string // without the variable that says that it is a successor
	Stdin   []byte
	Stdout  *os.File
	Stderr  *os.File // gets what it says before its log is open
	Sockets []Handed
	// Home is where relative paths of sockets start.
	Home string
}

// handed numbers the descriptors that the sockets will have in the new process, from first on, and
// returns copies of the sockets.
func (s *Spec) handed(first int) (socks []Handed, files []*os.File, err error) {
	for i, sock := range s.Sockets {
		f, err := sock.File()
		if err != nil {
			return nil, files, err
		}
		sock.FD, files = first+i, append(files, f)
		if sock.Owned && !filepath.IsAbs(sock.Address) { // the new process may have another directory
			sock.Address = filepath.Join(s.Home, sock.Address)
		}
		socks = append(socks, sock)
	}
	return socks, files, nil
}

// start starts the program. Once it serves, start calls stopBesides, and then tells the outcome.
func start(spec Spec, stopBesides []func()) (*Successor, error) {
	var files []*os.File // the new process's descriptors from 3 on
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	ready, readyEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	files = append(files, readyEnd)
	goEnd, goOn, err := os.Pipe()
	if err != nil {
		_ = ready.Close()
		return nil, err
	}
	files = append(files, goEnd)
	fail := func(err error) (*Successor, error) {
		_, _ = ready.Close(), goOn.Close()
		return nil, err
	}
	socks, copies, err := spec.handed(3 + len(files))
	files = append(files, copies...)
	if err != nil {
		return fail(err)
	}
	text, err := json.Marshal(takeover{Ready: 3, Go: 4, Sockets: socks})
	if err != nil {
		return fail(err)
	}
	cmd := exec.Command(spec.Path, spec.Args[1:]...)
	cmd.Args[0] = spec.Args[0]
	cmd.Dir = spec.Dir
	cmd.Env = append(append(os.Environ(), spec.Env...), TakeoverEnv+"="+string(text))
	cmd.ExtraFiles = files
	if len(spec.Stdin) > 0 {
		cmd.Stdin = bytes.NewReader(spec.Stdin)
	}
	cmd.Stdout, cmd.Stderr = spec.Stdout, spec.Stderr
	// The command may be a script that has the server as a child.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	return follow(cmd.Process, cmd.Wait, ready, goOn, stopBesides), nil
}

// follow waits for the outcome of a start.
func follow(process *os.Process, wait func() error, ready, goOn *os.File, stopBesides []func()) *Successor {
	s := &Successor{process: process, goOn: goOn, out: make(chan error, 1), ended: make(chan struct{})}
	var status error // set once it has ended
	var serves atomic.Bool
	go func() {
		if status = wait(); status == nil {
			status = errors.New("exit status 0")
		}
		if !serves.Load() {
			s.signal(syscall.SIGKILL) // its children
		}
		close(s.ended)
	}()
	go func() {
		n, _ := ready.Read(make([]byte, 1))
		_ = ready.Close()
		if n == 0 {
			<-s.ended
			s.out <- status
			return
		}
		serves.Store(true)
		for _, stop := range stopBesides {
			stop()
		}
		s.out <- nil
	}()
	return s
}

// signal signals the process and those of its group.
func (s *Successor) signal(sig syscall.Signal) { _ = syscall.Kill(-s.process.Pid, sig) }

// PID returns its process id.
func (s *Successor) PID() int { return s.process.Pid }

// Outcome gets the outcome of the start, once.
func (s *Successor) Outcome() <-chan error {
	if s == nil {
		return nil
	}
	return s.out
}

// Serves reports whether the successor has taken over.
func (s *Successor) Serves() bool { return s != nil && s.done }

// Stop ends a successor that has not taken over.
func (s *Successor) Stop() {
	if s != nil && !s.done {
		select {
		case <-s.ended:
		default:
			s.signal(syscall.SIGTERM)
		}
	}
}

// Wait waits for the end of a stopped successor, and kills it when ctx ends.
func (s *Successor) Wait(ctx context.Context) {
	if s == nil || s.done {
		return
	}
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.signal(syscall.SIGKILL)
		<-s.ended
	}
	_ = s.goOn.Close()
}
