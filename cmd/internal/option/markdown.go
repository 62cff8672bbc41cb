package option

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// WriteMarkdown writes docs/options.md. The package's tests compare the file with it, and write it
// with -update.
func (t *Table) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`<!-- Generated from the tables of cmd/internal/config. To change it, change a row there and run:
     go test ./cmd/internal/option -update -->

# Options

Options are uWSGI's, and each can be given in three ways:

| where | how |
|---|---|
| command line | ` + "`--http-socket :8080`, `--http-socket=:8080`, `-s :3031`, `-Mp4`" + `; a long name may be shortened while it is unique |
| ini file | ` + "`http-socket = :8080`" + ` in the section ` + "`[uwsgi]`" + ` |
| environment | ` + "`UWSGI_HTTP_SOCKET=:8080`" + ` |

The environment is read first, then the command line from left to right with
the files of ` + "`--ini`" + ` in their place, then files named without an option. The last
value of an option holds; options of the kind list collect all of theirs.

Kinds of value: a **flag** is false when it is exactly ` + "`false`, `off`, `no` or `0`" + `, true when it is
empty or begins with a word for true or a number, and refused otherwise.
Numbers may have units: ` + "`10k`, `1M`" + ` for a **number** (of 1000), ` + "`64k`, `1MiB`" + ` for **bytes** and
**megabytes** (of 1024), ` + "`90s`, `5m`, `1h30m`, `2d`" + ` for **seconds**. What follows has to be a comment
(` + "`4 ; workers`, `4 # workers`" + `); a fraction, an exponent, separators or an unknown word are refused.
A **directive** acts while it is read.

What the last column says: **same**, the option does what uWSGI's does;
**differs**, it works, with the difference that is told; **uwsgo only**, uWSGI
does not have it.
`)
	section := Section(255)
	for _, o := range t.Rows() {
		if o.Section != section {
			section = o.Section
			fmt.Fprintf(&b, "\n## %s\n\n| option | kind | default | what it does | uWSGI |\n|---|---|---|---|---|\n", section)
		}
		var name strings.Builder
		name.WriteString("`" + o.Name + "`")
		for _, alias := range o.Aliases {
			name.WriteString(" `" + alias + "`")
		}
		if o.Short != 0 {
			name.WriteString(" `-" + string(o.Short) + "`")
		}
		note := o.Status.String()
		if o.Note != "" {
			note += ". " + o.Note
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name.String(), o.Kind, cell(o.Default), cell(o.Help), cell(note))
	}

	for _, part := range []struct {
		heading, text, column string
		groups                []group
	}{
		{
			"Ends the start", "These protect something, or say what else is in force, and uwsgo does not do it. A server without them would be open where " +
				"its owner has closed it. So they end the start, unless `ignore-unsupported` names them. What an option of this list is given " +
				"as `false`, `off`, `no` or `0` asks for nothing.\n\n`route…`, `error-route…`, `response-route…` and `final-route…` are judged by their actions: " + RouteText,
			"what to do", ends,
		},
		{"Done in another way", "The log names them at each start.", "what is done here", changed},
		{"Accepted without effect", "These need to do nothing here. The log names them at each start.", "no effect because", ignored},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| options | %s |\n|---|---|\n", part.heading, part.text, part.column)
		for _, g := range part.groups {
			// A name with a row is in its own table.
			names := slices.DeleteFunc(strings.Fields(g.names), func(name string) bool { return t.Lookup(name).Section != Other })
			if len(names) > 0 {
				fmt.Fprintf(&b, "| %s | %s |\n", quoted(names), cell(g.note))
			}
		}
	}

	b.WriteString("\n## Known from uWSGI, not supported yet\n\nuwsgo knows the names; what the options do is missing. The log names them at each start.\n\n| options | what to do instead |\n|---|---|\n")
	planned := map[string][]string{} // by what to do
	for _, name := range t.names {
		if o := t.byName[name]; o.Status == Planned {
			planned[o.Note] = append(planned[o.Note], name)
		}
	}
	for _, note := range slices.SortedFunc(maps.Keys(planned), func(a, b string) int { return strings.Compare(planned[a][0], planned[b][0]) }) {
		fmt.Fprintf(&b, "| %s | %s |\n", quoted(planned[note]), cell(note))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell escapes what would end a table's cell, or be read as HTML.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(s)
}

func quoted(words []string) string { return "`" + strings.Join(words, "` `") + "`" }
