package report

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/bench/result"
)

// Markdown writes a run as a page of documentation: how it was made, a summary,
// where uwsgo loses, and a section for each workload.
func Markdown(w io.Writer, run *result.Run) error {
	all := pages(run)
	var b strings.Builder
	markdownHead(&b, run)
	s := stand(all)
	markdownSummary(&b, all, s.focus)
	markdownLosses(&b, run, s)
	for _, p := range all {
		markdownPage(&b, p)
	}
	markdownPeers(&b, run)
	_, err := io.WriteString(w, b.String())
	return err
}

func markdownHead(b *strings.Builder, run *result.Run) {
	fmt.Fprintf(b, "# Performance\n\nMade %s by\n\n    %s\n\n", date(run), command(run.Command))
	fmt.Fprintf(b, "on %s. The program writes this page; what is changed by hand is lost.\n\n", escape(machine(run.Machine)))
	for _, s := range method(run) {
		fmt.Fprintf(b, "- %s\n", escape(s))
	}
	if !run.Complete {
		b.WriteString("\n**This run was interrupted.** What is here was measured; the rest is missing.\n")
	}
}

// date says when a run was made and how long it took.
func date(run *result.Run) string {
	s := "on " + run.Started.UTC().Format("2006-01-02 15:04") + " UTC"
	took := run.Finished.Sub(run.Started)
	switch minutes := int(took.Round(time.Minute).Minutes()); {
	case took <= 0:
		return s
	case minutes < 1:
		return s + " in less than a minute"
	case minutes < 60:
		return fmt.Sprintf("%s in %d min", s, minutes)
	default:
		return fmt.Sprintf("%s in %d h %d min", s, minutes/60, minutes%60)
	}
}

// chance is what a reader of many comparisons has to know.
func chance(run *result.Run) string {
	rounds := max(run.Settings.Rounds, result.MinRounds)
	return fmt.Sprintf("Even so, with %d rounds about one in %s comparisons of two equal servers tells them apart by chance: "+
		"a small difference in one figure alone means little.", rounds, number(math.Round(1/(1-result.Coverage(rounds)))))
}

// method says in a few sentences how the figures came about.
func method(run *result.Run) []string {
	s := run.Settings
	logging := "Request logging was off in all servers."
	if s.Logging {
		logging = "Request logging was on in all servers."
	}
	return []string{
		fmt.Sprintf("The servers took turns in %s. A turn starts the server afresh, warms it up for %s s with the same load and then measures it for %s s, or for as long as the work takes.",
			plural(s.Rounds, "round"), number(s.WarmUp), number(s.Seconds)),
		"A figure is the median over the rounds, with the least and the greatest behind it.",
		"A ratio compares two servers round by round. " + interval(run) + " " + chance(run),
		fmt.Sprintf("Every answer was checked. A wrong or missing one is an error and counts as no answer. A server with errors in more than %s %% of its answers, "+
			"or that left clients without any, is not said to be better in any figure: \"– (has errors)\".", spoilingPercent),
		rivalry,
		strings.TrimSpace(sentence(s.Pinning) + " " + fmt.Sprintf("The load generator ran on %s.", plural(s.ClientOn, "thread"))),
		logging,
		fmt.Sprintf("Harness: uwsgo-bench %s. Only ratios carry over to another machine.", run.Harness),
	}
}

// interval says what stands behind a ratio, and how sure it is.
func interval(run *result.Run) string {
	if n := run.Settings.Rounds; n < result.MinRounds {
		return fmt.Sprintf("With fewer than %d rounds nothing is concluded.", result.MinRounds)
	}
	return fmt.Sprintf("Behind it is an interval that holds the true one in %s %% of all cases (bootstrap over %d rounds). "+
		"Where that holds 1 the report says \"no difference\", and \"–\" where there were fewer than %d rounds, not the same rounds of both servers, or a zero.",
		number(100*result.Coverage(run.Settings.Rounds)), run.Settings.Rounds, result.MinRounds)
}

