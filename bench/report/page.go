package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/bench/result"
)

// busyClient is the share of a processor, in per cent, above which the load
// generator may be what limits a figure.
const busyClient = 80

// page is a workload with everything computed that the forms of a report show.
type page struct {
	result.Workload
	columns  []result.Metric
	headline []result.Metric // the few that a summary shows
	focus    string          // the server that the report is about
	base     string          // the peer that ratios are to; "" if there is none
	instead  string          // a sentence, where that is not the one that the workload names
	rounds   int             // most rounds that any value was measured in
	tables   []table         // one for each case
	absent   []result.Absent
}

// table is one case of a workload: servers by metrics.
type table struct {
	name string // of the case; "" if the workload has but one
	rows []row
}

// row is one server in one case.
type row struct {
	entry   *result.Entry
	label   string // names the entry within its workload
	cells   []cell // as page.columns
	samples []result.Sample
	faults  faults
	notes   []string
}

// cell is one metric of one server in one case.
type cell struct {
	metric result.Metric
	values map[int]float64
	spread result.Spread
	ratio  result.Ratio // to the base
}

// pages computes what is shown of each workload of a run.
func pages(run *result.Run) []page {
	all := make([]page, len(run.Workloads))
	about := focus(run)
	for i, w := range run.Workloads {
		all[i] = newPage(run, w, about)
	}
	return all
}

func newPage(run *result.Run, w result.Workload, focus string) page {
	p := page{Workload: w, focus: focus, headline: headline(w), absent: absent(run, w)}
	p.chooseBase()
	for _, name := range w.Metrics {
		p.columns = append(p.columns, result.FindMetric(name))
	}
	cases := w.Cases
	if len(cases) == 0 {
		cases = []string{""}
	}
	for _, name := range cases {
		t := table{name: name}
		for i := range w.Entries {
			t.rows = append(t.rows, newRow(w, &w.Entries[i], name, p.columns))
		}
		for i := range t.rows {
			base, ok := t.base(p.base, t.rows[i])
			if !ok {
				continue
			}
			for j := range t.rows[i].cells {
				c := &t.rows[i].cells[j]
				if base.label != t.rows[i].label && comparable(c.metric) {
					c.ratio = judge(c.metric, t.rows[i], base)
				}
			}
		}
		for _, r := range t.rows {
			for _, c := range r.cells {
				p.rounds = max(p.rounds, c.spread.N)
			}
		}
		p.tables = append(p.tables, t)
	}
	return p
}

func newRow(w result.Workload, e *result.Entry, caseName string, columns []result.Metric) row {
	r := row{entry: e, label: label(w, *e), faults: faults{kinds: map[string]int64{}}}
	busy := 0.0
	for _, s := range e.Samples {
		if s.Case != caseName {
			continue
		}
		r.samples = append(r.samples, s)
		r.faults.add(s)
		busy = max(busy, s.Values["client"])
		for _, note := range s.Notes {
			note = oneLine(note)
			if (&faults{}).leave(note) { // it stands with the errors
				continue
			}
			if !slices.Contains(r.notes, note) {
				r.notes = append(r.notes, note)
			}
		}
	}
	if busy > busyClient {
		r.notes = append(r.notes, fmt.Sprintf("the load generator was busy for %s %% of the time: the server may be able to do more than is shown", number(busy)))
	}
	for _, m := range columns {
		values := e.Values(caseName, m.Name)
		r.cells = append(r.cells, cell{metric: m, values: values, spread: result.SpreadOf(values)})
	}
	return r
}

// cell gives the cell of a metric; a metric that is no column has none.
func (r row) cell(name string) (cell, bool) {
	i := slices.IndexFunc(r.cells, func(c cell) bool { return c.metric.Name == name })
	if i < 0 {
		return cell{}, false
	}
	return r.cells[i], true
}

// values gives those of a metric by round.
func (r row) values(metric string) map[int]float64 {
	values := map[int]float64{}
	for _, s := range r.samples {
		if v, ok := s.Values[metric]; ok {
			values[s.Round] = v
		}
	}
	return values
}

// about says how a server ran: "kept alive, 2 × 2". The connections come first: what
// has no room is cut from the end.
func (r row) about() string {
	var parts []string
	for _, s := range []string{r.entry.Connection, r.entry.Shape} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

// base gives the row of a peer to compare r with. If the peer was measured in
// several ways, that is the one whose shape, and then whose connections, are r's.
func (t table) base(peer string, r row) (row, bool) {
	best, found := -1, row{}
	for _, other := range t.rows {
		if other.entry.Peer != peer || len(other.samples) == 0 {
			continue
		}
		score := 0
		if other.entry.Shape == r.entry.Shape {
			score += 2
		}
		if other.entry.Connection == r.entry.Connection {
			score++
		}
		if score > best {
			best, found = score, other
		}
	}
	return found, best >= 0
}

// label names an entry: by its peer and, where that was measured in several
// ways, by how it ran.
func label(w result.Workload, e result.Entry) string {
	s := e.Peer
	var shapes, connections []string
	for _, other := range w.Entries {
		if other.Peer == e.Peer {
			shapes = append(shapes, other.Shape)
			if other.Shape == e.Shape {
				connections = append(connections, other.Connection)
			}
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(shapes)))) > 1 {
		s += ", " + e.Shape
	}
	if len(connections) > 1 {
		s += ", " + e.Connection
	}
	return s
}

