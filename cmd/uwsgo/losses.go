package main

import (
	"os"
	"path"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/check"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/shell"
)

// tellLosses logs one line: how many options do less than in uWSGI, which functions are lost, and
// which command says more. What ignore-unsupported leaves open gets a line of its own.
func tellLosses(cfg *config.Config, logf func(format string, args ...any)) {
	l := cfg.Losses
	if len(l.Unprotected) > 0 {
		logf("*** WARNING: ignore-unsupported leaves open what these options close: %s ***", strings.Join(l.Unprotected, ", "))
	}
	if len(l.Function)+len(l.Changed)+len(l.Harmless) == 0 {
		return
	}
	warning := ""
	if len(l.Function) > 0 {
		warning = "WARNING: "
	}
	logf("*** %s%s; %s tells more ***", warning, check.Sort(cfg).Summary(), checkCommand(os.Args))
}

// checkCommand is the command that checks the configuration of this server. It leaves out options
// that may hold secrets.
func checkCommand(args []string) string {
	options, files := config.SplitFiles(args[1:])
	words := []string{path.Base(args[0]), "check"}
	for _, file := range files {
		words = append(words, shell.Quote(file))
	}
	for i, option := range options {
		name, value, has := strings.Cut(option, "=")
		switch name {
		case "--ini", "--yaml", "--yml", "--json", "--xml", "--toml":
			if !has && i+1 < len(options) {
				value = options[i+1]
			}
			words = append(words, name, shell.Quote(value))
		}
	}
	if len(words) == len("uc") {
		words = append(words, "with the same options")
	}
	return strings.Join(words, " ")
}
