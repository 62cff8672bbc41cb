// Command uwsgo-bench measures uwsgo and its peers on one machine, in alternating
// rounds, and writes a table for each workload.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/report"
	"github.com/uwsgo/uwsgo/bench/workload"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "uwsgo-bench:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("uwsgo-bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var (
		tools    peers.Tools
		list     = flags.Bool("list", false, "list the workloads and stop")
		rounds   = flags.Int("rounds", 3, "how often each server is measured")
		duration = flags.Duration("duration", 3*time.Second, "how long each measurement by load takes")
		only     = flags.String("only", "", "measure only these comma-separated `servers`")
		out      = flags.String("o", "", "write the Markdown report to this `file` instead of standard output")
		serve    = flags.String("serve", "", "serve hello world from Go on ADDR, by `reactor or net-http`; used by the go workload")
	)
	flags.StringVar(&tools.Uwsgo, "uwsgo", beside("uwsgo"), "the uwsgo `binary`")
	flags.StringVar(&tools.Venv, "venv", "build/testenv", "`directory` of a virtualenv with uwsgi, flask and django")
	flags.StringVar(&tools.Prototype, "prototype", "", "`directory` with a built prototype and its shim.py to measure beside")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: uwsgo-bench [flags] [workload...]\n\nWithout workloads all are measured.")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serve != "" {
		return serveHello(*serve, flags.Arg(0))
	}
	if *list {
		for _, w := range workload.All() {
			fmt.Fprintf(stdout, "%-14s %s\n", w.Name, w.About)
		}
		return nil
	}
	if *rounds < 1 || *duration < time.Second {
		return errors.New("-rounds must be at least 1, and -duration at least 1s")
	}
	chosen, err := choose(flags.Args(), *only)
	if err != nil {
		return err
	}
	if tools, err = locate(tools); err != nil {
		return err
	}
	defer os.RemoveAll(tools.Apps)
	raiseDescriptorLimit()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var outcomes []workload.Outcome
	for _, w := range chosen {
		outcome, err := workload.Run(ctx, w, workload.Options{Tools: tools, Rounds: *rounds, Duration: *duration, Progress: stderr})
		if err != nil {
			return err
		}
		for _, goal := range w.Goals {
			fmt.Fprintln(stderr, " ", report.Verdict(outcome, goal))
		}
		outcomes = append(outcomes, outcome)
	}
	how := report.Run{Command: append([]string{"build/uwsgo-bench"}, args...), Rounds: *rounds, Duration: *duration, Date: time.Now()}
	if *out == "" {
		return report.Markdown(stdout, how, outcomes)
	}
	f, err := os.Create(*out)
	if err != nil {
		return err
	}
	return errors.Join(report.Markdown(f, how, outcomes), f.Close())
}

// choose gives the named workloads, or all, less the entrants not in only.
func choose(names []string, only string) ([]workload.Workload, error) {
	var chosen []workload.Workload
	for _, w := range workload.All() {
		if len(names) > 0 && !slices.Contains(names, w.Name) {
			continue
		}
		if only != "" {
			w.Entrants = slices.DeleteFunc(w.Entrants, func(e workload.Entrant) bool {
				return !slices.Contains(strings.Split(only, ","), e.Peer)
			})
		}
		chosen = append(chosen, w)
	}
	if len(chosen) < len(names) {
		return nil, fmt.Errorf("some of the workloads %v do not exist; -list shows all", names)
	}
	return chosen, nil
}

// locate makes paths absolute, since servers run in a directory of their own,
// which it makes, and leaves empty what is not there.
func locate(t peers.Tools) (peers.Tools, error) {
	for _, path := range []*string{&t.Uwsgo, &t.Venv, &t.Prototype} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return t, err
		}
		*path = abs
		if _, err := os.Stat(abs); err != nil {
			*path = ""
		}
	}
	var err error
	if t.Bench, err = os.Executable(); err != nil {
		return t, err
	}
	if t.Nginx, err = exec.LookPath("nginx"); err != nil {
		if _, err := os.Stat("/usr/sbin/nginx"); err == nil {
			t.Nginx = "/usr/sbin/nginx" // not in every user's PATH
		}
	}
	if t.Apps, err = os.MkdirTemp("", "uwsgo-bench-apps-"); err != nil {
		return t, err
	}
	return t, apps.WriteTo(t.Apps)
}

// beside gives the path of a program in this one's directory.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

// raiseDescriptorLimit lets this program, and the servers it starts, hold as
// many connections as the system allows. Where it cannot, fewer idle clients
// are answered, and the table says how many.
func raiseDescriptorLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}
