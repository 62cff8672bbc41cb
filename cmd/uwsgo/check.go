package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
	"github.com/uwsgo/uwsgo/cmd/internal/check"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// checkUsage is printed when there is nothing to check.
const checkUsage = `uwsgo check says what a start with a configuration would say, without starting anything.

  uwsgo check FILE... [OPTIONS]      options as for a start; each file is checked by itself

  --strict                exit with 2 where a function is lost
  --format text|json|sarif
  --no-import             do not import the app
  --import-timeout SECS   how long an import may take (60)
  --file-alone            only what the files say: nothing of this machine, no import

It exits with 0, or 1 on errors. docs/check.md tells more.
`

// exitLost is the exit code for lost functions, with --strict.
const exitLost = 2

// checkOptions are those of uwsgo check itself.
type checkOptions struct {
	strict, noImport, fileAlone bool
	format                      string
	patience                    time.Duration
}

// parseCheck takes the options of the command out of args.
func parseCheck(args []string) (o checkOptions, rest []string, err error) {
	o.format, o.patience = "text", time.Minute
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		switch name {
		case "--":
			return o, append(rest, args[i:]...), nil
		case "--strict":
			o.strict = true
		case "--no-import":
			o.noImport = true
		case "--file-alone":
			o.fileAlone = true
		case "--format", "--import-timeout":
			if !has {
				if i++; i == len(args) {
					return o, nil, fmt.Errorf("%s needs a value", name)
				}
				value = args[i]
			}
			if name == "--format" {
				o.format = value
				break
			}
			n, err := strconv.ParseUint(value, 10, 31)
			if err != nil || n == 0 {
				return o, nil, fmt.Errorf("--import-timeout: %q is no number of seconds", value)
			}
			o.patience = time.Duration(n) * time.Second
		default:
			rest = append(rest, args[i])
		}
	}
	if check.Formats[o.format] == nil {
		return o, nil, fmt.Errorf("--format: %q is none of text, json, sarif", o.format)
	}
	return o, rest, nil
}

// checkConfig does what "uwsgo check" asks for and returns the exit code.
func checkConfig(args []string, out io.Writer) int {
	o, rest, err := parseCheck(args)
	if err != nil {
		return fail(err)
	}
	if len(rest) == 1 && (rest[0] == "--help" || rest[0] == "-h") {
		_, _ = io.WriteString(out, checkUsage)
		return exitOK
	}
	if len(rest) == 0 {
		_, _ = os.Stderr.WriteString(checkUsage)
		return exitConfig
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	options, files := config.SplitFiles(rest)
	var reports []*check.Report
	if len(files) == 0 {
		reports = append(reports, checkOne(ctx, o, "", options))
	}
	for _, file := range files {
		reports = append(reports, checkOne(ctx, o, file, append(slices.Clip(options), file)))
	}
	if ctx.Err() != nil {
		return fail(errors.New("the check was broken off"))
	}
	var text strings.Builder
	if err := check.Formats[o.format](&text, reports, version); err != nil {
		return fail(err)
	}
	written := []byte(text.String())
	if o.format == "text" {
		written = accesslog.AppendPrintable(nil, written)
	}
	if _, err := out.Write(written); err != nil {
		return fail(err)
	}
	code := exitOK
	for _, r := range reports {
		switch {
		case !r.Starts:
			return exitConfig
		case o.strict && len(r.Lost) > 0:
			code = exitLost
		}
	}
	return code
}

// checkOne checks one configuration.
func checkOne(ctx context.Context, o checkOptions, name string, args []string) *check.Report {
	cfg, mistakes := config.Examine(args, os.Environ(), ini.OS(os.Stdin))
	in := check.Input{Name: name, Config: cfg, Mistakes: mistakes, FileAlone: o.fileAlone, Handlers: tryHandlers, Certificates: tryCertificates}
	if !o.noImport {
		in.Import = func(cfg *config.Config, place check.Place) (*worker.Trial, error) {
			ctx, cancel := context.WithTimeout(ctx, o.patience)
			defer cancel()
			t, err := tryImport(ctx, cfg, place)
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("the import was not over after %v: see what it waits for, or give it longer with --import-timeout", o.patience)
			}
			return t, err
		}
	}
	return check.Check(in, check.OS())
}

// tryImport imports the apps as a server in that place would.
func tryImport(ctx context.Context, cfg *config.Config, place check.Place) (*worker.Trial, error) {
	a := newApp(&site{cfg: cfg, home: place.Home, dir: place.Dir}, ownPath(), func(string, ...any) {})
	wc, err := a.imports()
	if err != nil {
		return nil, err
	}
	wc.Dir = place.Dir
	var as *syscall.Credential
	if place.As.UID >= 0 || place.As.GID >= 0 {
		as = &syscall.Credential{Uid: uint32(max(place.As.UID, 0)), Gid: uint32(max(place.As.GID, 0))}
		for _, g := range place.As.Groups {
			as.Groups = append(as.Groups, uint32(g))
		}
	}
	return worker.TryImport(ctx, wc, as)
}

// tryHandlers builds the handlers of a start, and says why that fails.
func tryHandlers(cfg *config.Config, dir string) error {
	c := &chain{site: &site{cfg: cfg, home: dir, dir: dir}, logf: func(string, ...any) {}}
	c.rules.Upstream = told(200)
	if needsPool(cfg) {
		c.rules.Pool = engine.NewPool(1, 1, c.logf)
		defer c.rules.Pool.Close()
	}
	if _, err := c.before(engine.HandlerFunc(func(*engine.Exchange) {})); err != nil {
		return err
	}
	_, err := everyAnswer(cfg)
	return err
}

// tryCertificates reads the certificates of an address as a start does, and returns those that
// are not good now, with why.
func tryCertificates(cfg *config.Config, l config.Listen, dir string) (stale map[string]string, err error) {
	s := &site{cfg: cfg, home: dir, dir: dir, started: dir}
	store, err := s.certificates(l, func(string, ...any) {})
	if err != nil {
		return nil, err
	}
	return store.Stale(time.Now()), nil
}
