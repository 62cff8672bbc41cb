package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/bench/result"
)

// change is how one metric of one server differs between two runs.
type change struct {
	where  string // "hello: uwsgo: CPU (µs/req)"
	before string // medians
	after  string
	ratio  result.Ratio
}

// comparison collects what two runs differ in.
type comparison struct {
	older, newer *result.Run
	threshold    float64
	base         string

	broken        []string // more errors, and servers that are missing
	worse, better []change
	slight        int // changes that are sure, but not beyond the threshold
	even, unknown int
	remarks       []string
}

// Compare writes how newer differs from older, and tells how many regressions
// there are. A metric has regressed when the whole interval of newer ÷ older is
// beyond threshold on the worse side: with 0.05, more than 5 % worse. A share of
// errors that rose by more than moreErrors, and servers or workloads that were
// measured and now are not, count too. With base, the name of a peer, ratios to that peer within each run are
// compared instead of the values, which cancels what the machine did meanwhile.
// It is an error when nothing could be compared, so that nobody takes that for a
// good sign.
func Compare(w io.Writer, older, newer *result.Run, threshold float64, base string) (regressions int, err error) {
	if !(threshold >= 0 && threshold <= maxThreshold) { // also not a number
		return 0, fmt.Errorf("the threshold must be 0 to %g, not %g", float64(maxThreshold), threshold)
	}
	if err := comparableRuns(older, newer, base); err != nil {
		return 0, err
	}
	c := &comparison{older: older, newer: newer, threshold: threshold, base: base}
	c.conditions()
	for _, before := range older.Workloads {
		i := slices.IndexFunc(newer.Workloads, func(x result.Workload) bool { return x.Name == before.Name })
		if i < 0 {
			c.broken = append(c.broken, before.Name+": not measured any more")
			continue
		}
		c.workload(before, newer.Workloads[i])
	}
	c.print(w)
	regressions = len(c.broken) + len(c.worse)
	if regressions == 0 && len(c.better)+c.slight+c.even == 0 {
		return 0, fmt.Errorf("nothing could be compared: both runs need %d rounds or more of the same servers", result.MinRounds)
	}
	return regressions, nil
}

// maxThreshold bounds the threshold: 1000 %.
const maxThreshold = 10

// comparableRuns tells why two runs have nothing in common that could be compared.
func comparableRuns(older, newer *result.Run, base string) error {
	before, after := measured(older), measured(newer)
	for _, r := range []struct {
		which string
		peers []string
	}{{"older", before}, {"newer", after}} {
		switch {
		case len(r.peers) == 0:
			return fmt.Errorf("nothing could be compared: the %s run measured nothing", r.which)
		case base != "" && !slices.Contains(r.peers, base):
			names := make([]string, len(r.peers))
			for i, p := range r.peers {
				names[i] = oneLine(p)
			}
			return fmt.Errorf("nothing could be compared: the base %q was not measured in the %s run, which has %s", base, r.which, strings.Join(names, ", "))
		}
	}
	for _, w := range older.Workloads {
		if slices.ContainsFunc(newer.Workloads, func(x result.Workload) bool { return x.Name == w.Name }) {
			return nil
		}
	}
	return fmt.Errorf("nothing could be compared: the runs have no workload in common")
}

// measured gives the peers that a run has figures of.
func measured(run *result.Run) []string {
	var names []string
	for _, w := range run.Workloads {
		for _, e := range w.Entries {
			if len(e.Samples) > 0 && !slices.Contains(names, e.Peer) {
				names = append(names, e.Peer)
			}
		}
	}
	return names
}

// conditions remarks on what makes the runs hard to compare.
func (c *comparison) conditions() {
	differ := func(what string, a, b any) {
		if a != b {
			c.remarks = append(c.remarks, fmt.Sprintf("%s differ: %v, now %v", what, a, b))
		}
	}
	a, b := c.older, c.newer
	differ("processors", a.Machine.CPU, b.Machine.CPU)
	differ("numbers of processors", a.Machine.Cores, b.Machine.Cores)
	differ("systems", a.Machine.System, b.Machine.System)
	differ("kernels", a.Machine.Kernel, b.Machine.Kernel)
	differ("Go versions", a.Machine.Go, b.Machine.Go)
	differ("Python versions", a.Machine.Python, b.Machine.Python)
	differ("versions of uwsgo-bench", a.Harness, b.Harness)
	differ("seconds of a measurement", a.Settings.Seconds, b.Settings.Seconds)
	differ("threads of the load generator", a.Settings.ClientOn, b.Settings.ClientOn)
	differ("ways of pinning", a.Settings.Pinning, b.Settings.Pinning)
	differ("settings of request logging", a.Settings.Logging, b.Settings.Logging)
	for _, p := range a.Peers {
		i := slices.IndexFunc(b.Peers, func(q result.Peer) bool { return q.Name == p.Name })
		if i >= 0 && p.Absent == "" && b.Peers[i].Absent == "" {
			differ("versions of "+oneLine(p.Name), p.Version, b.Peers[i].Version)
		}
	}
	for _, r := range []struct {
		which string
		run   *result.Run
	}{{"older", a}, {"newer", b}} {
		if n := r.run.Settings.Rounds; n < result.MinRounds {
			c.remarks = append(c.remarks, fmt.Sprintf("the %s run has too few rounds: %d, and a conclusion needs %d", r.which, n, result.MinRounds))
		}
		if !r.run.Complete {
			c.remarks = append(c.remarks, fmt.Sprintf("the %s run was interrupted", r.which))
		}
	}
}

