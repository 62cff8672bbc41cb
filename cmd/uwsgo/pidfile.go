package main

import (
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/pidfile"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
)

// pidFiles are the files that hold the server's process id. Only the goroutine of serve calls
// the methods.
type pidFiles struct {
	user   privilege.Identity // who writes them
	role   *succession.Role
	ending *life.Ending
	vacuum bool // they go with the server
	logf   func(format string, args ...any)

	files []*pidfile.File
}

// write writes a file, if there is a path to write it to. The file is removed at the end with
// vacuum, and when the start fails, unless another server has written it since.
func (p *pidFiles) write(path string) error {
	if path == "" {
		return nil
	}
	file := &pidfile.File{Path: path, Open: p.user.Write, Logf: p.logf}
	f, err := file.Begin()
	if err != nil {
		return err
	}
	if !p.role.Shared() {
		if err := file.Fill(f); err != nil {
			return err
		}
	} else {
		// The file names the other server until this one has taken over. It is opened now,
		// while a start can still fail, and while the server may still be root.
		p.ending.Later(func() { _ = f.Close() })
		p.role.Postpone(func() error { return file.Fill(f) })
	}
	p.files = append(p.files, file)
	p.ending.Later(func() {
		if !p.vacuum && p.ending.Started || p.role.Shared() {
			return
		}
		if removed, err := file.Remove(); err != nil {
			p.logf("VACUUM: %v", err) // the user of uid may not remove what root could
		} else if removed && p.ending.Started {
			p.logf("VACUUM: pidfile %s removed.", file.Path)
		}
	})
	return nil
}

// again writes all files once more.
func (p *pidFiles) again() {
	for _, f := range p.files {
		if err := f.Write(); err != nil {
			p.logf("%v", err)
		}
	}
}
