package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/bench/result"
)

// chartData is the JSON that the script of the page draws.
type chartData struct {
	Ours      []string      `json:"ours"`    // the server that the report is about, in all its forms
	Servers   []string      `json:"servers"` // gives each its colour
	Workloads []chartedWork `json:"workloads"`
}

type chartedWork struct {
	ID     string         `json:"id"`
	Title  string         `json:"title"`
	Cases  []chartedCase  `json:"cases"`
	Sweeps []chartedSweep `json:"sweeps,omitempty"`
}

type chartedCase struct {
	Name   string          `json:"name"`
	Bars   []chartedMetric `json:"bars"`
	Curves []chartedCurve  `json:"curves,omitempty"`
	Times  []chartedTime   `json:"times,omitempty"`
}

type chartedServer struct {
	Peer   string `json:"peer"`
	Label  string `json:"label"`
	About  string `json:"about"`
	Faults string `json:"faults,omitempty"`
	Failed bool   `json:"failed,omitempty"`
	Ours   bool   `json:"ours,omitempty"`
}

type chartedMetric struct {
	Name   string       `json:"name"`
	Title  string       `json:"title"`
	Unit   string       `json:"unit"`
	Higher bool         `json:"higher"`
	Bars   []chartedBar `json:"bars"`
}

type chartedBar struct {
	chartedServer
	Median *float64 `json:"median"` // nil: not measured
	Min    float64  `json:"min"`
	Max    float64  `json:"max"`
	Text   string   `json:"text"`
	User   *float64 `json:"user,omitempty"` // medians of the parts of the CPU
	System *float64 `json:"system,omitempty"`
}

type chartedCurve struct {
	chartedServer
	Points []result.Percentile `json:"points"`
}

type chartedTime struct {
	chartedServer
	Rounds [][]result.Tick `json:"rounds"`
	Marks  []result.Mark   `json:"marks"`
}

type chartedSweep struct {
	Title  string        `json:"title"`
	Unit   string        `json:"unit"`
	Axis   string        `json:"axis"`
	Series []sweptServer `json:"series"`
}

type sweptServer struct {
	chartedServer
	Points []sweptPoint `json:"points"`
}

