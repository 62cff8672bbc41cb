package main

import (
	"fmt"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
)

// setTitle has ps show what procname and its kin ask for. To be called before anything
// is given up that it may need.
func setTitle(cfg *config.Config) {
	if name := cfg.Procnames.Name("uWSGI master", true); name != "" {
		overwriteArgs(name)
	}
}

// workerNames returns what ps is to show for the zygote and the workers.
func workerNames(cfg *config.Config) []string {
	names := []string{cfg.Procnames.Name("uWSGI zygote", false)}
	for n := range cfg.Processes {
		names = append(names, cfg.Procnames.Name(fmt.Sprintf("uWSGI worker %d", n+1), false))
	}
	return names
}
