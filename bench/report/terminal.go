package report

import (
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/uwsgo/uwsgo/bench/result"
)

// Widths of the terminal table, in columns.
const (
	leastWidth = 80
	plainWidth = 100 // where the output is no terminal
	mostWidth  = 200
)

// Table writes the headline figures of a run as plain text: as wide as the
// terminal, if w is one.
func Table(w io.Writer, run *result.Run) error {
	width := plainWidth
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			width = min(max(n, leastWidth), mostWidth)
		}
	}
	return terminal(w, run, width)
}

func terminal(w io.Writer, run *result.Run, width int) error {
	all := pages(run)
	var b strings.Builder
	for i, p := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		g := newGrid(p, width)
		for _, t := range p.tables {
			g.table(&b, t, width)
		}
		for _, s := range p.failures() {
			wrapped(&b, width, "  ⚠ ", s)
		}
		for _, a := range p.absent {
			wrapped(&b, width, "  not measured: ", a.Peer+": "+oneLine(a.Reason))
		}
		if s := p.noRatios(); s != "" && !p.settings.QuickLook() {
			wrapped(&b, width, "  ", s)
		}
	}
	b.WriteString("\n")
	s := stand(all)
	wrapped(&b, width, "", s.sums())
	if text := s.stallSentence(); text != "" {
		wrapped(&b, width, "⚠ ", text)
	}
	if !run.Complete {
		wrapped(&b, width, "", "The run was interrupted: what is here was measured, the rest is missing.")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// grid is a workload's table for the terminal, with the width of each column.
type grid struct {
	page    page
	metrics []result.Metric
	rated   int  // of the metrics, how many have their ratios beside them
	short   bool // ratios without their intervals
	names   int
	values  []int
	ratios  []int
}

const (
	gap       = 2  // columns between two columns
	mostNames = 28 // columns of a name
	leastName = 12
)

// newGrid takes as many figures of a workload as fit, which are worth more than
// the intervals of their ratios.
func newGrid(p page, width int) grid {
	most := min(3, len(p.headline))
	rated := 0
	if p.rated() {
		rated = 2
	}
	g := grid{page: p}
	g.measure(width)
	for n := most; n > 0; n-- {
		for _, short := range []bool{false, true} {
			g = grid{page: p, metrics: p.headline[:n], rated: min(rated, n), short: short}
			if g.measure(width) {
				return g
			}
		}
	}
	return g
}

// measure finds the widths, and tells whether all fits.
func (g *grid) measure(width int) bool {
	g.names, g.values, g.ratios = len("server"), make([]int, len(g.metrics)), make([]int, len(g.metrics))
	used := 0
	for i, m := range g.metrics {
		g.values[i] = max(min(columns(m.Title), mostNames), min(columns(m.Unit), mostNames), 8)
		for _, t := range g.page.tables {
			for _, r := range t.rows {
				g.names = max(g.names, min(columns(oneLine(r.label)), mostNames))
				g.values[i] = max(g.values[i], columns(g.value(r, i)))
				g.ratios[i] = max(g.ratios[i], columns(g.ratio(t, r, i)))
			}
		}
		used += gap + g.values[i]
		if g.ratios[i] > 0 {
			used += gap + g.ratios[i]
		}
	}
	if room := width - gap - used; room < g.names {
		g.names = max(room, min(g.names, leastName))
		return room >= min(g.names, 20)
	}
	return true
}

func (g *grid) value(r row, i int) string {
	c, _ := r.cell(g.metrics[i].Name)
	if c.spread.N == 0 {
		return "–"
	}
	return number(c.spread.Median)
}

func (g *grid) ratio(t table, r row, i int) string {
	c, _ := r.cell(g.metrics[i].Name)
	if i >= g.rated || c.spread.N == 0 || t.isBase(r) {
		return ""
	}
	return terminalRatio(c.ratio, g.short)
}

// head writes the titles of the columns, and below them the units.
func (g *grid) head(b *strings.Builder) {
	titles, units := pad("  server", gap+g.names), pad("", gap+g.names)
	for i, m := range g.metrics {
		titles += strings.Repeat(" ", gap) + left(clip(m.Title, g.values[i]), g.values[i])
		units += strings.Repeat(" ", gap) + left(clip(m.Unit, g.values[i]), g.values[i])
		if g.ratios[i] > 0 {
			blank := strings.Repeat(" ", gap+g.ratios[i])
			titles, units = titles+blank, units+blank
		}
	}
	b.WriteString(strings.TrimRight(titles, " ") + "\n" + strings.TrimRight(units, " ") + "\n")
}

func (g *grid) table(b *strings.Builder, t table, width int) {
	title := g.page.Name
	if t.name != "" {
		title += ", " + t.name
	}
	if g.page.rated() && len(t.bases) > 0 {
		title += " (÷ " + t.versus() + ")"
	}
	b.WriteString(clip(title, width) + "\n")
	g.head(b)
	for _, r := range t.rows {
		var line strings.Builder
		line.WriteString("  " + pad(clip(r.label, g.names), g.names))
		for i := range g.metrics {
			line.WriteString(strings.Repeat(" ", gap) + left(g.value(r, i), g.values[i]))
			if g.ratios[i] > 0 {
				line.WriteString(strings.Repeat(" ", gap) + pad(g.ratio(t, r, i), g.ratios[i]))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		if s := r.faults.long(); s != "" {
			wrapped(b, width, "    ⚠ ", s)
		}
		if r.stalls() {
			wrapped(b, width, "    ⚠ ", "stalls for about 40 ms again and again")
		}
	}
}

// terminalRatio marks the verdict with a sign, for want of room.
func terminalRatio(r result.Ratio, short bool) string {
	text := strings.TrimSpace(strings.TrimSuffix(ratio(r), r.Verdict.String()))
	if short && r.Verdict != result.Unknown && r.Low > 0 {
		text = times(r.Value)
	}
	switch {
	case r.Verdict == result.Better:
		return strings.TrimSpace("+ " + text)
	case r.Verdict == result.Worse:
		return strings.TrimSpace("- " + text)
	case short && r.Verdict == result.NoDifference:
		return "  no diff."
	case short && r.Why == hasErrors:
		return "  – errors"
	case short && r.Why == stallsItself:
		return "  – stalls"
	case short && r.Verdict == result.Unknown:
		return "  –"
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

func columns(s string) int { return utf8.RuneCountInString(s) }

// pad fills a text up with spaces on the right, left on the left.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}

func left(s string, n int) string {
	return strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s))) + s
}

// wrapped writes a text in lines of at most width columns. The first begins with
// prefix and the others are indented as far as it.
func wrapped(b *strings.Builder, width int, prefix, text string) {
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
