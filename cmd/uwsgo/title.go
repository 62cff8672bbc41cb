package main

import "github.com/uwsgo/uwsgo/cmd/internal/config"

// setTitle has ps show what procname and its kin ask for. To be called before anything
// is given up that it may need.
func setTitle(cfg *config.Config) {
	if name := cfg.Procnames.Name("uWSGI master", true); name != "" {
		overwriteArgs(name)
	}
}
