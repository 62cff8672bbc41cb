// Command uwsgo-bench measures WSGI servers on one machine. It measures all in the same
// way and in alternating rounds, and writes a report that others can check.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `uwsgo-bench measures WSGI servers side by side.

    uwsgo-bench [flags] [workload...]     measure, and write a report (all workloads if none is named)
    uwsgo-bench list                      the workloads, and the servers that are known
    uwsgo-bench install [flags]           only install the servers, with the flags of a run
    uwsgo-bench report [flags] FILE       make the report again from a results.json
    uwsgo-bench compare [flags] OLD NEW   what changed between two results.json

The exit code is 0 when all went well, 1 when something failed or, of compare, got worse, and 2 when the program was
called wrongly or compare could compare nothing.

"uwsgo-bench run -h", "report -h" and "compare -h" list their flags.
`

// errWorse ends the program with exit code 1. Everything has been printed by then.
var errWorse = errors.New("worse than before")

// usageError is a mistake of the caller: a wrong argument or an unusable file. It ends
// the program with exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitCode returns the program's exit code for err.
func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		return 2
	}
	return 1
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	code := exitCode(err)
	if code != 0 && !errors.Is(err, errWorse) {
		fmt.Fprintln(os.Stderr, "uwsgo-bench:", err)
	}
	os.Exit(code)
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	switch name {
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return nil
	case "list":
		return list(stdout)
	case "serve":
		if len(args) != 3 {
			return usageError{errors.New("usage: uwsgo-bench serve " + serveKinds + " ADDRESS")}
		}
		return serveHello(args[1], args[2])
	case "report":
		return remake(args[1:], stdout, stderr)
	case "compare":
		return compare(args[1:], stdout, stderr)
	case "install":
		return installOnly(ctx, args[1:], stderr)
	case "run":
		args = args[1:]
	}
	return run(ctx, args, stdout, stderr)
}

// parse parses flags. Their help begins with a line of usage.
func parse(flags *flag.FlagSet, stderr io.Writer, args []string, use string) error {
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: uwsgo-bench %s\n\n", use)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return usageError{err}
	}
	return nil
}
