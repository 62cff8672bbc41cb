// Package report turns outcomes into tables.
package report

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/bench/workload"
)

// Run describes a whole measurement, for the head of a report.
type Run struct {
	Command  []string // what makes the report
	Rounds   int
	Duration time.Duration
	Date     time.Time
}

// Markdown writes the report: how it was made, and one table for each outcome
// with medians over the rounds and whether the goals were met.
func Markdown(w io.Writer, run Run, outcomes []workload.Outcome) error {
	var b strings.Builder
	b.WriteString("# Performance\n\n")
	fmt.Fprintf(&b, "Made on %s by\n\n    %s\n\n", run.Date.Format("2006-01-02"), command(run.Command))
	fmt.Fprintf(&b, "on %s. Each round starts every server afresh, one after the other, and measures it for %v where it is\n", machine(), run.Duration)
	fmt.Fprintf(&b, "measured for a time; the figures are medians of %d rounds. Only the ratios carry over to another machine.\n\n", run.Rounds)
	for _, version := range versions(outcomes) {
		fmt.Fprintf(&b, "- %s\n", version)
	}
	for _, o := range outcomes {
		b.WriteString("\n")
		table(&b, o)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func table(b *strings.Builder, o workload.Outcome) {
	fmt.Fprintf(b, "## %s\n\n%s\n\n", o.Workload.Name, o.Workload.About)
	b.WriteString("| server |")
	for _, m := range o.Workload.Metrics {
		fmt.Fprintf(b, " %s |", strings.TrimSpace(m.Name+" "+m.Unit))
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(o.Workload.Metrics)) + "\n")
	for _, row := range o.Rows {
		fmt.Fprintf(b, "| %s |", row.Entrant.Label())
		for _, m := range o.Workload.Metrics {
			fmt.Fprintf(b, " %s |", number(row.Median(m.Name)))
		}
		b.WriteString("\n")
	}
	if len(o.Workload.Goals) > 0 {
		b.WriteString("\n")
	}
	for _, g := range o.Workload.Goals {
		fmt.Fprintf(b, "- %s\n", Verdict(o, g))
	}
	if len(o.Skipped) > 0 {
		fmt.Fprintf(b, "\nNot measured: %s.\n", strings.Join(o.Skipped, "; "))
	}
	b.WriteString("\n<details><summary>commands</summary>\n\n")
	for _, row := range o.Rows {
		fmt.Fprintf(b, "    %s\n", command(row.Command))
	}
	b.WriteString("\n</details>\n")
}

// Verdict is one line that compares a goal with what was measured.
func Verdict(o workload.Outcome, g workload.Goal) string {
	of, ok := o.Row(g.Of)
	if !ok || len(of.Samples) == 0 {
		return fmt.Sprintf("%s of %s: not measured", g.Metric, g.Of)
	}
	value, what := of.Median(g.Metric), fmt.Sprintf("%s of %s", g.Metric, g.Of)
	if g.Against != "" {
		against, ok := o.Row(g.Against)
		if !ok || len(against.Samples) == 0 {
			return fmt.Sprintf("%s ÷ %s: not measured", what, g.Against)
		}
		value /= against.Median(g.Metric)
		what += " ÷ " + g.Against
	}
	verdict := "met"
	if value > g.Max {
		verdict = "**missed**"
	}
	return fmt.Sprintf("%s = %.2f (at most %s): %s", what, value, number(g.Max), verdict)
}

// number prints three figures or, from 100 on, a whole number.
func number(v float64) string {
	if v >= 100 || v <= -100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// command joins arguments for a reader on another machine: absolute paths are
// cut to their last part, and scripts, which the source shows, left out.
func command(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		switch {
		case strings.Contains(arg, "\n"):
			words[i] = "'…'"
		case filepath.IsAbs(arg):
			words[i] = filepath.Base(arg)
		default:
			words[i] = arg
		}
	}
	return strings.Join(words, " ")
}

func versions(outcomes []workload.Outcome) []string {
	var all []string
	for _, o := range outcomes {
		for _, row := range o.Rows {
			if !slices.Contains(all, row.Version) {
				all = append(all, row.Version)
			}
		}
	}
	if out, err := exec.Command("wrk", "-v").CombinedOutput(); err == nil || len(out) > 0 {
		line, _, _ := strings.Cut(string(out), " Copyright")
		all = append(all, strings.TrimSpace(line))
	}
	return all
}

// machine names the processor, its number of cores, and the kernel.
func machine() string {
	name := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := runtime.GOOS
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = "Linux " + strings.TrimSpace(string(release))
	}
	return fmt.Sprintf("%s, %d cores, %s", name, runtime.NumCPU(), kernel)
}
