package main

import (
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
		paths[i] = p.site.path(name, false)
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
