package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/machine"
	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/report"
	"github.com/uwsgo/uwsgo/bench/result"
	"github.com/uwsgo/uwsgo/bench/workload"
)

// settings holds the flags of a run.
type settings struct {
	out, env, python, uwsgo string
	peers                   string
	adHoc                   []string
	processes, threads      int
	own                     own
	options                 workload.Options
}

func runFlags(s *settings) *flag.FlagSet {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	o := &s.options
	flags.StringVar(&s.peers, "peers", "*", "measure only these comma-separated `servers`; * stands for any part of a name")
	flags.Func("peer", "also measure the server that `NAME=COMMAND` starts; {addr} {host} {port} {processes} {threads} {app} {module} {python} stand for what they say", func(v string) error {
		s.adHoc = append(s.adHoc, v)
		return nil
	})
	flags.IntVar(&o.Rounds, "rounds", result.FullRounds, "how often each server is measured, from a fresh start; with fewer than 7 the report is a quick look, which concludes nothing")
	flags.DurationVar(&o.Duration, "duration", 2*time.Second, "how long each measurement takes; below 2s the report is a quick look")
	flags.DurationVar(&o.WarmUp, "warmup", 500*time.Millisecond, "how long the same is asked before it, not counted")
	flags.BoolVar(&o.Logging, "log", false, "let all servers write their request log")
	flags.IntVar(&o.Threads, "client-threads", 1, "threads of the load generator")
	flags.IntVar(&s.processes, "processes", 0, "worker processes of each server instead of what the workload says")
	flags.IntVar(&s.threads, "threads", 0, "threads of each worker process instead of what the workload says")
	s.own.flags(flags)
	flags.StringVar(&s.out, "out", "uwsgo-bench-report", "`directory` for the report")
	flags.StringVar(&s.env, "env", cacheDir(), "`directory` of the virtualenv that the Python servers are installed into")
	flags.StringVar(&s.python, "python", "python3", "`program` that makes the virtualenv")
	flags.StringVar(&s.uwsgo, "uwsgo", beside("uwsgo"), "the uwsgo `binary`")
	return flags
}

func (s *settings) check() error {
	o := s.options
	switch {
	case o.Rounds < 1 || o.Rounds > 100:
		return errors.New("-rounds must be 1 to 100")
	case o.Duration < 100*time.Millisecond || o.Duration > 10*time.Minute:
		return errors.New("-duration must be 100ms to 10m")
	case o.WarmUp < 100*time.Millisecond || o.WarmUp > time.Minute:
		return errors.New("-warmup must be 100ms to 1m")
	case o.Threads < 1 || o.Threads > 64:
		return errors.New("-client-threads must be 1 to 64")
	case s.processes < 0 || s.processes > 1024:
		return errors.New("-processes must be 1 to 1024, or 0 for what each workload says")
	case s.threads < 0 || s.threads > 1024:
		return errors.New("-threads must be 1 to 1024, or 0 for what each workload says")
	}
	return nil
}

// run measures. It saves the results meanwhile, and writes the report at the end.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s settings
	flags := runFlags(&s)
	if err := parse(flags, stderr, args, "[run] [flags] [workload...]"); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return usageError{err}
	}
	if err := s.find(); err != nil {
		return err
	}
	workloads, err := s.choose(ctx, flags)
	if err != nil {
		return usageError{err}
	}
	for i := range workloads {
		if s.processes > 0 {
			workloads[i].Setup.Processes = s.processes
		}
		if s.threads > 0 {
			workloads[i].Setup.Threads = s.threads
		}
	}
	chosen, err := choosePeers(s.peers, s.adHoc)
	if err != nil {
		return usageError{err}
	}
	dir, err := os.MkdirTemp("", "uwsgo-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := errors.Join(s.lay(dir), os.MkdirAll(s.out, 0o755)); err != nil {
		return err
	}
	client, servers, sentence := pinning(processors(), s.options.Threads)
	s.options.Tools.Client, s.options.Tools.Servers = client, servers

	r := &result.Run{
		Format: result.Format, Harness: machine.Revision(), Command: append([]string{"uwsgo-bench"}, args...), Started: time.Now(),
		Settings: result.Settings{
			Rounds: s.options.Rounds, Seconds: s.options.Duration.Seconds(), WarmUp: s.options.WarmUp.Seconds(),
			Logging: s.options.Logging, Pinning: sentence, ClientOn: s.options.Threads,
		},
	}
	if r.Peers, s.options.Peers, err = s.install(ctx, workloads, chosen, stderr); err != nil {
		return err
	}
	r.Machine = machine.Describe(s.options.Python)
	if client != nil {
		if err := pinSelf(client); err != nil {
			return fmt.Errorf("pinning the load generator: %w", err)
		}
	}
	raiseDescriptorLimit()
	bar := newProgress(stderr)
	s.options.Progress = bar.step
	s.options.Keep = func() error {
		if !measured(r) {
			return nil // do not overwrite the results of an earlier run
		}
		r.Finished = time.Now()
		return report.WriteJSON(filepath.Join(s.out, resultsFile), r)
	}
	err = workload.Run(ctx, r, workloads, s.options)
	bar.end()
	r.Finished, r.Complete = time.Now(), err == nil
	if err != nil && ctx.Err() == nil {
		return err
	}
	if !measured(r) {
		return errors.Join(errors.New("nothing was measured, so there is no report"), ctx.Err(), unmeasured(r))
	}
	if err := write(s.out, r); err != nil {
		return err
	}
	if err := report.Table(stdout, r); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nThe whole report: %s (%s and %s beside it)\n", filepath.Join(s.out, pageFile), markdownFile, resultsFile)
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted after %v; the report has what was measured until then", r.Finished.Sub(r.Started).Round(time.Second))
	}
	return unmeasured(r)
}

