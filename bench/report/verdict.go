package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/bench/result"
)

// loss is a metric in which another server is ahead of the one that the report is
// about.
type loss struct {
	workload, title, caseName string
	ours, rival               string
	metric                    result.Metric
	ratio                     result.Ratio // how many times the worse value is the better one, at least 1
	mine, theirs              string       // medians
	faults                    string       // of the rival, which may explain its lead
}

// standing is how the server that the report is about compares with its rivals,
// over everything measured.
type standing struct {
	focus                      string
	losses                     []loss // the largest first
	failures                   []string
	ahead, even, unknown, with int // comparisons by verdict; with: all that were tried
	spoiled                    int // of the unknown, those where the one in front has errors
	stalled                    int // of the unknown, those where the one behind stalls
	stalls                     []string
	quick                      string // why nothing is concluded at all
}

// stand compares the server that the report is about with its rivals in every
// workload, case and metric.
func stand(all []page) standing {
	s := standing{focus: "uwsgo"}
	for _, p := range all {
		s.focus = p.focus
		if p.settings.QuickLook() {
			s.quick = quickLook(p.settings)
		}
		for _, t := range p.tables {
			for _, r := range t.rows {
				if r.stalls() {
					where := p.Title
					if t.name != "" {
						where += ", " + t.name
					}
					s.stalls = append(s.stalls, r.label+" in "+where)
				}
				if p.ours(r.entry.Peer) {
					s.compare(p, t, r)
				}
			}
		}
	}
	slices.SortStableFunc(s.losses, func(a, b loss) int { return cmp.Compare(b.ratio.Value, a.ratio.Value) })
	return s
}

func (s *standing) compare(p page, t table, r row) {
	where := p.Name
	if t.name != "" {
		where += ", " + t.name
	}
	if r.faults.count > 0 {
		s.failures = append(s.failures, fmt.Sprintf("%s: %s: %s", where, r.label, r.faults.long()))
	}
	if r.entry.Failed != "" {
		s.failures = append(s.failures, fmt.Sprintf("%s: %s was given up: %s", where, r.label, oneLine(r.entry.Failed)))
	}
	if !p.rated() {
		return
	}
	for _, rival := range p.rivals(t, r) {
		for i, mine := range r.cells {
			if !comparable(mine.metric) || mine.spread.N == 0 || rival.cells[i].spread.N == 0 {
				continue
			}
			s.with++
			theirs := rival.cells[i]
			found := judge(mine.metric, r, rival)
			switch found.Verdict {
			case result.Unknown:
				s.unknown++
				switch found.Why {
				case hasErrors, otherHasErrors:
					s.spoiled++
				case stallsItself, otherStalls:
					s.stalled++
				}
			case result.NoDifference:
				s.even++
			case result.Better:
				s.ahead++
			case result.Worse:
				if mine.metric.Higher {
					found = invert(found)
				}
				s.losses = append(s.losses, loss{
					workload: p.Name, title: p.Title, caseName: t.name, ours: r.label, rival: rival.label,
					metric: mine.metric, ratio: found, mine: number(mine.spread.Median), theirs: number(theirs.spread.Median),
					faults: rival.faults.short(),
				})
			}
		}
	}
}

// by is by how much a rival is ahead.
func (l loss) by() string {
	if math.IsInf(l.ratio.Value, 1) {
		return "one has none"
	}
	return factor(l.ratio)
}

// sums says in full sentences how often uwsgo is ahead and behind.
func (s standing) sums() string {
	name := oneLine(s.focus)
	if s.quick != "" {
		return s.quick
	}
	if s.with == 0 {
		return "Nothing was measured that " + name + " could be compared in: it has no rival here."
	}
	if s.unknown == s.with {
		return fmt.Sprintf("Nothing can be concluded from this run: of %s with other servers none had %d rounds of values, without errors, that a ratio can be made of.",
			plural(s.with, "comparison"), result.FullRounds)
	}
	text := fmt.Sprintf("%s was compared with every rival in every figure of every workload. Of %s it is ahead in %s, behind in %s; in %s there is no difference.",
		name, plural(s.with, "comparison"), count(int64(s.ahead)), count(int64(len(s.losses))), count(int64(s.even)))
	if s.unknown > s.spoiled+s.stalled {
		text += fmt.Sprintf(" In %s nothing can be concluded: too few rounds, not the same rounds, or a value of zero.", count(int64(s.unknown-s.spoiled-s.stalled)))
	}
	if s.spoiled > 0 {
		text += fmt.Sprintf(" In %s the one in front has errors in more than %s %% of its answers, or left clients out, and so is not ahead.", count(int64(s.spoiled)), spoilingPercent)
	}
	if s.stalled > 0 {
		text += fmt.Sprintf(" In %s the one behind stalls, which is no merit of the other.", count(int64(s.stalled)))
	}
	if len(s.losses) == 0 {
		text += " In no figure of this run is another server ahead, which does not mean that there is none: these workloads were chosen by uwsgo's makers."
	}
	return text
}

