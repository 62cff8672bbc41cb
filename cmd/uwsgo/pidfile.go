package main

import "github.com/uwsgo/uwsgo/cmd/uwsgo/internal/pidfile"

// writePidFile writes the process id, if there is a path to write it to. The file
// goes with the server if vacuum is set, and with a start that fails, unless another
// server has written it since.
func (p *program) writePidFile(path string) error {
	if path == "" {
		return nil
	}
	file := &pidfile.File{Path: path, Open: p.identity.Write, Logf: p.log.Printf}
	f, err := file.Begin()
	if err != nil {
		return err
	}
	if !p.role.Shared() {
		if err := file.Fill(f); err != nil {
			return err
		}
	} else {
		// Until this server has taken over, the file names the other one. It is open by then:
		// there is no way back, and who opened it may have been root.
		p.ending.Later(func() { _ = f.Close() })
		p.role.Postpone(func() error { return file.Fill(f) })
	}
	p.pidFiles = append(p.pidFiles, file)
	p.ending.Later(func() {
		if !p.cfg.Vacuum && p.ready || p.role.Shared() {
			return
		}
		if removed, err := file.Remove(); err != nil {
			p.log.Printf("VACUUM: %v", err) // uid may not do what root could
		} else if removed && p.ready {
			p.log.Printf("VACUUM: pidfile %s removed.", file.Path)
		}
	})
	return nil
}
