package main

import (
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
)

// fifos are the named pipes of master-fifo, which belong to the server's own user.
type fifos struct {
	paths   []string
	letters chan byte // commands that wait for the goroutine of serve
	role    *succession.Role
	ending  *life.Ending
	logf    func(format string, args ...any)
}

// open makes the pipes and takes commands from them, once no other server has them.
func (f *fifos) open() error {
	if f.role.Shared() {
		f.role.Postpone(f.open)
		return nil
	}
	pipes := &life.Fifos{Letters: f.letters, Quit: f.quit, Logf: f.logf}
	remove, err := pipes.Open(f.paths)
	f.ending.Later(remove)
	f.role.HandBack(remove)
	return err
}

// quit ends the server, also during the start. Any goroutine.
func (f *fifos) quit(letter byte) {
	f.logf("master-fifo: %c", letter)
	if letter == 'Q' {
		f.ending.Hurry()
	}
	f.ending.Ask(request("master-fifo: " + string(rune(letter))))
}
