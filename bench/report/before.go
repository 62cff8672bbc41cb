package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/bench/result"
)

// Before writes one table of Markdown: what each case of a run costs by now, beside the server named
// before, which is an earlier state of the one that the report is about, and beside a rival. It
// shows the CPU for an answer, or the memory of a connection, or else the first figure of a
// workload. It returns an error where one of them was not measured.
func Before(w io.Writer, run *result.Run, before, rival string) error {
	all := pages(run)
	ours := focus(run)
	for _, name := range []string{ours, before, rival} {
		if !slices.ContainsFunc(all, func(p page) bool {
			return slices.ContainsFunc(p.Entries, func(e result.Entry) bool { return e.Peer == name && len(e.Samples) > 0 })
		}) {
			return fmt.Errorf("no figures of %q in this run", name)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## Before and after\n\nMade %s by\n\n    %s\n\n%s\n\n", date(run), command(run.Command),
		escape(fmt.Sprintf("%s is now, %s is an earlier %s, all in the same run. A figure is the median of %s of %s s. Below 1× is better, but for figures of which more is better.",
			ours, before, ours, plural(run.Settings.Rounds, "round"), number(run.Settings.Seconds))))
	fmt.Fprintf(&b, "| workload | figure | %s | %s | %s | now to before | now to %[3]s |\n|---|---|---:|---:|---:|---:|---:|\n", escape(before), escape(ours), escape(rival))
	for _, p := range all {
		m := p.headline[0]
		for _, name := range []string{"kib", "cpu"} {
			if slices.Contains(p.Metrics, name) {
				m = result.FindMetric(name)
			}
		}
		for _, t := range p.tables {
			title := p.Title
			if t.name != "" {
				title += ", " + t.name
			}
			now, ok := t.base(ours, row{entry: &result.Entry{}})
			if !ok {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s |", escape(title), escape(heading(m)))
			was, _ := t.base(before, now)
			other, _ := t.base(rival, now)
			for _, r := range []row{was, now, other} {
				fmt.Fprintf(&b, " %s |", spread(result.SpreadOf(r.values(m.Name))))
			}
			for _, r := range []row{was, other} {
				fmt.Fprintf(&b, " %s |", plainRatio(compare(m, now.values(m.Name), r.values(m.Name))))
			}
			b.WriteString("\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plainRatio prints a ratio without a verdict: here small ones count, too.
func plainRatio(r result.Ratio) string {
	switch {
	case r.Value == 0:
		return "–"
	case r.Low == 0: // too few rounds for an interval
		return times(r.Value)
	}
	return factor(r)
}