// choose returns the workloads that the arguments name, or that of the user's app.
func (s *settings) choose(ctx context.Context, flags *flag.FlagSet) ([]workload.Workload, error) {
	if s.own.wanted() {
		if flags.NArg() > 0 {
			return nil, fmt.Errorf("%q: your own app is measured alone; leave out the names of workloads", flags.Arg(0))
		}
		w, err := s.own.workload(ctx, s.options.Tools.Env, s.python)
		return []workload.Workload{w}, err
	}
	var stray error
	alone := own{}
	flags.Visit(func(f *flag.Flag) {
		only := flag.NewFlagSet("", flag.ContinueOnError)
		alone.flags(only)
		if only.Lookup(f.Name) != nil {
			stray = fmt.Errorf("-%s is for your own app: name it with -app or -ini", f.Name)
		}
	})
	if stray != nil {
		return nil, stray
	}
	return chooseWorkloads(flags.Args())
}

// measured reports whether there is any sample.
func measured(r *result.Run) bool {
	for _, w := range r.Workloads {
		for _, e := range w.Entries {
			if len(e.Samples) > 0 {
				return true
			}
		}
	}
	return false
}

// unmeasured returns an error that names what could not be measured at all. A server's
// crash under load is a result: the report has it.
func unmeasured(r *result.Run) error {
	var failed []string
	for _, w := range r.Workloads {
		for _, e := range w.Entries {
			if e.Failed != "" && !e.Crashed && len(e.Samples) == 0 {
				failed = append(failed, fmt.Sprintf("%s, %s: %s", w.Name, e.Peer, e.Failed))
			}
		}
	}
	if failed == nil {
		return nil
	}
	return fmt.Errorf("these could not be measured:\n%s", strings.Join(failed, "\n"))
}

// lay writes the apps into dir.
func (s *settings) lay(dir string) error {
	t := &s.options.Tools
	t.Apps, s.options.Static = filepath.Join(dir, "apps"), filepath.Join(dir, "static")
	for _, d := range []string{t.Apps, s.options.Static} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	// Servers that drop root's privileges must still reach the apps.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	return apps.WriteTo(t.Apps)
}

// find looks for the programs that the run needs. It makes paths absolute, as each
// server runs in its own directory.
func (s *settings) find() error {
	t := &s.options.Tools
	var err error
	if t.Env, err = filepath.Abs(s.env); err != nil {
		return err
	}
	s.options.Python = filepath.Join(t.Env, "bin", "python")
	if t.Bench, err = os.Executable(); err != nil {
		return err
	}
	if t.Uwsgo, err = filepath.Abs(s.uwsgo); err != nil {
		return err
	}
	if _, err := os.Stat(t.Uwsgo); err != nil {
		t.Uwsgo = ""
	}
	if t.Nginx, err = exec.LookPath("nginx"); err != nil {
		if _, err := os.Stat("/usr/sbin/nginx"); err == nil {
			t.Nginx = "/usr/sbin/nginx" // not in every user's PATH
		}
	}
	return nil
}

// install makes the virtualenv and installs what the workloads and the peers need. It
// leaves out a peer that cannot be installed, and lists the reason.
func (s *settings) install(ctx context.Context, workloads []workload.Workload, chosen []peers.Peer, log io.Writer) (all []result.Peer, there []peers.Peer, err error) {
	t := s.options.Tools
	if err := peers.Virtualenv(ctx, t.Env, s.python); err != nil {
		return nil, nil, err
	}
	for _, w := range workloads {
		if err := peers.InstallPackages(ctx, t.Env, s.python, apps.Requirements(w.Setup.App), log); err != nil {
			return nil, nil, fmt.Errorf("installing what %s needs: %w", w.Setup.App, err)
		}
	}
	for _, p := range chosen {
		entry := result.Peer{Name: p.Name, About: p.About}
		err := peers.Install(ctx, t.Env, s.python, p, log)
		if need := p.Needs(t); err == nil && need != "" {
			err = fmt.Errorf("it needs %s", need)
		}
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			entry.Absent = err.Error()
			fmt.Fprintf(log, "%s: not measured: %v\n", p.Name, err)
		default:
			entry.Version = p.Version(t)
			there = append(there, p)
		}
		all = append(all, entry)
	}
	if there == nil {
		return nil, nil, errors.New("none of the servers can be measured here; the reasons are above")
	}
	return all, there, nil
}

// installOnly installs what a run with the same flags would install.
func installOnly(ctx context.Context, args []string, stderr io.Writer) error {
	var s settings
	flags := runFlags(&s)
	if err := parse(flags, stderr, args, "install [flags]"); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usageError{fmt.Errorf("install: %q: servers are chosen by -peers", flags.Arg(0))}
	}
	chosen, err := choosePeers(s.peers, s.adHoc)
	if err != nil {
		return usageError{err}
	}
	if err := s.find(); err != nil {
		return err
	}
	_, _, err = s.install(ctx, workload.All(), chosen, stderr)
	return err
}

// beside returns the path of a program in this program's directory.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

// cacheDir returns the directory that keeps the virtualenv between runs.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "uwsgo-bench")
}

// raiseDescriptorLimit lets this program and its servers hold as many connections as
// the system allows. Package load reports when that is not enough.
func raiseDescriptorLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		// Set it even if it has this value: only then do children inherit it.
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}