type sweptPoint struct {
	X      float64 `json:"x"`
	Median float64 `json:"y"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Faults string  `json:"faults,omitempty"`
}

func charts(run *result.Run, all []page) chartData {
	about := focus(run)
	data := chartData{Ours: []string{about}}
	for _, p := range run.Peers {
		data.Servers = append(data.Servers, p.Name)
		if p.Name != about && own(about, p.Name) {
			data.Ours = append(data.Ours, p.Name)
		}
	}
	ids := identifiers(all)
	for i, p := range all {
		w := chartedWork{ID: ids[i], Title: p.Title, Sweeps: sweeps(p)}
		for _, t := range p.tables {
			c := chartedCase{Name: t.name}
			for _, m := range barMetrics(p) {
				c.Bars = append(c.Bars, bars(p, t, m))
			}
			for _, r := range t.rows {
				s := newChartedServer(p, r)
				if points := curve(r); len(points) > 0 {
					c.Curves = append(c.Curves, chartedCurve{s, points})
				}
				if ct := (chartedTime{chartedServer: s}); ct.fill(r) {
					c.Times = append(c.Times, ct)
				}
			}
			w.Cases = append(w.Cases, c)
		}
		data.Workloads = append(data.Workloads, w)
	}
	return data
}

func newChartedServer(p page, r row) chartedServer {
	return chartedServer{r.entry.Peer, r.label, r.about(), r.faults.short(), r.entry.Failed != "", p.ours(r.entry.Peer)}
}

// barMetrics returns the metrics to draw as bars: the workload's choice, or its first two.
func barMetrics(p page) []result.Metric {
	if len(p.Chart) == 0 {
		return p.headline[:min(2, len(p.headline))]
	}
	return p.headline[:len(p.Chart)]
}

func bars(p page, t table, m result.Metric) chartedMetric {
	cm := chartedMetric{m.Name, m.Title, m.Unit, m.Higher, nil}
	for _, r := range t.rows {
		b := chartedBar{chartedServer: newChartedServer(p, r)}
		s := result.SpreadOf(r.entry.Values(t.name, m.Name))
		if s.N > 0 && finite(s.Median, s.Min, s.Max) {
			b.Median, b.Min, b.Max, b.Text = &s.Median, s.Min, s.Max, spread(s)
		}
		if m.Name == "cpu" {
			user, system := result.SpreadOf(r.entry.Values(t.name, "user")), result.SpreadOf(r.entry.Values(t.name, "system"))
			if user.N > 0 && system.N > 0 && user.Median+system.Median > 0 && b.Median != nil {
				// The medians of the parts need not add up to the median of the whole.
				scale := *b.Median / (user.Median + system.Median)
				u, s := user.Median*scale, system.Median*scale
				b.User, b.System = &u, &s
			}
		}
		cm.Bars = append(cm.Bars, b)
	}
	return cm
}

// curve gives, for each percentile, the median over the rounds that have it.
func curve(r row) []result.Percentile {
	values := map[float64]map[int]float64{}
	for _, s := range r.samples {
		for _, p := range s.Curve {
			if values[p.Percent] == nil {
				values[p.Percent] = map[int]float64{}
			}
			if finite(p.Ms) && p.Ms > 0 {
				values[p.Percent][s.Round] = p.Ms
			}
		}
	}
	var points []result.Percentile
	for _, percent := range slices.Sorted(maps.Keys(values)) {
		// What few rounds reached, such as the last nines of a slow server, would
		// make the line jump.
		if 2*len(values[percent]) > len(r.samples) {
			points = append(points, result.Percentile{Percent: percent, Ms: result.SpreadOf(values[percent]).Median})
		}
	}
	return points
}

// fill takes the ticks of every round, and each kind of mark once.
func (c *chartedTime) fill(r row) bool {
	for _, s := range r.samples {
		if len(s.Ticks) == 0 {
			continue
		}
		c.Rounds = append(c.Rounds, s.Ticks)
		if c.Marks == nil { // those of the other rounds are at the same times, or nearly
			c.Marks = s.Marks
		}
	}
	return len(c.Rounds) > 0
}

// sweeps gives charts over the cases where these are steps of one quantity, such
// as "1000 req/s".
func sweeps(p page) []chartedSweep {
	var steps []float64
	axis := ""
	for _, t := range p.tables {
		var step float64
		var unit string
		n, err := fmt.Sscanf(strings.ReplaceAll(t.name, ",", ""), "%g %s", &step, &unit)
		if err != nil || n != 2 || !finite(step) || (axis != "" && unit != axis) {
			return nil
		}
		axis = unit
		steps = append(steps, step)
	}
	if len(steps) < 2 {
		return nil
	}
	var all []chartedSweep
	for _, m := range barMetrics(p) {
		sweep := chartedSweep{Title: m.Title, Unit: m.Unit, Axis: axis}
		for i := range p.Entries {
			var series sweptServer
			for j, t := range p.tables {
				r := t.rows[i]
				if j == 0 {
					series.chartedServer = newChartedServer(p, r)
				}
				s := result.SpreadOf(r.entry.Values(t.name, m.Name))
				if s.N > 0 && finite(s.Median, s.Min, s.Max) {
					series.Points = append(series.Points, sweptPoint{steps[j], s.Median, s.Min, s.Max, r.faults.short()})
				}
			}
			if len(series.Points) > 0 {
				sweep.Series = append(sweep.Series, series)
			}
		}
		all = append(all, sweep)
	}
	return all
}

func finite(values ...float64) bool {
	return !slices.ContainsFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}