func (c *comparison) workload(before, after result.Workload) {
	has := func(w result.Workload) bool {
		return slices.ContainsFunc(w.Entries, func(e result.Entry) bool { return e.Peer == c.base && len(e.Samples) > 0 })
	}
	if c.base != "" && (!has(before) || !has(after)) {
		c.remarks = append(c.remarks, fmt.Sprintf("%s: %s was not measured in both runs, so the figures are not compared", before.Name, c.base))
	}
	for _, e := range before.Entries {
		name := before.Name + ": " + oneLine(label(before, e))
		i := slices.IndexFunc(after.Entries, func(x result.Entry) bool {
			return x.Peer == e.Peer && x.Shape == e.Shape && x.Connection == e.Connection
		})
		if i < 0 { // the same server in another shape is better than nothing
			i = slices.IndexFunc(after.Entries, func(x result.Entry) bool { return x.Peer == e.Peer })
			if i >= 0 {
				x := after.Entries[i]
				c.remarks = append(c.remarks, fmt.Sprintf("%s ran otherwise: %s %s, now %s %s", name, e.Shape, e.Connection, x.Shape, x.Connection))
			}
		}
		switch {
		case len(e.Samples) == 0:
		case i < 0 || len(after.Entries[i].Samples) == 0 && after.Entries[i].Failed == "":
			c.broken = append(c.broken, name+": not measured any more"+c.reason(after, e.Peer))
		default:
			c.entry(name, before, after, e, after.Entries[i])
		}
	}
}

// reason says why a peer is missing from a workload, if that is known.
func (c *comparison) reason(w result.Workload, peer string) string {
	for _, a := range absent(c.newer, w) {
		if a.Peer == peer && a.Reason != "" {
			return ": " + oneLine(a.Reason)
		}
	}
	for _, p := range c.newer.Peers {
		if p.Name == peer && p.Absent != "" {
			return ": " + oneLine(p.Absent)
		}
	}
	return ""
}

func (c *comparison) entry(name string, before, after result.Workload, old, now result.Entry) {
	if old.Failed == "" && now.Failed != "" {
		c.broken = append(c.broken, name+": given up: "+oneLine(now.Failed))
	}
	cases := before.Cases
	if len(cases) == 0 {
		cases = []string{""}
	}
	for _, caseName := range cases {
		where := name
		if caseName != "" {
			where = before.Name + ", " + caseName + ": " + oneLine(label(before, old))
		}
		was, is := newRow(before, &old, caseName, nil), newRow(after, &now, caseName, nil)
		switch {
		case len(was.samples) == 0:
			continue
		case len(is.samples) == 0:
			if now.Failed == "" || len(cases) > 1 {
				c.broken = append(c.broken, where+": not measured any more")
			}
			continue
		}
		c.faults(where, was.faults, is.faults)
		for _, metric := range before.Metrics {
			m := result.FindMetric(metric)
			if comparable(m) && slices.Contains(after.Metrics, metric) && (len(was.values(metric)) > 0 || len(is.values(metric)) > 0) && old.Peer != c.base {
				c.metric(where, m, was.faults, is.faults, c.values(before, old, caseName, m), c.values(after, now, caseName, m))
			}
		}
	}
}

// moreErrors is by how much the share of errors must rise to be a regression.
const moreErrors = 0.001

// faults compares the errors of a server.
func (c *comparison) faults(where string, was, is faults) {
	before := "none"
	if was.count > 0 || was.left != "" {
		before = was.long()
	}
	switch rose := is.share() - was.share(); {
	case rose > moreErrors || is.part > was.part:
		c.broken = append(c.broken, where+": more errors: "+is.long()+"; before: "+before)
	case is.share() == 1 && was.share() == 1 && is.count > was.count && is.asked < is.count:
		c.broken = append(c.broken, where+": more errors, of an unknown number of requests: "+is.long()+"; before: "+before)
	case is.count > 0 && was.count == 0:
		c.remarks = append(c.remarks, where+": errors appeared, in too few answers to count: "+is.long())
	}
}

