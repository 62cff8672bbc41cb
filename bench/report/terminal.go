package report

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/uwsgo/uwsgo/bench/result"
)

// width of the terminal table, in columns.
const width = 100

// Table writes the headline figures of a run as plain text for a terminal.
func Table(w io.Writer, run *result.Run) error {
	all := pages(run)
	var b strings.Builder
	for i, p := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		for _, t := range p.tables {
			terminalTable(&b, p, t)
		}
		for _, s := range p.failures() {
			wrapped(&b, "  ⚠ ", s)
		}
		for _, a := range p.absent {
			wrapped(&b, "  not measured: ", a.Peer+": "+oneLine(a.Reason))
		}
		if s := p.noRatios(); s != "" {
			wrapped(&b, "  ", s)
		}
	}
	b.WriteString("\n")
	wrapped(&b, "", stand(all).sums())
	if !run.Complete {
		wrapped(&b, "", "The run was interrupted: what is here was measured, the rest is missing.")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func terminalTable(b *strings.Builder, p page, t table) {
	title := p.Name
	if t.name != "" {
		title += ", " + t.name
	}
	ratios := p.base != "" && p.rounds >= result.MinRounds
	if ratios {
		title += " (÷ " + p.base + ")"
	}
	b.WriteString(clip(title, width) + "\n")
	metrics := p.headline[:min(3, len(p.headline))]
	// Names get what the figures leave. The first two figures have their ratios.
	forValue, rated := 20, 0
	const forRatio = 24
	if ratios {
		forValue, rated = 10, min(2, len(metrics))
	}
	names := width - 2 - forValue*len(metrics) - forRatio*rated
	heads := pad("", 2+names)
	for i, m := range metrics {
		edge := 2 + names + forValue*(i+1) + forRatio*min(i, rated)
		room := edge - utf8.RuneCountInString(heads)
		heads += left(clip(heading(m), room-1), room)
	}
	b.WriteString(strings.TrimRight(heads, " ") + "\n")
	for _, r := range t.rows {
		var line strings.Builder
		line.WriteString("  " + pad(clip(r.label, names-1), names))
		for i, m := range metrics {
			c, _ := r.cell(m.Name)
			value := "–"
			if c.spread.N > 0 {
				value = number(c.spread.Median)
			}
			line.WriteString(left(value, forValue))
			if i < rated {
				text := terminalRatio(c.ratio)
				if c.spread.N == 0 || r.entry.Peer == p.base {
					text = ""
				}
				line.WriteString("  " + pad(text, forRatio-2))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		if s := r.faults.long(); s != "" {
			wrapped(b, "    ⚠ ", s)
		}
	}
}

// terminalRatio marks the verdict with a sign, for want of room.
func terminalRatio(r result.Ratio) string {
	switch r.Verdict {
	case result.Better:
		return strings.TrimSpace("+ " + strings.TrimSuffix(ratio(r), r.Verdict.String()))
	case result.Worse:
		return strings.TrimSpace("- " + strings.TrimSuffix(ratio(r), r.Verdict.String()))
	}
	return "  " + ratio(r)
}

// clip cuts a text to n columns.
func clip(s string, n int) string {
	s = oneLine(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// pad fills a text up with spaces on the right, left on the left.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}

func left(s string, n int) string {
	return strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s))) + s
}

// wrapped writes a text in lines of at most width columns. The first begins with
// prefix and the others are indented as far as it.
func wrapped(b *strings.Builder, prefix, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(prefix))
	line := prefix
	empty := true
	for word := range strings.FieldsSeq(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += clip(word, width-utf8.RuneCountInString(indent))
		empty = false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
