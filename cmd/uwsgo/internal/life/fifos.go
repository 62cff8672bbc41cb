package life

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Fifos are named pipes that take commands of one letter. Only one pipe is read at a time: the
// first, or the one that a digit names.
type Fifos struct {
	Letters chan<- byte       // gets the commands, as far as there is room
	Quit    func(letter byte) // gets q and Q, also when nobody takes other commands
	Logf    func(format string, args ...any)

	paths []string
	mu    sync.Mutex
	file  *os.File // the one that is read
	over  bool     // close has been called
}

// Open makes the pipes, for their owner alone, and takes commands. undo removes the pipes that were
// made and takes no more commands: who writes to a pipe that nobody reads waits for ever. It is never
// nil and may be called again.
func (f *Fifos) Open(paths []string) (undo func(), err error) {
	var made []func()
	undo = func() {
		for _, fn := range made {
			fn()
		}
		f.close()
	}
	for _, path := range paths {
		one, err := makeFifo(path)
		if err != nil {
			return undo, fmt.Errorf("master-fifo: %w", err)
		}
		made = append(made, one)
	}
	if len(paths) == 0 {
		return undo, nil
	}
	f.paths, f.over = paths, false
	if f.file, err = openFifo(paths[0]); err != nil {
		return undo, fmt.Errorf("master-fifo: %w", err)
	}
	go f.read(f.file)
	return undo, nil
}

// close takes no more commands.
func (f *Fifos) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	if f.file != nil {
		_ = f.file.Close()
	}
}

// makeFifo makes a pipe at path, in place of one that another server has left.
func makeFifo(path string) (remove func(), err error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != os.ModeNamedPipe:
		return nil, fmt.Errorf("%s exists and is no named pipe: remove it or choose another path", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	made, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	// Only once: a successor's may get the same number.
	return sync.OnceFunc(func() {
		if now, err := os.Lstat(path); err == nil && os.SameFile(made, now) {
			_ = os.Remove(path)
		}
	}), nil
}

// openFifo opens a pipe for reading. It opens it for writing too, so that no writer's end ends it.
func openFifo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
}

// read passes commands on.
func (f *Fifos) read(from *os.File) {
	b := make([]byte, 1)
	lost := false
	for {
		if _, err := from.Read(b); err != nil {
			f.mu.Lock()
			over := f.over
			f.mu.Unlock()
			if !over {
				f.Logf("master-fifo: %v: no more commands are taken", err)
			}
			return
		}
		switch c := b[0]; {
		case c == '\n' || c == ' ':
		case c == 'q' || c == 'Q':
			f.Quit(c)
		case c >= '0' && c <= '9':
			from = f.change(from, int(c-'0'))
		default:
			select {
			case f.Letters <- c:
				lost = false
			default:
				if !lost {
					f.Logf("master-fifo: commands come faster than they are obeyed: some are not")
				}
				lost = true
			}
		}
	}
}

// change reads pipe n from now on, if there is one.
func (f *Fifos) change(from *os.File, n int) *os.File {
	if n >= len(f.paths) {
		f.Logf("master-fifo: there is no pipe %d, but 0 to %d", n, len(f.paths)-1)
		return from
	}
	other, err := openFifo(f.paths[n])
	if err != nil {
		f.Logf("master-fifo: %v", err)
		return from
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = from.Close()
	f.file = other
	if f.over {
		_ = other.Close()
	}
	f.Logf("master-fifo: commands are read from %s", f.paths[n])
	return other
}
