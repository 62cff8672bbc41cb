package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// openFifos makes the named pipes of master-fifo and reads commands from the first,
// until the end. They are for the server's own user.
func (p *program) openFifos() error {
	if p.role.Shared() {
		p.role.Postpone(p.openFifos)
		return nil
	}
	var paths []string
	for _, name := range p.cfg.Fifos {
		path := p.path(name, false)
		if err := p.makeFifo(path); err != nil {
			return fmt.Errorf("master-fifo: %w", err)
		}
		paths = append(paths, path)
	}
	if len(paths) == 0 {
		return nil
	}
	f, err := openFifo(paths[0])
	if err != nil {
		return fmt.Errorf("master-fifo: %w", err)
	}
	go p.readFifos(paths, f)
	return nil
}

// makeFifo makes a pipe at path, in place of one that another server has left.
func (p *program) makeFifo(path string) error {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeNamedPipe:
		return fmt.Errorf("%s exists and is no named pipe: remove it or choose another path", path)
	default:
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	made, err := os.Lstat(path)
	if err != nil {
		return err
	}
	// Who writes to a pipe that nobody reads waits for ever. Only once: a successor's may
	// get the same number.
	remove := sync.OnceFunc(func() {
		if now, err := os.Lstat(path); err == nil && os.SameFile(made, now) {
			_ = os.Remove(path)
		}
	})
	p.ending.Later(remove)
	p.role.HandBack(remove)
	return nil
}

// openFifo opens a pipe for reading. That it could also write keeps it from ending with
// each writer.
func openFifo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
}

// readFifos passes on what comes from f, the first of paths, until the program ends. A
// digit has it read another pipe.
func (p *program) readFifos(paths []string, f *os.File) {
	b := make([]byte, 1)
	lost := false
	for {
		if _, err := f.Read(b); err != nil {
			p.log.Printf("master-fifo: %v: no more commands are taken", err)
			return
		}
		switch c := b[0]; {
		case c == '\n' || c == ' ':
		case c == 'q' || c == 'Q':
			p.log.Printf("master-fifo: %c", c)
			if c == 'Q' {
				p.ending.Hurry()
			}
			p.ending.Ask(request("master-fifo: " + string(rune(c)))) // also during the start
		case c >= '0' && c <= '9':
			f = p.switchFifo(f, paths, int(c-'0'))
		default:
			select {
			case p.letters <- c:
				lost = false
			default: // q and Q must get through during a start and a stop, when nobody takes these
				if !lost {
					p.log.Printf("master-fifo: commands come faster than they are obeyed: some are not")
				}
				lost = true
			}
		}
	}
}

// switchFifo goes over to pipe n, or stays.
func (p *program) switchFifo(f *os.File, paths []string, n int) *os.File {
	if n >= len(paths) {
		p.log.Printf("master-fifo: there is no pipe %d, but 0 to %d", n, len(paths)-1)
		return f
	}
	other, err := openFifo(paths[n])
	if err != nil {
		p.log.Printf("master-fifo: %v", err)
		return f
	}
	_ = f.Close()
	p.log.Printf("master-fifo: commands are read from %s", paths[n])
	return other
}

// unsupportedLetters are commands of uWSGI for what is not there yet.
const unsupportedLetters = "BCERSW"

// obey does what a letter asks for. Only the goroutine of serve calls it.
func (p *program) obey(c byte) {
	switch {
	case c == 'r' || c == 'w':
		p.reloads.Ask(fmt.Sprintf("master-fifo: %c: reloading", c))
	case c == 'f':
		p.log.Printf("master-fifo: f:")
		p.replaceBinary()
	case c == 'c':
		p.reloads.AskChain("master-fifo: c: replacing the workers one by one")
	case c == 'p':
		p.pause()
	case c == 'P':
		for _, path := range p.pidFiles {
			if err := p.rewritePidFile(path); err != nil {
				p.log.Printf("%v", err)
			}
		}
	case c == 'l':
		p.log.Printf("master-fifo: l: opening the log anew")
		p.sink.Reopen()
	case c == 'L':
		p.log.Printf("master-fifo: L: rotating the log")
		p.sink.Rotate()
	case c == '+':
		p.scale(1)
	case c == '-':
		p.scale(-1)
	case c == 's':
		p.observer.Log(p.log.Printf)
	case strings.IndexByte(unsupportedLetters, c) >= 0:
		p.log.Printf("master-fifo: command %q is not supported yet", string(c))
	default:
		p.log.Printf("master-fifo: there is no command %q", string(rune(c)))
	}
}

// scale has one worker more or fewer run.
func (p *program) scale(by int) {
	if p.pool == nil || p.cfg.Cheaper.Min == 0 {
		p.log.Printf("master-fifo: the number of workers is fixed: set cheaper to have it change")
		return
	}
	p.pool.Scale(by)
}
