package main

import (
	"fmt"
	"os"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/spool"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// prepareSpoolers makes the spool directories, as root where the server was started so: for
// the user that it becomes. Below a new root they are made by that user.
func prepareSpoolers(s *site, user privilege.Identity) error {
	for _, one := range s.cfg.Spoolers {
		uid, gid := -1, -1
		if os.Geteuid() == 0 {
			uid, gid = user.UID, user.GID
		}
		if _, err := spool.Prepare(s.fromStart(one.Dir), uid, gid); err != nil {
			return fmt.Errorf("spooler: %w", err)
		}
	}
	return nil
}

// spoolers are the spool directories, as apps and spooler processes know them; nil without.
func spoolers(s *site) (*worker.Spooler, error) {
	cfg := s.cfg
	if len(cfg.Spoolers) == 0 {
		return nil, nil
	}
	sp := &worker.Spooler{
		Ordered: cfg.SpoolerOrdered, Quiet: cfg.SpoolerQuiet, NoSync: !cfg.SpoolerSync, Frequency: int(cfg.SpoolerFrequency.Seconds()), MaxTasks: cfg.SpoolerMaxTasks,
		Chdir: s.path(cfg.SpoolerChdir, false), Harakiri: int(cfg.SpoolerHarakiri.Seconds()), Signals: cfg.SpoolerSignals, Imports: cfg.SpoolerImports,
	}
	for _, one := range cfg.Spoolers {
		path, err := spool.Prepare(s.fromStart(one.Dir), -1, -1)
		if err != nil {
			return nil, fmt.Errorf("spooler: %w", err)
		}
		sp.Directories = append(sp.Directories, worker.SpoolDirectory{Name: one.Dir, Path: path, Processes: spoolerProcesses(cfg, one)})
	}
	return sp, nil
}

func spoolerProcesses(cfg *config.Config, one config.Spooler) int {
	if one.External {
		return 0
	}
	return cfg.SpoolerProcesses
}