func markdownSummary(b *strings.Builder, all []page, focus string) {
	name := escape(focus)
	fmt.Fprintf(b, "\n## Summary\n\n%s against the server in the second column: a factor with its interval, and whether that is better or worse for %s.\n\n"+
		"| workload | %s against | result |\n|---|---|---|\n", name, name, name)
	for _, g := range glances(all) {
		title := escape(g.title)
		if g.caseName != "" {
			title += ", " + escape(g.caseName)
		}
		if g.ours != "" && g.ours != focus {
			title += " (" + escape(g.ours) + ")"
		}
		text := escape(g.text())
		if g.faults != "" {
			text += "; **⚠ " + g.faults + "**"
		}
		base := orDash(escape(g.base))
		if g.other != "" {
			base += ", connections " + escape(g.other)
		}
		if g.rival != "" {
			base += " (**⚠ " + g.rival + "**)"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", title, base, text)
	}
}

func markdownLosses(b *strings.Builder, run *result.Run, s standing) {
	fmt.Fprintf(b, "\n## Where %s loses\n\n%s\n\n%s\n", escape(s.focus), escape(s.sums()), rivalry)
	for _, f := range s.failures {
		fmt.Fprintf(b, "\n- **⚠ %s**", escape(f))
	}
	if len(s.failures) > 0 {
		b.WriteString("\n")
	}
	if len(s.losses) == 0 {
		return
	}
	b.WriteString("\nThe largest first. \"By\" is how many times the worse value is the better one. " + chance(run) + "\n\n")
	fmt.Fprintf(b, "| workload | figure | ahead of %s | by | %s | the other |\n|---|---|---|---|---:|---:|\n", escape(s.focus), escape(s.focus))
	for _, l := range s.losses {
		where, rival := escape(l.workload), escape(l.rival)
		if l.caseName != "" {
			where += ", " + escape(l.caseName)
		}
		if l.ours != s.focus {
			where += " (" + escape(l.ours) + ")"
		}
		if l.faults != "" {
			rival += " (⚠ " + l.faults + ")"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", where, escape(heading(l.metric)), rival, l.by(), l.mine, l.theirs)
	}
}

func markdownPage(b *strings.Builder, p page) {
	fmt.Fprintf(b, "\n## %s\n\n`%s`: %s\n", escape(p.Title), strings.ReplaceAll(oneLine(p.Name), "`", "'"), escape(sentence(p.About)))
	if s := p.noRatios(); s != "" {
		fmt.Fprintf(b, "\n%s\n", escape(s))
	}
	if p.rated() {
		fmt.Fprintf(b, "\nThe second line of a cell is the ratio to %s.\n", escape(p.base))
	}
	for _, s := range p.failures() {
		fmt.Fprintf(b, "\n**⚠ %s**\n", escape(shorten(s)))
	}
	for _, t := range p.tables {
		if t.name != "" {
			fmt.Fprintf(b, "\n### %s: %s\n", escape(p.Title), escape(t.name))
		}
		markdownTable(b, p, t)
	}
	if len(p.absent) > 0 {
		b.WriteString("\nNot measured:\n\n")
		for _, a := range p.absent {
			fmt.Fprintf(b, "- %s: %s\n", escape(a.Peer), escape(shorten(a.Reason)))
		}
	}
	markdownCommands(b, p)
}

func markdownTable(b *strings.Builder, p page, t table) {
	b.WriteString("\n| server | processes × threads | connections |")
	for _, m := range p.columns {
		fmt.Fprintf(b, " %s |", escape(heading(m)))
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---:|", len(p.columns)) + "\n")
	var remarks []string
	for _, r := range t.rows {
		fmt.Fprintf(b, "| %s | %s | %s |", strong(escape(r.label), p.ours(r.entry.Peer)), orDash(escape(r.entry.Shape)), orDash(escape(r.entry.Connection)))
		for _, c := range r.cells {
			fmt.Fprintf(b, " %s |", markdownCell(p, r, c))
		}
		b.WriteString("\n")
		if s := r.faults.long(); s != "" {
			remarks = append(remarks, "**⚠ "+escape(r.label+": "+s)+"**")
		}
		for _, note := range r.notes {
			remarks = append(remarks, escape(r.label+": "+shorten(note)))
		}
	}
	if len(remarks) > 0 {
		b.WriteString("\n")
	}
	for _, s := range remarks {
		fmt.Fprintf(b, "- %s\n", s)
	}
}

func markdownCell(p page, r row, c cell) string {
	s := spread(c.spread)
	if c.metric.Name == "errors" && r.faults.count > 0 {
		return "**⚠ " + s + "**"
	}
	if c.spread.N == 0 || !p.rated() || !comparable(c.metric) || r.entry.Peer == p.base {
		return s
	}
	return s + "<br>" + ratio(c.ratio)
}

// markdownCommands lists what was run, for a stranger to repeat.
func markdownCommands(b *strings.Builder, p page) {
	if len(p.Entries) == 0 {
		return
	}
	b.WriteString("\n<details><summary>Commands and configuration</summary>\n")
	for _, e := range p.Entries {
		fmt.Fprintf(b, "\n%s, TCP_NODELAY %s:\n\n    %s\n", escape(label(p.Workload, e)), escape(orUnknown(e.NoDelay)), command(e.Command))
		for _, name := range slices.Sorted(maps.Keys(e.Files)) {
			fmt.Fprintf(b, "\n%s:\n\n", escape(shorten(name)))
			for line := range strings.Lines(strings.TrimRight(e.Files[name], "\n")) {
				b.WriteString("    " + shorten(strings.TrimRight(line, "\r\n")) + "\n")
			}
		}
	}
	b.WriteString("\n</details>\n")
}

func markdownPeers(b *strings.Builder, run *result.Run) {
	b.WriteString("\n## Servers\n\n| server | version | what it is |\n|---|---|---|\n")
	for _, p := range run.Peers {
		version := escape(p.Version)
		if p.Absent != "" {
			version = "absent: " + escape(shorten(p.Absent))
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", escape(p.Name), orDash(version), escape(p.About))
	}
}

var special = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "[", `\[`, "]", `\]`, "*", `\*`, "`", "\\`")

// escape makes a text that others wrote plain within a line of Markdown.
func escape(s string) string { return special.Replace(oneLine(s)) }

func strong(s string, yes bool) string {
	if yes {
		return "**" + s + "**"
	}
	return s
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
