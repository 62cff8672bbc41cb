package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/bench/result"
)

//go:embed assets
var assets embed.FS

var pageTemplate = template.Must(template.New("report.html").Funcs(template.FuncMap{
	"heading": heading, "number": number, "spread": spread, "ratio": ratio, "shell": shell, "line": oneLine, "dash": orDash, "plural": plural,
}).ParseFS(assets, "assets/report.html"))

// HTML writes a run as one page that needs no other file and no network.
func HTML(w io.Writer, run *result.Run) error {
	v, err := newView(run)
	if err != nil {
		return fmt.Errorf("render the report: %w", err)
	}
	if err := pageTemplate.Execute(w, v); err != nil {
		return fmt.Errorf("render the report: %w", err)
	}
	return nil
}

// view is what the template shows.
type view struct {
	Run      *result.Run
	Date     string
	Command  string
	Machine  string
	Method   []string
	Glances  []glanceView
	Most     int // cells of a glance
	Standing standing
	Sums     string
	Quick    string // why nothing is concluded
	Stalls   string // who stalls
	Chance   string
	Focus    string // the server that the report is about
	Rivalry  string
	Losses   []lossView
	Failures []string
	Pages    []pageView
	Charts   any // for the script
	Style    template.CSS
	Library  template.JS
	Script   template.JS
}

type glanceView struct {
	ID, Title, Server, Against, None, Faults string
	Stalls                                   bool
	Cells                                    []cellView
}

type lossView struct{ ID, Where, Metric, Rival, Faults, By, Mine, Theirs string }

type pageView struct {
	ID, Name, Title, About, NoRatios string
	Previous, Next                   *pageView
	Failures                         []string
	Columns                          []columnView
	Tables                           []tableView
	Absent                           []result.Absent
	Entries                          []entryView
}

// columnView heads a column; those of the headline must be seen without scrolling.
type columnView struct {
	Title    string
	Headline bool
}

type tableView struct {
	Name    string
	Base    string // to whom ratios are
	Rows    []rowView
	Remarks []remark
	Pairs   []pairsView
}

type rowView struct {
	Label, Shape, Connection, About, Faults string
	Ours, Failed, Stalls                    bool
	Cells                                   []cellView
}

// cellView is a value or, in a table of pairs, a ratio.
type cellView struct {
	Title, Unit, Median, Range, Ratio string
	Verdict                           string // class: better, worse, even, none
	Fault                             bool
}

type remark struct {
	Text  string
	Fault bool
}

type pairsView struct {
	Metric  string
	Columns []string
	Rows    []pairRow
}

type pairRow struct {
	Label string
	Cells []cellView
}

type entryView struct {
	Label, NoDelay, Command string
	Files                   []fileView
}

type fileView struct{ Name, Text string }

func newView(run *result.Run) (*view, error) {
	all := pages(run)
	s := stand(all)
	v := &view{
		Run: run, Date: date(run), Command: shell(run.Command), Machine: machine(run.Machine), Method: method(run),
		Standing: s, Sums: s.sums(), Quick: s.quick, Stalls: s.stallSentence(), Chance: chance(run), Focus: s.focus, Rivalry: rivalry, Failures: s.failures, Charts: charts(run, all),
	}
	for _, part := range []struct {
		name string
		set  func(string)
	}{
		{"report.css", func(s string) { v.Style = template.CSS(s) }},
		{"chart.umd.min.js", func(s string) { v.Library = template.JS(s) }},
		{"report.js", func(s string) { v.Script = template.JS(s) }},
	} {
		b, err := assets.ReadFile("assets/" + part.name)
		if err != nil {
			return nil, err
		}
		// The library names a source map, which nobody has.
		text, _, _ := strings.Cut(string(b), "//# sourceMappingURL=")
		part.set(text)
	}
	ids := identifiers(all)
	for i, p := range all {
		v.Pages = append(v.Pages, newPageView(p, ids[i]))
	}
	for i := range v.Pages {
		if i > 0 {
			v.Pages[i].Previous = &v.Pages[i-1]
		}
		if i+1 < len(v.Pages) {
			v.Pages[i].Next = &v.Pages[i+1]
		}
	}
	for _, g := range glances(all) {
		gv := glanceView{ID: ids[g.page], Title: g.title, Server: g.ours, Against: g.against(), None: g.none, Faults: g.faults, Stalls: g.stalls}
		if g.caseName != "" {
			gv.Title += ", " + g.caseName
		}
		for _, c := range g.cells {
			gv.Cells = append(gv.Cells, newCellView(c, g.rated))
		}
		v.Glances = append(v.Glances, gv)
		v.Most = max(v.Most, len(gv.Cells), 1)
	}
	for _, l := range s.losses {
		lv := lossView{Where: l.title, Metric: heading(l.metric), Rival: l.rival, Faults: l.faults, By: l.by(), Mine: l.mine, Theirs: l.theirs}
		if l.caseName != "" {
			lv.Where += ", " + l.caseName
		}
		if l.ours != s.focus {
			lv.Where += " (" + l.ours + ")"
		}
		lv.ID = ids[slices.IndexFunc(all, func(p page) bool { return p.Name == l.workload })]
		v.Losses = append(v.Losses, lv)
	}
	return v, nil
}