// values gives those that are compared: of the metric, or with a base, ratios to
// the base by round. The base itself has no ratio and so is not compared.
func (c *comparison) values(w result.Workload, e result.Entry, caseName string, m result.Metric) map[int]float64 {
	values := e.Values(caseName, m.Name)
	if c.base == "" {
		return values
	}
	p := table{}
	for i := range w.Entries {
		p.rows = append(p.rows, row{entry: &w.Entries[i], label: label(w, w.Entries[i]), samples: w.Entries[i].Samples})
	}
	base, ok := p.base(c.base, row{entry: &e, label: label(w, e)})
	if !ok || e.Peer == c.base {
		return nil
	}
	others := base.entry.Values(caseName, m.Name)
	if !result.SameRounds(values, others) {
		return nil
	}
	ratios := map[int]float64{}
	for round, b := range others {
		if b > 0 {
			ratios[round] = values[round] / b
		}
	}
	return ratios
}

func (c *comparison) metric(where string, m result.Metric, was, is faults, before, after map[int]float64) {
	r, ok := zeros(m, after, before)
	if !ok {
		r = result.CompareRuns(m, after, before)
	}
	if r.Verdict == result.Unknown {
		r = apart(m, r, after, before)
	}
	// Errors make figures better; those that both runs have do so in both.
	r = withhold(m, r, is.part > was.part || is.share() > was.share()+moreErrors, was.part > is.part || was.share() > is.share()+moreErrors)
	unit := heading(m)
	if c.base != "" {
		unit = m.Title + " ÷ " + c.base
	}
	ch := change{where + ": " + unit, number(result.SpreadOf(before).Median), number(result.SpreadOf(after).Median), r}
	beyond := r.Low > 1+c.threshold || r.High < 1-c.threshold || r.Value == 0 || r.Value == inf
	switch {
	case r.Verdict == result.Unknown:
		c.unknown++
	case r.Verdict == result.NoDifference:
		c.even++
	case !beyond:
		c.slight++
	case r.Verdict == result.Worse:
		c.worse = append(c.worse, ch)
	default:
		c.better = append(c.better, ch)
	}
}

// apart decides where zeros among the values allow no ratio, but all of one run lie
// above all of the other.
func apart(m result.Metric, unknown result.Ratio, newer, older map[int]float64) result.Ratio {
	if len(newer) < result.MinRounds || len(older) < result.MinRounds {
		return unknown
	}
	leastNew, mostNew := bounds(newer)
	leastOld, mostOld := bounds(older)
	r := result.Ratio{Value: inf, Verdict: result.Worse}
	switch {
	case leastNew < 0 || leastOld < 0:
		return unknown
	case leastNew > mostOld && m.Higher || mostNew < leastOld && !m.Higher:
		r.Verdict = result.Better
	case leastNew <= mostOld && mostNew >= leastOld:
		return unknown
	}
	return r
}

func (c *comparison) print(w io.Writer) {
	var b strings.Builder
	percent := number(100*c.threshold) + " %"
	fmt.Fprintf(&b, "older: %s, uwsgo-bench %s\nnewer: %s, uwsgo-bench %s\n", c.older.Started.UTC().Format("2006-01-02 15:04"), c.older.Harness,
		c.newer.Started.UTC().Format("2006-01-02 15:04"), c.newer.Harness)
	if c.base != "" {
		fmt.Fprintf(&b, "Compared are ratios to %s within each run.\n", oneLine(c.base))
	}
	for _, s := range c.remarks {
		wrapped(&b, plainWidth, "note: ", oneLine(s))
	}
	if len(c.broken) > 0 {
		b.WriteString("\nBroken:\n")
		for _, s := range c.broken {
			wrapped(&b, plainWidth, "  ", s)
		}
	}
	changes(&b, "Worse by more than "+percent, c.worse)
	changes(&b, "Better by more than "+percent, c.better)
	fmt.Fprintf(&b, "\n%d worse, %d better, %d changed by less than %s, %d without a difference, %d without a conclusion.\n",
		len(c.worse), len(c.better), c.slight, percent, c.even, c.unknown)
	switch n := len(c.broken) + len(c.worse); {
	case n > 0:
		fmt.Fprintf(&b, "%s.\n", plural(n, "regression"))
	case len(c.better)+c.slight+c.even > 0:
		b.WriteString("No regression.\n")
	}
	fmt.Fprint(w, b.String())
}

func changes(b *strings.Builder, title string, list []change) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n", title)
	for _, ch := range list {
		text := fmt.Sprintf("%s: %s, was %s", ch.where, ch.after, ch.before)
		if ch.ratio.Value != 0 && ch.ratio.Value != inf {
			text += ": " + factor(ch.ratio)
		}
		wrapped(b, plainWidth, "  ", oneLine(text))
	}
}
