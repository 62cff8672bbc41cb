// Package manual writes completions for bash, zsh and fish, and a man page. Options come from their
// table, so nothing here names one.
package manual

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// Page is the man page uwsgo(1).
type Page struct {
	Version string
	Date    time.Time
}

// Write writes it as troff with the macros of man(7).
func (p Page) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH UWSGO 1 %q %q \"uwsgo\"\n", p.Date.Format("2006-01-02"), "uwsgo "+p.Version)
	b.WriteString(`.SH NAME
uwsgo \- application server for Python WSGI apps, with uWSGI's options
.SH SYNOPSIS
.B uwsgo
.RI [ options ]
.RI [ file .ini\~...]
.br
.B uwsgo
.IR module : callable
.RI |\~ file .py
.RI [ options ]
.br
.B uwsgo check
.RI |\~\c
.B config
.RI |\~\c
.B route
.IR file ...
.RI [ options ]
.br
.BI "uwsgo --from-gunicorn '" "gunicorn app:app ..." '
.SH DESCRIPTION
uwsgo serves WSGI apps such as those of Flask and Django over HTTP and over the uwsgi protocol.
It reads uWSGI's command line and ini files.
.PP
An app alone, by its module and callable or by its file, is served on port 8000, or on the one in PORT.
.PP
Options can be shortened as long as they are unique, can be written into an ini file without the
dashes, and can be given by the environment: \-\-http\-socket=:8080 is http\-socket = :8080 and
UWSGI_HTTP_SOCKET=:8080.
.SH COMMANDS
They take a file or more, and the options of a start besides their own. A file of such a name is
given by \-\-ini or with ./ before it.
`)
	for _, c := range Commands {
		fmt.Fprintf(&b, ".SS %s\n%s\n", c.Name, line(c.Help))
		for _, f := range c.Flags {
			fmt.Fprintf(&b, ".TP\n\\fB\\-\\-%s\\fR", roff(f.Name))
			if f.Arg != "" {
				fmt.Fprintf(&b, " \\fI%s\\fR", roff(f.Arg))
			}
			b.WriteString("\n" + line(f.Help) + "\n")
		}
	}
	b.WriteString(".SH OPTIONS\n")
	section := option.Section(255)
	for _, o := range config.Options.Rows() {
		if o.Section != section {
			section = o.Section
			fmt.Fprintf(&b, ".SS %s\n", roff(section.String()))
		}
		b.WriteString(".TP\n")
		if o.Short != 0 {
			b.WriteString(`\fB\-` + string(o.Short) + `\fR, `)
		}
		b.WriteString(`\fB\-\-` + roff(o.Name) + `\fR`)
		switch {
		case o.Arg != "" && o.Optional:
			b.WriteString(`[=\fI` + roff(o.Arg) + `\fR]`)
		case o.Arg != "":
			b.WriteString(` \fI` + roff(o.Arg) + `\fR`)
		}
		b.WriteString("\n" + line(o.Help))
		if o.Default != "" {
			b.WriteString(" (default: " + roff(o.Default) + ")")
		}
		b.WriteByte('\n')
	}
	b.WriteString(`.SH SIGNALS
.TP
.B SIGTERM, SIGINT, SIGQUIT
finish the requests in flight, then end; a second one ends at once
.TP
.B SIGHUP
load the app's code anew in new workers, without losing a request
.TP
.B SIGUSR2
start the program again with the same sockets, and let the new one take over
.TP
.B SIGUSR1
log statistics
.TP
.B SIGTSTP
pause, and go on
.SH FILES
.TP
.I /etc/uwsgo/apps\-enabled/*.ini
apps of the unit uwsgo@.service, where uwsgo was installed as a package
.SH ENVIRONMENT
.TP
.B UWSGI_*
options
.TP
.B VIRTUAL_ENV
the virtualenv of the app, where the program lies in none itself
.TP
.B PORT
the port of an app that is named without an address
.SH EXIT STATUS
.TP
.B 0
it was stopped
.TP
.B 1
a mistake in the configuration
.TP
.B 22
the app does not load
.SH EXAMPLES
.nf
uwsgo app:app
uwsgo \-\-http :8080 \-\-module mysite.wsgi:application \-\-processes 4 \-\-threads 2
uwsgo \-\-ini uwsgi.ini
.fi
`)
	_, err := io.WriteString(w, b.String())
	return err
}

// roff escapes text for troff.
func roff(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", "\\(ga").Replace(s)
}

// line returns text for the start of a line, where a dot and a quote are commands.
func line(s string) string {
	s = roff(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}