// stallSentence names the servers that stall, or is empty.
func (s standing) stallSentence() string {
	if len(s.stalls) == 0 {
		return ""
	}
	const most = 12
	list := s.stalls
	more := ""
	if len(list) > most {
		list, more = list[:most], fmt.Sprintf(" and %d others", len(list)-most)
	}
	return "These stall, and so are not what anybody is compared with: " + oneLine(strings.Join(list, "; ")) + more +
		". A client that asks alone, at once after each answer, waits there for about 40 ms again and again: the server sends an answer in two parts " +
		"with Nagle's algorithm on, and the second waits until Linux acknowledges the first."
}

// glance is one line of the summary: how the server that the report is about stands
// against the best of another one.
type glance struct {
	page     int // index
	title    string
	caseName string
	ours     string
	base     string // the other's label; empty where there is none
	shapes   int    // of the other that were measured, where it has several
	cells    []cell
	faults   string // of ours
	stalls   bool   // ours
	other    string // connections of the base, where ours had others
	none     string // why there is nothing to say
	rated    bool   // there are ratios to show
}

// glances returns the lines for each workload, case and setup of the report's server: one
// against the best uWSGI of its class, one against the best Granian, or without both, one
// against the best other server.
func glances(all []page) []glance {
	var lines []glance
	for i, p := range all {
		found := false
		for _, t := range p.tables {
			for _, r := range t.rows {
				if !p.ours(r.entry.Peer) {
					continue
				}
				found = true
				g := glance{page: i, title: p.Title, caseName: t.name, ours: r.label, faults: r.faults.short(), stalls: r.stalls()}
				if len(r.samples) == 0 {
					g.none = "not measured"
				}
				for _, m := range p.headline {
					if c, ok := r.cell(m.Name); ok && comparable(m) {
						g.cells = append(g.cells, c)
					}
				}
				if len(r.samples) == 0 || !p.rated() {
					lines = append(lines, g)
					continue
				}
				lines = append(lines, p.matches(t, r, g)...)
			}
		}
		if !found {
			lines = append(lines, glance{page: i, title: p.Title, none: p.focus + " takes no part"})
		}
	}
	return lines
}

// matches completes a line of the summary for each rival.
func (p page) matches(t table, r row, g glance) []glance {
	var lines []glance
	add := func(best *row, shapes int) {
		g := g
		base, _ := t.base(best.entry.Peer, r)
		g.base, g.shapes, g.rated = base.label, shapes, true
		if base.entry.Connection != r.entry.Connection {
			g.other = base.entry.Connection
		}
		g.cells = slices.Clone(g.cells)
		for i, c := range g.cells {
			g.cells[i].ratio = judge(c.metric, r, base)
		}
		lines = append(lines, g)
	}
	for _, name := range []string{"uWSGI", "Granian"} {
		if family(p.focus) == name {
			continue
		}
		of := func(o row) bool { return family(o.entry.Peer) == name }
		best, why := p.best(t, r.entry.Class, of)
		switch {
		case best != nil:
			shapes := 0
			for _, o := range t.rows {
				if o.entry.Class == r.entry.Class && of(o) && len(o.samples) > 0 {
					shapes++
				}
			}
			add(best, shapes)
		case why != "":
			g := g
			g.none = "no " + name + " to compare with: " + why
			lines = append(lines, g)
		}
	}
	if len(lines) > 0 {
		return lines
	}
	best, why := p.best(t, r.entry.Class, func(row) bool { return true })
	switch {
	case best != nil:
		add(best, 1)
	case why != "":
		g.none = "nothing to compare with: " + why
		lines = append(lines, g)
	default:
		g.none = "nothing to compare with"
		lines = append(lines, g)
	}
	return lines
}

// against says whom a glance compares with: "uwsgi-http-socket, the best of 3 (connections one per request)".
func (g glance) against() string {
	s := g.base
	if g.shapes > 1 {
		s += fmt.Sprintf(", the best of %d", g.shapes)
	}
	if g.other != "" {
		s += " (connections " + g.other + ")"
	}
	return s
}

// text is what a glance says: "throughput 1.85× (1.80–1.90) better; p99 no difference".
func (g glance) text() string {
	s := ""
	for _, c := range g.cells {
		if s != "" {
			s += "; "
		}
		s += c.metric.Title + " "
		if !g.rated {
			s += spread(c.spread)
			if c.metric.Unit != "" {
				s += " " + c.metric.Unit
			}
			continue
		}
		s += ratio(c.ratio)
	}
	if g.none != "" {
		if s == "" {
			return g.none
		}
		return g.none + ": " + s
	}
	return s
}
