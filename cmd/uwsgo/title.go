package main

import "github.com/uwsgo/uwsgo/cmd/internal/config"

// setTitle shows in ps what procname and its kin ask for. It is called while the process still may.
func setTitle(cfg *config.Config) {
	if name := cfg.Procnames.Name("uWSGI master", true); name != "" {
		overwriteArgs(name)
	}
}