// reserved are the names that the page itself uses.
var reserved = []string{"overview", "losses", "servers", "all", "main", "nav", "menu", "data", "cards"}

// identifiers gives each page a name for its address, as "hello": letters,
// digits and hyphens, and no two alike.
func identifiers(all []page) []string {
	ids := make([]string, len(all))
	for i, p := range all {
		id := strings.Trim(strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '-'
		}, strings.ToLower(p.Name)), "-")
		if id == "" {
			id = "page"
		}
		if id == "page" || slices.Contains(ids[:i], id) || slices.Contains(reserved, id) {
			id = fmt.Sprintf("%s-%d", id, i+1)
		}
		ids[i] = id
	}
	return ids
}

func newPageView(p page, id string) pageView {
	v := pageView{ID: id, Name: p.Name, Title: p.Title, About: sentence(p.About), NoRatios: p.noRatios(), Failures: p.failures(), Absent: p.absent}
	for _, m := range p.columns {
		v.Columns = append(v.Columns, columnView{heading(m), slices.Contains(p.headline, m)})
	}
	for _, t := range p.tables {
		tv := tableView{Name: t.name}
		if p.rated() {
			tv.Base = t.versus()
		}
		var faults []remark
		for _, r := range t.rows {
			rv := rowView{Label: r.label, Shape: r.entry.Shape, Connection: r.entry.Connection, About: r.about(), Faults: r.faults.short(), Ours: p.ours(r.entry.Peer), Failed: r.entry.Failed != "", Stalls: r.stalls()}
			for _, c := range r.cells {
				cv := newCellView(c, p.rated() && t.bases[r.entry.Class] != "" && comparable(c.metric) && !t.isBase(r))
				cv.Fault = c.metric.Name == "errors" && r.faults.count > 0
				rv.Cells = append(rv.Cells, cv)
			}
			tv.Rows = append(tv.Rows, rv)
			if s := r.faults.long(); s != "" {
				faults = append(faults, remark{r.label + ": " + s, true})
			}
			for _, note := range r.notes {
				tv.Remarks = append(tv.Remarks, remark{r.label + ": " + note, false})
			}
		}
		tv.Remarks = append(faults, tv.Remarks...)
		if p.rated() && len(t.rows) > 1 {
			for _, m := range p.headline[:min(2, len(p.headline))] {
				tv.Pairs = append(tv.Pairs, pairs(t, m))
			}
		}
		v.Tables = append(v.Tables, tv)
	}
	for _, e := range p.Entries {
		ev := entryView{Label: label(p.Workload, e), NoDelay: orUnknown(e.NoDelay), Command: shell(e.Command)}
		for _, name := range slices.Sorted(maps.Keys(e.Files)) {
			ev.Files = append(ev.Files, fileView{name, e.Files[name]})
		}
		v.Entries = append(v.Entries, ev)
	}
	return v
}

func newCellView(c cell, rated bool) cellView {
	v := cellView{Title: c.metric.Title, Unit: c.metric.Unit, Median: "–"}
	if c.spread.N > 0 {
		v.Median = number(c.spread.Median)
		if c.spread.Min != c.spread.Max {
			v.Range = number(c.spread.Min) + "–" + number(c.spread.Max)
		}
		if rated {
			v.Ratio, v.Verdict = ratio(c.ratio), verdictClass(c.ratio)
		}
	}
	return v
}

func verdictClass(r result.Ratio) string {
	return [...]string{"none", "even", "better", "worse"}[r.Verdict]
}

// pairs compares each server with each. Of two it computes one side and turns it
// round, so that both cells always say the same.
func pairs(t table, m result.Metric) pairsView {
	v := pairsView{Metric: m.Title}
	var rows []row
	for _, r := range t.rows {
		if len(r.values(m.Name)) > 0 {
			rows = append(rows, r)
		}
	}
	n := len(rows)
	grid := make([]result.Ratio, n*n)
	for i, r := range rows {
		v.Columns = append(v.Columns, r.label)
		for j := range i {
			grid[i*n+j] = judge(m, r, rows[j])
			grid[j*n+i] = invert(grid[i*n+j])
		}
	}
	for i, r := range rows {
		pr := pairRow{Label: r.label}
		for j := range n {
			c := cellView{Median: "", Verdict: "self"}
			if i != j {
				c.Median, c.Verdict = ratio(grid[i*n+j]), verdictClass(grid[i*n+j])
			}
			pr.Cells = append(pr.Cells, c)
		}
		v.Rows = append(v.Rows, pr)
	}
	return v
}
