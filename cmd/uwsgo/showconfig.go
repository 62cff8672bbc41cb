package main

import (
	"bytes"
	"io"
	"os"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// configUsage is printed when there is nothing to list.
const configUsage = `uwsgo config prints the options of a configuration as they are after expansion, and where each comes from.

  uwsgo config FILE... [OPTIONS]     options as for a start; UWSGI_* variables count
  uwsgo config --json FILE...        {"options": [[key, value], ...], "unknown": [...]}
`

// listConfig does what "uwsgo config" asks for and returns the exit code.
func listConfig(args []string, out io.Writer) int {
	asJSON := false
	var rest []string
	for i, arg := range args {
		if arg == "--" {
			rest = append(rest, args[i:]...)
			break
		}
		if arg == "--json" && !asJSON { // a second one, or --json=FILE, is uWSGI's option
			asJSON = true
			continue
		}
		rest = append(rest, arg)
	}
	if len(rest) == 0 || len(rest) == 1 && (rest[0] == "--help" || rest[0] == "-h") {
		_, _ = os.Stderr.WriteString(configUsage)
		return exitConfig
	}
	listing, err := config.List(rest, os.Environ(), ini.OS(os.Stdin))
	if err != nil {
		return fail(err)
	}
	for _, w := range listing.Warnings() {
		_, _ = os.Stderr.Write(accesslog.AppendPrintable(nil, []byte("*** WARNING: "+w+" ***\n")))
	}
	var text bytes.Buffer
	write := listing.Text
	if asJSON {
		write = listing.JSON
	}
	if err := write(&text); err != nil {
		return fail(err)
	}
	if _, err := text.WriteTo(out); err != nil {
		return fail(err)
	}
	return exitOK
}
