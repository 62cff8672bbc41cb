package option

import (
	"io"
	"os"
	"strings"
)

// The terminal width that help is written for, and where its texts begin.
const (
	helpWidth  = 80
	helpIndent = 6
)

// WriteHelp writes --help: the options by section, without aliases. Color sets headings and names
// apart.
func (t *Table) WriteHelp(w io.Writer, color bool) error {
	bold, plain := "", ""
	if color {
		bold, plain = "\x1b[1m", "\x1b[0m"
	}
	var b strings.Builder
	b.WriteString("Usage: uwsgo [options] [file.ini ...]\n\n" +
		wrap("Options can be shortened as long as they are unique, can be written into an ini file "+
			"without the dashes, and can be given by the environment: --http-socket=:8080 is "+
			"http-socket = :8080 and UWSGI_HTTP_SOCKET=:8080.", 0))
	section := Section(255)
	for _, o := range t.Rows() {
		if o.Section != section {
			section = o.Section
			b.WriteString("\n" + bold + section.String() + plain + "\n")
		}
		b.WriteString("  ")
		if o.Short != 0 {
			b.WriteString(bold + "-" + string(o.Short) + plain + ", ")
		}
		b.WriteString(bold + "--" + o.Name + plain + usage(o) + "\n")
		help := o.Help
		if o.Default != "" {
			help += " (default: " + o.Default + ")"
		}
		b.WriteString(wrap(help, helpIndent))
	}
	b.WriteString("\n" + wrap("Every other option of uWSGI is known by name: the log says at the start what is lost, and one that protects something ends the start. docs/options.md lists them.", 0))
	_, err := io.WriteString(w, b.String())
	return err
}

// usage returns what follows the option's name: its value.
func usage(o *Option) string {
	switch {
	case o.Arg == "":
		return ""
	case o.Optional:
		return "[=" + o.Arg + "]"
	}
	return " " + o.Arg
}

// wrap breaks s into lines of at most helpWidth, indented.
func wrap(s string, indent int) string {
	var b strings.Builder
	at := helpWidth
	for word := range strings.FieldsSeq(s) {
		if at+1+len(word) > helpWidth {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(strings.Repeat(" ", indent))
			at = indent
		} else {
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	b.WriteByte('\n')
	return b.String()
}

// UseColor reports whether help on f should be colored: f is a terminal, and
// NO_COLOR (https://no-color.org) is not set.
func UseColor(f *os.File) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
