package check

import (
	"fmt"
	"io"
	"strings"
)

// Text writes reports for people.
func Text(w io.Writer, reports []*Report) error {
	var b strings.Builder
	for i, r := range reports {
		if i > 0 {
			b.WriteByte('\n')
		}
		r.text(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) text(b *strings.Builder) {
	for _, level := range []Level{Error, Warning, Note} {
		for _, f := range r.Findings {
			if f.Level != level {
				continue
			}
			b.WriteString(f.String() + "\n")
			for line := range strings.Lines(f.Output) {
				b.WriteString("  | " + strings.TrimRight(line, "\n") + "\n")
			}
		}
	}
	if len(r.Findings) > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "works the same (%d)", len(names(r.Same)))
	if len(r.Same) > 0 {
		b.WriteString(": " + strings.Join(names(r.Same), ", "))
	}
	b.WriteByte('\n')
	list(b, "works differently, and why", r.Different)
	list(b, "not needed", r.NotNeeded)
	list(b, "lost, and what to do instead", r.Lost)
	name := r.Name
	if name == "" {
		name = "options"
	}
	verdict := "a server would start"
	if !r.Starts {
		verdict = "a server would not start"
	}
	fmt.Fprintf(b, "%s: %s: %s, %s, %d lost\n", name, verdict, count(r.Count(Error), "error"), count(r.Count(Warning), "warning"), len(names(r.Lost)))
}

// list writes the options of a list, one line for each name.
func list(b *strings.Builder, title string, items []Item) {
	all := names(items)
	fmt.Fprintf(b, "%s (%d)\n", title, len(all))
	told := map[string]bool{}
	for _, i := range items {
		if told[i.Option] {
			continue
		}
		told[i.Option] = true
		at := ""
		if i.File != "" {
			at = fmt.Sprintf("%s:%d: ", i.File, i.Line)
		}
		fmt.Fprintf(b, "  %s%s: %s\n", at, i.Option, i.Why)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Formats are the forms of reports.
var Formats = map[string]func(w io.Writer, reports []*Report, version string) error{
	"text":  func(w io.Writer, reports []*Report, _ string) error { return Text(w, reports) },
	"json":  func(w io.Writer, reports []*Report, _ string) error { return JSON(w, reports) },
	"sarif": SARIF,
}
