// The uwsgo program serves Python web apps with uWSGI's command line and ini files.
package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/cmd/internal/quickstart"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/pidfile"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
)

func main() { os.Exit(run()) }

// run does what the command line asks for and returns the exit code.
func run() int {
	for i, arg := range os.Args {
		os.Args[i] = strings.Clone(arg) // setTitle overwrites the original
	}
	if len(os.Args) > 1 && os.Args[1] == "config" {
		return listConfig(os.Args[2:], os.Stdout)
	}
	if len(os.Args) > 1 && os.Args[1] == "check" {
		return checkConfig(os.Args[2:], os.Stdout)
	}
	if len(os.Args) > 1 && os.Args[1] == "route" {
		return tryRoute(os.Args[2:], os.Stdout)
	}
	path := ownPath()
	mine, err := findVassal()
	if err != nil {
		return fail(err)
	}
	before, err := succession.FindPredecessor() // first: the programs that this one starts must not get it
	if err != nil {
		return fail(err)
	}
	if done, err := quickstart.Command(os.Args[1:], os.Stdout); done || err != nil {
		if err != nil {
			return fail(err)
		}
		return exitOK
	}
	var input bytes.Buffer // a daemon or a successor reads it again
	cfg, err := config.Load(os.Args[1:], os.Environ(), ini.OS(io.TeeReader(os.Stdin, &input)))
	if err != nil {
		if cfg != nil && cfg.Show {
			_ = cfg.ShowConfig(os.Stderr)
		}
		return fail(err)
	}
	switch cfg.Action {
	case config.Help:
		if err := config.Options.WriteHelp(os.Stdout, option.UseColor(os.Stdout)); err != nil {
			return fail(err)
		}
	case config.Version:
		_, _ = os.Stdout.WriteString(versionText(cfg, os.Args[0], path))
	case config.Usage:
		for _, w := range cfg.Warnings { // such as a file without the section [uwsgi]
			_, _ = os.Stderr.Write(accesslog.AppendPrintable(nil, []byte("*** WARNING: "+w+" ***\n")))
		}
		if there := quickstart.Suggest(os.DirFS(".")); there != "" {
			_, _ = os.Stderr.WriteString(there + "\n")
		}
		_, _ = os.Stderr.WriteString(config.UsageText)
		return exitConfig
	case config.Signal:
		if err := pidfile.Signal(cfg.Signal, cfg.Target); err != nil {
			return fail(err)
		}
	case config.Read:
		if err := connectAndRead(os.Stdout, cfg.Target); err != nil {
			return fail(err)
		}
	default:
		emperor := len(cfg.Emperor.Monitors) > 0
		if why := cfg.NoApp(); why != "" && cfg.NeedApp && !emperor {
			if cfg.Show {
				_ = cfg.ShowConfig(os.Stderr)
			}
			_ = fail(errors.New(why))
			return exitApp
		}
		ready, err := daemonPipe()
		if err != nil {
			return fail(err)
		}
		// A vassal stays in sight of its emperor: there daemonize only names the log.
		if cfg.Daemonize != "" && ready == nil && before == nil && mine == nil {
			return daemonize(cfg, path, input.Bytes())
		}
		p := newProcess(cfg, path, before)
		p.vassal, p.daemon = mine, daemonized{waiting: ready, successor: cfg.Daemonize != "" && before != nil}
		if emperor {
			return reign(p)
		}
		return serve(newProgram(p, input.Bytes()))
	}
	return exitOK
}

// The exit codes, uWSGI's.
const (
	exitOK     = 0
	exitConfig = 1  // the configuration is wrong, or something is in its way
	exitApp    = 22 // an app does not load, or its processes do not start
)

func fail(err error) int {
	_, _ = os.Stderr.Write(accesslog.AppendPrintable(nil, []byte("uwsgo: "+err.Error()+"\n")))
	return exitConfig
}
