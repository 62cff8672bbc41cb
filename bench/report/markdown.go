package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/bench/result"
)

// mostLosses is how many losses the page of Markdown lists.
const mostLosses = 15

// Markdown writes a run as one page of documentation: how it was made, a summary,
// the headline figures, and where uwsgo loses. All other figures, curves and
// commands are in the page for the browser.
func Markdown(w io.Writer, run *result.Run) error {
	all := pages(run)
	var b strings.Builder
	markdownHead(&b, run)
	s := stand(all)
	markdownSummary(&b, all, s)
	markdownFigures(&b, all)
	markdownLosses(&b, s)
	markdownPeers(&b, run)
	_, err := io.WriteString(w, b.String())
	return err
}

func markdownHead(b *strings.Builder, run *result.Run) {
	b.WriteString("# Performance\n\n")
	if run.Settings.QuickLook() {
		fmt.Fprintf(b, "**%s**\n\n", escape(quickLook(run.Settings)))
	}
	fmt.Fprintf(b, "Made %s by\n\n    %s\n\n", date(run), command(run.Command))
	fmt.Fprintf(b, "on %s. The program writes this page; what is changed by hand is lost. The same command makes a page for the browser, `report.html`, "+
		"with every figure, latency curves, each server's command and configuration.\n\n", escape(machine(run.Machine)))
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

// chance is the warning for readers of many comparisons.
func chance(run *result.Run) string {
	rounds := max(run.Settings.Rounds, result.FullRounds)
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
	list := []string{
		fmt.Sprintf("The servers took turns in %s. A turn starts the server afresh, warms it up for %s s with the same load and then measures it for %s s, or for as long as the work takes. "+
			"A figure is the median over the rounds, with the least and the greatest behind it.",
			plural(s.Rounds, "round"), number(s.WarmUp), number(s.Seconds)),
	}
	if !s.QuickLook() {
		list = append(list,
			"A ratio compares two servers round by round. "+interval(run)+" "+chance(run),
			"Compared are servers of one class: behind nginx, or speaking HTTP or the uwsgi protocol themselves. Of uWSGI and of Granian that is the shape that does best in the "+
				"first figure of the workload. One that has errors, left clients out or stalls is never it.")
	}
	checked := "Every answer was checked. A wrong or missing one is an error and counts as no answer."
	if !s.QuickLook() {
		checked += fmt.Sprintf(" A server with errors in more than %s %% of its answers, "+
			"or that left clients without any, is not said to be better in any figure: \"– (has errors)\".", spoilingPercent)
	}
	return append(list, checked,
		strings.TrimSpace(sentence(s.Pinning)+" "+fmt.Sprintf("The load generator ran on %s.", plural(s.ClientOn, "thread"))),
		fmt.Sprintf("%s Harness: uwsgo-bench %s. Only ratios carry over to another machine.", logging, run.Harness),
	)
}

// interval says what stands behind a ratio, and how sure it is.
func interval(run *result.Run) string {
	return fmt.Sprintf("Behind it is an interval that holds the true one in %s %% of all cases (from %d rounds). "+
		"Where that holds 1 the report says \"no difference\", and \"–\" where there were not the same rounds of both servers, or a zero.",
		number(100*result.Coverage(run.Settings.Rounds)), run.Settings.Rounds)
}

func markdownSummary(b *strings.Builder, all []page, s standing) {
	name := escape(s.focus)
	b.WriteString("\n## Summary\n\n")
	if s.quick == "" {
		fmt.Fprintf(b, "%s against the best shape of another server: a factor with its interval, and whether that is better or worse for %s.\n\n", name, name)
	}
	fmt.Fprintf(b, "| workload | %s as | against | result |\n|---|---|---|---|\n", name)
	for _, g := range glances(all) {
		title := escape(g.title)
		if g.caseName != "" {
			title += ", " + escape(g.caseName)
		}
		text := escape(g.text())
		if g.faults != "" {
			text += "; **⚠ " + g.faults + "**"
		}
		if g.stalls {
			text += "; **⚠ stalls**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", title, orDash(escape(g.ours)), orDash(escape(g.against())), text)
	}
	if text := s.stallSentence(); text != "" {
		fmt.Fprintf(b, "\n**⚠ %s**\n", escape(text))
	}
}

// markdownFigures writes the headline figures of every server.
func markdownFigures(b *strings.Builder, all []page) {
	b.WriteString("\n## Figures\n")
	for _, p := range all {
		for _, t := range p.tables {
			title := p.Title
			if t.name != "" {
				title += ", " + t.name
			}
			fmt.Fprintf(b, "\n### %s\n\n", escape(title))
			if s := p.noRatios(); s != "" && !p.settings.QuickLook() {
				fmt.Fprintf(b, "%s\n\n", escape(s))
			}
			b.WriteString("| server | connections |")
			for _, m := range p.headline {
				fmt.Fprintf(b, " %s |", escape(heading(m)))
			}
			b.WriteString("\n|---|---|" + strings.Repeat("---:|", len(p.headline)) + "\n")
			for _, r := range t.rows {
				markdownRow(b, p, r)
			}
		}
		for _, s := range p.failures() {
			fmt.Fprintf(b, "\n**⚠ %s**\n", escape(shorten(s)))
		}
	}
}

func markdownRow(b *strings.Builder, p page, r row) {
	name := strong(escape(r.label), p.ours(r.entry.Peer))
	if s := r.faults.short(); s != "" {
		name += " **⚠ " + escape(s) + "**"
	}
	if r.stalls() {
		name += " **⚠ stalls**"
	}
	fmt.Fprintf(b, "| %s | %s |", name, orDash(escape(r.entry.Connection)))
	for _, m := range p.headline {
		fmt.Fprintf(b, " %s |", spread(result.SpreadOf(r.values(m.Name))))
	}
	b.WriteString("\n")
}

func markdownLosses(b *strings.Builder, s standing) {
	fmt.Fprintf(b, "\n## Where %s loses\n\n%s\n", escape(s.focus), escape(s.sums()))
	for _, f := range s.failures {
		fmt.Fprintf(b, "\n- **⚠ %s**", escape(shorten(f)))
	}
	if len(s.failures) > 0 {
		b.WriteString("\n")
	}
	if len(s.losses) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n\nThe largest first. \"By\" is how many times the worse value is the better one.\n\n", rivalry)
	fmt.Fprintf(b, "| workload | figure | ahead of %s | by | %s | the other |\n|---|---|---|---|---:|---:|\n", escape(s.focus), escape(s.focus))
	for _, l := range s.losses[:min(len(s.losses), mostLosses)] {
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
	if more := len(s.losses) - mostLosses; more > 0 {
		fmt.Fprintf(b, "\n%s more in the page for the browser.\n", count(int64(more)))
	}
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
