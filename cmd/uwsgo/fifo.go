package main

import (
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
)

// openFifos makes the named pipes of master-fifo and takes commands from them. They are for
// the server's own user.
func (p *program) openFifos() error {
	if p.role.Shared() {
		p.role.Postpone(p.openFifos)
		return nil
	}
	paths := make([]string, len(p.cfg.Fifos))
	for i, name := range p.cfg.Fifos {
		paths[i] = p.path(name, false)
	}
	f := &life.Fifos{Letters: p.letters, Quit: p.quitByLetter, Logf: p.log.Printf}
	remove, err := f.Open(paths)
	p.ending.Later(remove)
	p.role.HandBack(remove)
	return err
}

// quitByLetter ends the server, also during the start. Any goroutine.
func (p *program) quitByLetter(c byte) {
	p.log.Printf("master-fifo: %c", c)
	if c == 'Q' {
		p.ending.Hurry()
	}
	p.ending.Ask(request("master-fifo: " + string(rune(c))))
}

// unsupportedLetters are commands of uWSGI for what is not there yet.
const unsupportedLetters = "BCERSW"

// obey does what a letter asks for. Only the goroutine of serve calls it.
func (p *program) obey(c byte) {
	switch {
	case c == 'w':
		p.reloads.AskWorkers("master-fifo: w: reloading")
	case c == 'r':
		p.reloads.Ask(fmt.Sprintf("master-fifo: %c: reloading", c))
	case c == 'f':
		p.log.Printf("master-fifo: f:")
		p.replaceBinary()
	case c == 'c':
		p.reloads.AskChain("master-fifo: c: replacing the workers one by one")
	case c == 'p':
		p.pause()
	case c == 'P':
		for _, f := range p.pidFiles {
			if err := f.Write(); err != nil {
				p.log.Printf("%v", err)
			}
		}
	case c == '+':
		p.scale(1)
	case c == '-':
		p.scale(-1)
	case c == 'l':
		p.log.Printf("master-fifo: l: opening the log anew")
		p.sink.Reopen()
	case c == 'L':
		p.log.Printf("master-fifo: L: rotating the log")
		p.sink.Rotate()
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
