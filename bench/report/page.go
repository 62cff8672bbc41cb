package report

import (
	"fmt"
	"maps"
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
	rounds   int             // most rounds that any value was measured in
	settings result.Settings // of the run
	tables   []table         // one for each case
	absent   []result.Absent
}

// table is one case of a workload: servers by metrics.
type table struct {
	name string // of the case; "" if the workload has but one
	rows []row
	// bases are the peers that ratios refer to, by class.
	bases map[string]string
}

// row is one server in one case.
type row struct {
	entry   *result.Entry
	label   string // names the entry within its workload
	cells   []cell // as page.columns
	samples []result.Sample
	faults  faults
	stalled float64 // median share of a lone client's time, in per cent
	notes   []string
}

// cell is one metric of one server in one case.
type cell struct {
	metric result.Metric
	values map[int]float64
	spread result.Spread
	ratio  result.Ratio // to the base
}

// pages computes the content for each workload of a run.
func pages(run *result.Run) []page {
	all := make([]page, len(run.Workloads))
	about := focus(run)
	for i, w := range run.Workloads {
		all[i] = newPage(run, w, about)
	}
	return all
}

func newPage(run *result.Run, w result.Workload, focus string) page {
	p := page{Workload: w, focus: focus, headline: headline(w), absent: absent(run, w), settings: run.Settings}
	// The headline first: readers see it without scrolling.
	p.columns = slices.DeleteFunc(slices.Clone(p.headline), func(m result.Metric) bool { return !slices.Contains(w.Metrics, m.Name) })
	for _, name := range w.Metrics {
		if !slices.ContainsFunc(p.columns, func(m result.Metric) bool { return m.Name == name }) {
			p.columns = append(p.columns, result.FindMetric(name))
		}
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
		p.chooseBases(&t)
		for i := range t.rows {
			base, ok := t.reference(t.rows[i])
			if !ok {
				continue
			}
			for j := range t.rows[i].cells {
				c := &t.rows[i].cells[j]
				if base.label != t.rows[i].label && comparable(c.metric) && !run.Settings.QuickLook() {
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
	r.stalled = result.SpreadOf(r.values("stalled")).Median
	if r.stalls() {
		r.notes = append(r.notes, fmt.Sprintf("stalls: a client that asks alone, at once after each answer, spent %s %% of its time in waits of about 40 ms, "+
			"as Nagle's algorithm and a delayed acknowledgement make them", number(r.stalled)))
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

// about says how a server ran: "kept alive, 2 × 2". The connections come first, because text
// without room is cut at the end.
func (r row) about() string {
	var parts []string
	for _, s := range []string{r.entry.Connection, r.entry.Shape} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

// stalling is the share of a lone client's time, in per cent, from which on a server
// is said to stall.
const stalling = 50

// stalls tells whether the server lets a lone client wait for acknowledgements.
func (r row) stalls() bool { return r.stalled >= stalling }

// base gives the row of a peer to compare r with. If the peer was measured in several ways, it
// chooses the one with r's shape, and then with r's connections.
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
	case p.settings.QuickLook():
		return quickLook(p.settings)
	case p.rounds < result.FullRounds:
		return fmt.Sprintf("Measured in %s only, so nothing is concluded: a comparison needs at least %d.", plural(p.rounds, "round"), result.FullRounds)
	case !slices.ContainsFunc(p.tables, func(t table) bool { return len(t.bases) > 0 }):
		return "There are no ratios: no two servers of one class were measured."
	}
	return ""
}

// quickLook says why a run concludes nothing.
func quickLook(s result.Settings) string {
	return fmt.Sprintf("A quick look: %s of %s s. It shows figures and compares nobody; that takes at least %d rounds of %s s.",
		plural(s.Rounds, "round"), number(s.Seconds), result.FullRounds, number(result.FullSeconds))
}

// rated tells whether the run was long enough to conclude anything.
func (p page) rated() bool { return p.rounds >= result.FullRounds && !p.settings.QuickLook() }

// versus says to whom the ratios of a table are: "uwsgi-http-socket; behind nginx:
// nginx+uwsgi".
func (t table) versus() string {
	var parts []string
	for _, class := range slices.Sorted(maps.Keys(t.bases)) {
		if class == "" || class == "http" {
			parts = slices.Insert(parts, 0, t.bases[class])
		} else {
			parts = append(parts, class+": "+t.bases[class])
		}
	}
	return oneLine(strings.Join(parts, "; "))
}

// isBase reports whether the row is the base of its class.
func (t table) isBase(r row) bool { return t.bases[r.entry.Class] == r.entry.Peer }

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

// chooseBases chooses the base of a table's ratios for each class: the peer that the workload
// names, or the best uWSGI of that class, or else the best of the others.
func (p *page) chooseBases(t *table) {
	t.bases = map[string]string{}
	for _, r := range t.rows {
		class := r.entry.Class
		if t.bases[class] != "" {
			continue
		}
		for _, fits := range []func(row) bool{
			func(o row) bool { return o.entry.Peer == p.Base },
			func(o row) bool { return family(o.entry.Peer) == "uWSGI" },
			func(row) bool { return class != baseline },
		} {
			best, _ := p.best(*t, class, fits)
			if best == nil {
				best = p.spoiled(*t, class, fits)
			}
			if best != nil {
				t.bases[class] = best.entry.Peer
				break
			}
		}
		if t.bases[class] == "" {
			delete(t.bases, class)
		}
	}
}

// baseline is the class of servers that run no Python.
const baseline = "baseline"

// family names the server that a peer is a shape of, where such are compared with
// that server's best: "uWSGI", "Granian", or nothing.
func family(peer string) string {
	peer = strings.TrimPrefix(peer, "nginx+")
	switch {
	case strings.HasPrefix(peer, "uwsgi"):
		return "uWSGI"
	case strings.HasPrefix(peer, "granian"):
		return "Granian"
	}
	return ""
}

// best returns the matching server of a class that is best in the first figure of the workload,
// ours left out, and how many there are. A server with errors, unanswered clients or stalls is
// never the best: others would shine by its faults. Where there are only such, why tells so.
func (p page) best(t table, class string, fits func(row) bool) (best *row, why string) {
	if len(p.headline) == 0 {
		return nil, ""
	}
	m := p.headline[0]
	value := func(r row) result.Spread { return result.SpreadOf(r.values(m.Name)) }
	for i := range t.rows {
		r := &t.rows[i]
		if r.entry.Class != class || p.ours(r.entry.Peer) || len(r.samples) == 0 || !fits(*r) {
			continue
		}
		switch {
		case r.faults.spoil():
			why = join(why, r.label+" has errors")
			continue
		case r.stalls():
			why = join(why, r.label+" stalls")
			continue
		}
		if best == nil {
			best = r
			continue
		}
		is, was := value(*r), value(*best)
		if is.N > 0 && (was.N == 0 || m.Higher && is.Median > was.Median || !m.Higher && is.Median < was.Median) {
			best = r
		}
	}
	return best, why
}

// spoiled gives the first server of a class that fits, is not ours, and has errors. A table can
// have ratios to it: they show their own value.
func (p page) spoiled(t table, class string, fits func(row) bool) *row {
	for i := range t.rows {
		r := &t.rows[i]
		if r.entry.Class == class && !p.ours(r.entry.Peer) && len(r.samples) > 0 && fits(*r) && !r.stalls() {
			return r
		}
	}
	return nil
}

func join(list, more string) string {
	if list == "" {
		return more
	}
	return list + ", " + more
}

// reference is the row that a server is compared with in a table.
func (t table) reference(r row) (row, bool) {
	peer := t.bases[r.entry.Class]
	if peer == "" {
		return row{}, false
	}
	return t.base(peer, r)
}

// alike tells whether servers can be rivals: of one class, and with connections of
// one kind. A new connection for each request costs as much as several requests,
// so that who keeps them would win by that alone.
func alike(a, b result.Entry) bool { return a.Class == b.Class && a.Connection == b.Connection }

// rivalry says whom a server is compared with.
const rivalry = "Rivals are servers of one class (behind nginx or not, HTTP or the uwsgi protocol, with Python or without) whose connections are of one kind: " +
	"who keeps connections alive is not counted against who gets a new one for each request, which alone costs as much as several requests."

// rivals returns the rows to compare with one of ours: the servers of the same kind, each in
// the same shape if it was measured in several.
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