// headline gives the metrics that stand for a workload: those it draws, or its
// first two, and the p99 where that is measured.
func headline(w result.Workload) []result.Metric {
	names := slices.Clone(w.Chart)
	if len(names) == 0 {
		names = slices.Clone(w.Metrics[:min(2, len(w.Metrics))])
	}
	if slices.Contains(w.Metrics, "p99") && !slices.Contains(names, "p99") {
		names = append(names, "p99")
	}
	metrics := make([]result.Metric, len(names))
	for i, name := range names {
		metrics[i] = result.FindMetric(name)
	}
	return metrics
}

// absent lists the peers that a workload lacks: its own, and those that could
// not be measured anywhere are named once, by the run.
func absent(run *result.Run, w result.Workload) []result.Absent {
	list := slices.Clone(w.Absent)
	for i, a := range list {
		if a.Reason == "" {
			j := slices.IndexFunc(run.Peers, func(p result.Peer) bool { return p.Name == a.Peer })
			if j >= 0 {
				list[i].Reason = run.Peers[j].Absent
			}
		}
	}
	return list
}

// noRatios is a sentence about why there are no ratios, or empty.
func (p page) noRatios() string {
	switch {
	case p.rounds == 0:
		return "Nothing was measured."
	case p.rounds < result.MinRounds:
		return fmt.Sprintf("Measured in %s only, so nothing is concluded: a comparison needs at least %d.", plural(p.rounds, "round"), result.MinRounds)
	case p.Base != "" && p.base == "":
		return fmt.Sprintf("There are no ratios: %s, which they are to, was not measured, nor was another one.", oneLine(p.Base))
	}
	return p.instead
}

// rated tells whether ratios are shown: there is a base, and there were rounds
// enough to conclude anything.
func (p page) rated() bool { return p.base != "" && p.rounds >= result.MinRounds }

// failures are sentences about the servers that were given up.
func (p page) failures() []string {
	var list []string
	for _, e := range p.Entries {
		if e.Failed != "" {
			list = append(list, oneLine(label(p.Workload, e)+" was given up: "+e.Failed))
		}
	}
	return list
}

// focus gives the server that a report is about: uwsgo, or in a run without it
// the first that was measured.
func focus(run *result.Run) string {
	first := ""
	for _, w := range run.Workloads {
		for _, e := range w.Entries {
			switch {
			case len(e.Samples) == 0:
			case own("uwsgo", e.Peer):
				return "uwsgo"
			case first == "":
				first = e.Peer
			}
		}
	}
	if first == "" {
		return "uwsgo"
	}
	return first
}

// own tells whether a peer is the server that the report is about, alone or
// behind something.
func own(focus, peer string) bool {
	if _, behind, found := strings.Cut(peer, "+"); found {
		peer = behind
	}
	return peer == focus || focus == "uwsgo" && (peer == "uwsgo-socket" || peer == "uwsgo-http")
}

func (p page) ours(peer string) bool { return own(p.focus, peer) }

// chooseBase chooses the peer that ratios are to: the one that the workload names,
// or if that was not measured, or is what the report is about, the first that is
// most like the latter: of its class and with its connections, and best a uWSGI.
func (p *page) chooseBase() {
	i := slices.IndexFunc(p.Entries, func(e result.Entry) bool { return p.ours(e.Peer) && len(e.Samples) > 0 })
	best := -1
	for _, e := range p.Entries {
		if len(e.Samples) == 0 || p.ours(e.Peer) {
			continue
		}
		score := 0
		switch {
		case e.Peer == p.Base:
			score = 3
		case i >= 0 && alike(e, p.Entries[i]) && strings.HasPrefix(e.Peer, "uwsgi"):
			score = 2
		case i >= 0 && alike(e, p.Entries[i]):
			score = 1
		}
		if score > best {
			best, p.base = score, e.Peer
		}
	}
	switch {
	case p.base == "" || p.base == p.Base || p.Base == "":
	case p.ours(p.Base):
		p.instead = fmt.Sprintf("Ratios are to %s, since %s is what this report is about.", oneLine(p.base), oneLine(p.Base))
	default:
		p.instead = fmt.Sprintf("Ratios are to %s, since %s was not measured.", oneLine(p.base), oneLine(p.Base))
	}
	if p.Base == "" { // the workload wants none
		p.base = ""
	}
}

// alike tells whether servers can be rivals: of one class, and with connections of
// one kind. A new connection for each request costs as much as several requests,
// so that who keeps them would win by that alone.
func alike(a, b result.Entry) bool { return a.Class == b.Class && a.Connection == b.Connection }

// rivalry says whom a server is compared with.
const rivalry = "Rivals are servers of one class (behind nginx or not, HTTP or the uwsgi protocol, with Python or without) whose connections are of one kind: " +
	"who keeps connections alive is not counted against who gets a new one for each request, which alone costs as much as several requests."

// rivals gives the rows that one of ours is compared with: the other servers that
// are alike, each in the same shape where it was measured in several.
func (p page) rivals(t table, r row) []row {
	var those table
	for _, other := range t.rows {
		if !p.ours(other.entry.Peer) && len(other.samples) > 0 && alike(*other.entry, *r.entry) {
			those.rows = append(those.rows, other)
		}
	}
	var list []row
	var seen []string
	for _, other := range those.rows {
		if peer := other.entry.Peer; !slices.Contains(seen, peer) {
			seen = append(seen, peer)
			rival, _ := those.base(peer, r)
			list = append(list, rival)
		}
	}
	return list
}
