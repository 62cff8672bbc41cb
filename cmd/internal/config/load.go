package config

import (
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// Load reads the command line (args without the program's name), the environment as os.Environ
// gives it, and the files that they name. An error is one line with the place of the mistake; the
// program then exits with 1. If a protective option is missing Load returns the Config as well, for
// show-config.
func Load(args, environ []string, w ini.World) (*Config, error) {
	list, app, err := read(args, environ, w)
	if err == errHelp {
		c := defaults()
		c.Action = Help
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := resolve(list, w)
	if c != nil {
		c.Links = list.Links
	}
	if err == nil && app != "" {
		err = c.quick(app, w)
	}
	return c, err
}

// Examine reads what Load reads, and goes on after mistakes in values, so that it returns all of
// them at once. It returns no Config if nothing could be read.
func Examine(args, environ []string, w ini.World) (*Config, []error) {
	list, app, err := read(args, environ, w)
	if err == errHelp {
		return &Config{Action: Help}, nil
	}
	if err != nil {
		return nil, []error{err}
	}
	r := newResolver(list, w)
	r.mistakes = &[]error{}
	if err := r.resolve(); err != nil {
		*r.mistakes = append(*r.mistakes, err)
	}
	r.Links = list.Links
	if app != "" && len(*r.mistakes) == 0 {
		if err := r.quick(app, w); err != nil {
			*r.mistakes = append(*r.mistakes, err)
		}
	}
	r.Config.Warnings, r.Entries = list.Warnings, list.Entries // also after a mistake
	return r.Config, *r.mistakes
}

// read returns the list of all options, expanded. app is the one that was named by position.
func read(args, environ []string, w ini.World) (list *ini.List, app string, err error) {
	list = ini.New(w, Options)
	if err := addEnviron(list, environ); err != nil {
		return nil, "", err
	}
	files, err := addArgs(list, args)
	if err != nil {
		return nil, "", err
	}
	for _, file := range files {
		entries, err := positionalApp(file.name, w)
		switch {
		case err == nil && entries == nil:
			err = addFile(list, file)
		case err == nil && app != "":
			err = fmt.Errorf("%s, %s: %w", app, file.name, errTwoApps)
		case err == nil:
			app = file.name
		}
		if err != nil {
			return nil, "", err
		}
		for _, e := range entries {
			if err := list.Add(e); err != nil {
				return nil, "", err
			}
		}
	}
	return list, app, list.Expand()
}

// environmentOnly are variables by which uWSGI's processes talk to each other.
var environmentOnly = []string{
	"UWSGI_RELOADS", "UWSGI_VASSALS_DIR", "UWSGI_EMPEROR_FD", "UWSGI_EMPEROR_FD_CONFIG",
	"UWSGI_EMPEROR_PROXY", "UWSGI_BROODLORD_NUM", "UWSGI_JAIL_PID", "UWSGI_ORIGINAL_PROC_NAME",
}

// addEnviron adds the options that UWSGI_* variables give.
func addEnviron(list *ini.List, environ []string) error {
next:
	for _, variable := range environ {
		name, value, ok := strings.Cut(variable, "=")
		rest, ours := strings.CutPrefix(name, "UWSGI_")
		if !ok || !ours {
			continue
		}
		for _, skip := range environmentOnly {
			if name == skip {
				continue next
			}
		}
		key := strings.ReplaceAll(strings.ToLower(rest), "_", "-")
		err := list.Add(ini.Entry{Key: key, Value: value, HasValue: true, Origin: ini.Origin{Env: name}})
		if err != nil {
			return err
		}
	}
	return nil
}
