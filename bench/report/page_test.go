package report

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/bench/result"
)

func values(v ...float64) map[int]float64 {
	m := map[int]float64{}
	for i, x := range v {
		m[i+1] = x
	}
	return m
}

func TestCompareKnowsZeros(t *testing.T) {
	less, more := result.Metric{Name: "lost"}, result.Metric{Name: "served", Higher: true}
	none, some, mixed := values(0, 0, 0, 0, 0), values(3, 4, 3, 5, 3), values(0, 1, 0, 2, 0)
	tests := []struct {
		name   string
		metric result.Metric
		a, b   map[int]float64
		want   result.Verdict
	}{
		{"both_none", less, none, none, result.NoDifference},
		{"none_is_better", less, none, some, result.Better},
		{"some_is_worse", less, some, none, result.Worse},
		{"none_is_worse_where_more_is_better", more, none, some, result.Worse},
		{"some_is_better_where_more_is_better", more, some, none, result.Better},
		{"now_and_then_is_unknown", less, mixed, none, result.Unknown},
		{"too_few_rounds", less, values(0, 0), values(3, 3), result.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := compare(tt.metric, tt.a, tt.b)
			if got.Verdict != tt.want {
				t.Errorf("got %+v, want %v", got, tt.want)
			}
			back := compare(tt.metric, tt.b, tt.a)
			if turned := invert(got); turned.Verdict != back.Verdict || turned.Value != back.Value && got.Verdict != result.Unknown {
				t.Errorf("turned round it is %+v, and computed %+v", turned, back)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name        string
		give        faults
		short, long string
	}{
		{"none", faults{asked: 10}, "", ""},
		{"one", faults{count: 1, kinds: map[string]int64{"status": 1}}, "1 error", "1 error: 1 status"},
		{"share", faults{count: 1200, asked: 100_000, kinds: map[string]int64{"timeout": 200, "status": 1000}}, "1.2 % errors", "1,200 errors in 100,000 requests (1.2 %): 1,000 status, 200 timeout"},
		{"few", faults{count: 1, asked: 100_000}, "less than 0.01 % errors", "1 error in 100,000 requests (less than 0.01 %)"},
		{"nearly_all", faults{count: 4988, asked: 5000}, "more than 99 % errors", "4,988 errors in 5,000 requests (more than 99 %)"},
		{"clients_left_out", faults{count: 60, asked: 25_000, kinds: map[string]int64{"no answer": 60}, left: "4 of 64 clients served"}, "4 of 64 clients served", "4 of 64 clients served; 60 errors in 25,000 requests (0.24 %): 60 no answer"},
		{"clients_left_out_and_errors", faults{count: 560, asked: 10_000, kinds: map[string]int64{"no answer": 60, "status": 500}, left: "4 of 64 clients served"}, "4 of 64 clients served, 5 % errors", "4 of 64 clients served; 560 errors in 10,000 requests (5.6 %): 500 status, 60 no answer"},
		{"all", faults{count: 5000, asked: 5000}, "100 % errors", "5,000 errors in 5,000 requests (100 %)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.give.short(); got != tt.short {
				t.Errorf("short: got %q, want %q", got, tt.short)
			}
			if got := tt.give.long(); got != tt.long {
				t.Errorf("long: got %q, want %q", got, tt.long)
			}
		})
	}
}

// server makes an entry with a round for each value of one metric.
func server(peer, shape, metric string, v ...float64) result.Entry {
	e := result.Entry{Peer: peer, Shape: shape}
	for i, x := range v {
		e.Samples = append(e.Samples, result.Sample{Round: i + 1, Values: map[string]float64{metric: x}})
	}
	return e
}

func runOf(entries ...result.Entry) *result.Run {
	return &result.Run{Format: result.Format, Complete: true, Settings: result.Settings{Rounds: 7, Seconds: 2}, Workloads: []result.Workload{
		{Name: "hello", Title: "Hello", Base: "uwsgi", Cases: []string{""}, Metrics: []string{"rate"}, Entries: entries},
	}}
}

func TestServersAreComparedInTheSameShape(t *testing.T) {
	run := runOf(
		server("uwsgo", "2 × 1", "rate", 20, 20, 20, 20, 20, 20, 20), server("uwsgo", "2 × 2", "rate", 40, 40, 40, 40, 40, 40, 40),
		server("uwsgi", "2 × 1", "rate", 10, 10, 10, 10, 10, 10, 10), server("uwsgi", "2 × 2", "rate", 80, 80, 80, 80, 80, 80, 80),
	)
	p := pages(run)[0]
	for i, want := range []float64{2, 0.5} {
		r := p.tables[0].rows[i]
		if got := r.cells[0].ratio.Value; got != want {
			t.Errorf("%s: ratio %g, want %g", r.label, got, want)
		}
	}
	s := stand(pages(run))
	if s.with != 2 || s.ahead != 1 || len(s.losses) != 1 || s.losses[0].rival != "uwsgi, 2 × 2" {
		t.Errorf("got %+v", s)
	}
}

func TestTheBaseHasTheSameShapeBeforeTheSameConnections(t *testing.T) {
	p := pages(runOf(
		with(server("uwsgi", "2 × 1", "rate", 10, 10, 10, 10, 10, 10, 10), "kept alive"), with(server("uwsgi", "2 × 2", "rate", 80, 80, 80, 80, 80, 80, 80), "kept alive"),
		with(server("other", "2 × 2", "rate", 40, 40, 40, 40, 40, 40, 40), "one per request"), with(server("third", "1 × 1", "rate", 5, 5, 5, 5, 5, 5, 5), "kept alive"), server("uwsgo", "", "rate", 5, 5, 5, 5, 5, 5, 5),
	))[0]
	for i, want := range map[int]float64{2: 0.5, 3: 0.5} {
		if got := p.tables[0].rows[i].cells[0].ratio.Value; got != want {
			t.Errorf("%s: ratio %g, want %g", p.tables[0].rows[i].label, got, want)
		}
	}
}

func TestStanding(t *testing.T) {
	mine := server("uwsgo", "", "rate", 20, 21, 20, 21, 20, 20, 21)
	tests := []struct {
		name string
		give *result.Run
		want string
	}{
		{"behind_in_one", runOf(mine, server("a", "", "rate", 40, 42, 41, 42, 40, 40, 42), server("b", "", "rate", 10, 10, 10, 10, 10, 10, 10)), "Of 2 comparisons it is ahead in 1, behind in 1; in 0 there is no difference."},
		{"behind_in_none", runOf(mine, server("b", "", "rate", 10, 10, 10, 10, 10, 10, 10)), "which does not mean that there is none"},
		{"one_round", runOf(server("uwsgo", "", "rate", 20), server("b", "", "rate", 10)), "Nothing was measured that uwsgo could be compared in"},
		{"alone", runOf(mine), "Nothing was measured that uwsgo could be compared in"},
		{"without_uwsgo", runOf(server("b", "", "rate", 20, 21, 20, 21, 20, 20, 21), server("c", "", "rate", 40, 42, 41, 42, 40, 40, 42)), "b was compared with every rival in every figure of every workload. Of 1 comparison it is ahead in 0, behind in 1"},
		{"nothing", &result.Run{}, "Nothing was measured that uwsgo could be compared in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := stand(pages(tt.give)).sums(); !strings.Contains(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Behind nginx, a server is not to be compared with one that has no proxy, and
// none with a baseline that runs no Python.
func TestOnlyServersOfAClassCompare(t *testing.T) {
	run := runOf(
		server("nginx+uwsgo", "", "rate", 20, 20, 20, 20, 20, 20, 20), server("nginx+uwsgi", "", "rate", 30, 30, 30, 30, 30, 30, 30), server("bjoern", "", "rate", 90, 90, 90, 90, 90, 90, 90),
	)
	for i, class := range []string{"behind nginx", "behind nginx", "http"} {
		run.Workloads[0].Entries[i].Class = class
	}
	s := stand(pages(run))
	if s.with != 1 || len(s.losses) != 1 || s.losses[0].rival != "nginx+uwsgi" || s.losses[0].ratio.Value != 1.5 {
		t.Errorf("got %+v", s)
	}
}

// with gives an entry another connection.
func with(e result.Entry, connection string) result.Entry {
	e.Connection = connection
	return e
}

// A connection for each request costs as much as several requests: who keeps them
// is not ahead of who cannot.
func TestOnlyServersWithTheSameConnectionsCompare(t *testing.T) {
	run := runOf(
		with(server("uwsgo", "", "rate", 20, 20, 20, 20, 20, 20, 20), "kept alive"), with(server("a", "", "rate", 5, 5, 5, 5, 5, 5, 5), "one per request"),
		with(server("b", "2 × 2", "rate", 30, 30, 30, 30, 30, 30, 30), "one per request"), with(server("b", "1 × 2", "rate", 10, 10, 10, 10, 10, 10, 10), "kept alive"),
	)
	run.Workloads[0].Entries[0].Shape = "2 × 2"
	if s := stand(pages(run)); s.with != 1 || s.ahead != 1 {
		t.Errorf("got %+v", s)
	}
}

// bad gives an entry errors in n of 100,000 answers, and a note.
func bad(e result.Entry, n int64, notes ...string) result.Entry {
	for i := range e.Samples {
		e.Samples[i].Asked, e.Samples[i].Errors, e.Samples[i].Notes = 100_000, map[string]int64{"no answer": n}, notes
	}
	return e
}

func TestErrorsWin(t *testing.T) {
	fast := func(peer string) result.Entry { return server(peer, "", "rate", 40, 42, 41, 42, 40, 40, 42) }
	slow := func(peer string) result.Entry { return server(peer, "", "rate", 20, 21, 20, 21, 20, 20, 21) }
	tests := []struct {
		name        string
		ours, other result.Entry
		ratio       string // of ours to the other, which is the base
		standing    string
	}{
		{"rival_with_errors_is_ahead", slow("uwsgo"), bad(fast("uwsgi"), 101), "– (the other has errors)", "In 1 the one in front has errors"},
		{"ours_with_errors_is_ahead", bad(fast("uwsgo"), 101), slow("uwsgi"), "– (has errors)", "In 1 the one in front has errors"},
		{"both_have_errors", bad(fast("uwsgo"), 101), bad(slow("uwsgi"), 500), "– (has errors)", "In 1 the one in front has errors"},
		{"few_errors_do_not_matter", slow("uwsgo"), bad(fast("uwsgi"), 100), "worse", "behind in 1"},
		{"who_has_errors_may_be_behind", fast("uwsgo"), bad(slow("uwsgi"), 5000), "better", "ahead in 1"},
		{"few_clients_served", slow("uwsgo"), bad(fast("uwsgi"), 60, "only 4 of 64 clients were served"), "– (the other has errors)", "left clients out"},
		{"slow_clients_dropped", slow("uwsgo"), bad(fast("uwsgi"), 1, "30 of 200 slow clients were dropped while the others were measured"), "– (the other has errors)", "left clients out"},
		{"uncounted_requests", slow("uwsgo"), func() result.Entry { e := bad(fast("uwsgi"), 1); e.Samples[0].Asked = 0; return e }(), "worse", "behind in 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all := pages(runOf(tt.ours, tt.other, slow("third")))
			rows := all[0].tables[0].rows
			if got := ratio(rows[0].cells[0].ratio); !strings.Contains(got, tt.ratio) {
				t.Errorf("the ratio is %q, want %q", got, tt.ratio)
			}
			v := pairs(all[0].tables[0], result.FindMetric("rate"))
			if got := v.Rows[0].Cells[1].Median; !strings.Contains(got, tt.ratio) {
				t.Errorf("the pair is %q, want %q", got, tt.ratio)
			}
			back := map[string]string{"– (has errors)": "– (the other has errors)", "– (the other has errors)": "– (has errors)", "worse": "better", "better": "worse"}
			if got := v.Rows[1].Cells[0].Median; !strings.Contains(got, back[tt.ratio]) {
				t.Errorf("turned round the pair is %q, want %q", got, back[tt.ratio])
			}
			all = pages(runOf(tt.ours, tt.other))
			if got := stand(all).sums(); !strings.Contains(got, tt.standing) && !strings.Contains(got, "without errors") {
				t.Errorf("it does not say %q: %s", tt.standing, got)
			}
			if s := stand(all); strings.HasPrefix(tt.ratio, "–") && (len(s.losses) > 0 || s.ahead > 0) {
				t.Errorf("somebody is ahead: %+v", s)
			}
		})
	}
}

// Errors are what these figures count.
func TestErrorsDoNotHideThemselves(t *testing.T) {
	run := runOf(bad(server("uwsgo", "", "lost", 5, 6, 5, 6, 5, 5, 6), 500), bad(server("uwsgi", "", "lost", 50, 60, 50, 60, 50, 50, 60), 5000))
	run.Workloads[0].Metrics = []string{"lost"}
	if got := ratio(pages(run)[0].tables[0].rows[0].cells[0].ratio); !strings.Contains(got, "better") {
		t.Errorf("who lost fewer requests is %q", got)
	}
}

func TestClientsLeftOutAreShownEverywhere(t *testing.T) {
	run := runOf(server("uwsgo", "", "rate", 20, 21, 20, 21, 20, 20, 21), bad(server("uwsgi", "", "rate", 40, 42, 41, 42, 40, 40, 42), 60, "only 4 of 64 clients were served"))
	run.Workloads[0].Entries[1].Samples[2].Notes = []string{"only 3 of 64 clients were served"}
	for name, print := range map[string]func(io.Writer, *result.Run) error{"page": HTML, "markdown": Markdown, "terminal": Table} {
		var b strings.Builder
		if err := print(&b, run); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "⚠ 3 of 64 clients served") && !strings.Contains(b.String(), "⚠ uwsgi: 3 of 64 clients served") {
			t.Errorf("%s: nothing says that the clients were not served", name)
		}
		if strings.Contains(b.String(), "only 4 of 64") {
			t.Errorf("%s: it is said twice", name)
		}
	}
}

// stalling gives an entry whose lone client waited for acknowledgements.
func stallingServer(e result.Entry) result.Entry {
	for i := range e.Samples {
		e.Samples[i].Values["stalled"] = 93
	}
	return e
}

// inClass gives entries a class.
func inClass(class string, entries ...result.Entry) []result.Entry {
	for i := range entries {
		entries[i].Class = class
	}
	return entries
}

func rates(peer string, v float64) result.Entry {
	return with(server(peer, "", "rate", v, v, v, v, v, v, v), "kept alive")
}

// Like is compared with like: with the best shape of uWSGI in the same class, and
// with Granian's.
func TestWhoIsCompared(t *testing.T) {
	once := func(e result.Entry) result.Entry { return with(e, "one per request") }
	tests := []struct {
		name string
		give []result.Entry
		want []string // lines of the summary: ours, against, what is said
	}{
		{
			"best_shape_of_uwsgi",
			[]result.Entry{rates("uwsgo", 40), rates("uwsgi-http-keepalive", 10), once(rates("uwsgi-http-socket", 20)), rates("uwsgi-http", 5)},
			[]string{"uwsgo | uwsgi-http-socket, the best of 3 (connections one per request) | throughput 2.00× (2.00–2.00) better"},
		},
		{
			"and_granian",
			[]result.Entry{rates("uwsgo", 40), rates("uwsgi-http", 20), rates("granian", 80), rates("bjoern", 100)},
			[]string{"uwsgo | uwsgi-http | throughput 2.00× (2.00–2.00) better", "uwsgo | granian | throughput 0.50× (0.50–0.50) worse"},
		},
		{
			"behind_nginx_with_behind_nginx",
			append(inClass("http", rates("uwsgo", 80), rates("uwsgi-http", 20)),
				inClass("behind nginx", rates("nginx+uwsgo", 30), rates("nginx+uwsgo-http", 60), rates("nginx+uwsgi", 40), rates("nginx+granian", 20))...),
			[]string{
				"uwsgo | uwsgi-http | throughput 4.00× (4.00–4.00) better",
				"nginx+uwsgo | nginx+uwsgi | throughput 0.75× (0.75–0.75) worse", "nginx+uwsgo | nginx+granian | throughput 1.50× (1.50–1.50) better",
				"nginx+uwsgo-http | nginx+uwsgi | throughput 1.50× (1.50–1.50) better", "nginx+uwsgo-http | nginx+granian | throughput 3.00× (3.00–3.00) better",
			},
		},
		{
			"never_behind_nginx_with_alone",
			append(inClass("http", rates("uwsgi-http", 20)), inClass("behind nginx", rates("nginx+uwsgo", 30))...),
			[]string{"nginx+uwsgo |  | nothing to compare with: throughput 30 req/s"},
		},
		{
			"a_stalling_shape_is_never_it",
			[]result.Entry{rates("uwsgo", 40), stallingServer(rates("uwsgi-http-keepalive", 30)), rates("uwsgi-http-socket", 20)},
			[]string{"uwsgo | uwsgi-http-socket, the best of 2 | throughput 2.00× (2.00–2.00) better"},
		},
		{
			"nor_where_there_is_no_other",
			[]result.Entry{rates("uwsgo", 40), stallingServer(rates("uwsgi-http-keepalive", 1))},
			[]string{"uwsgo |  | no uWSGI to compare with: uwsgi-http-keepalive stalls: throughput 40 req/s"},
		},
		{
			"nor_one_with_errors",
			[]result.Entry{rates("uwsgo", 40), bad(rates("uwsgi-http", 80), 5000), bad(rates("uwsgi-http11-socket", 90), 60, "only 4 of 64 clients were served"), rates("uwsgi-http-socket", 20)},
			[]string{"uwsgo | uwsgi-http-socket, the best of 3 | throughput 2.00× (2.00–2.00) better"},
		},
		{
			"another_where_neither_was_measured",
			[]result.Entry{rates("uwsgo", 40), rates("gunicorn", 10), rates("bjoern", 80)},
			[]string{"uwsgo | bjoern | throughput 0.50× (0.50–0.50) worse"},
		},
		{"nobody", []result.Entry{rates("uwsgo", 40)}, []string{"uwsgo |  | nothing to compare with: throughput 40 req/s"}},
		{
			"a_report_about_uwsgi",
			[]result.Entry{rates("uwsgi-http", 20), rates("uwsgi-http-socket", 30), rates("granian", 40)},
			[]string{"uwsgi-http | granian | throughput 0.50× (0.50–0.50) worse"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run := runOf(tt.give...)
			run.Workloads[0].Base = ""
			var got []string
			for _, g := range glances(pages(run)) {
				got = append(got, g.ours+" | "+g.against()+" | "+g.text())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(tt.want, "\n  "))
			}
		})
	}
}

// Ratios of a table are to the same servers, each class to its own.
func TestBasesAreChosen(t *testing.T) {
	tests := []struct {
		name, named string
		give        []result.Entry
		want        string
	}{
		{"best_uwsgi", "", []result.Entry{rates("uwsgo", 40), rates("uwsgi-http", 10), rates("uwsgi-http-socket", 20), rates("granian", 90)}, "uwsgi-http-socket"},
		{"named", "uwsgi-http", []result.Entry{rates("uwsgo", 40), rates("uwsgi-http", 10), rates("uwsgi-http-socket", 20)}, "uwsgi-http"},
		{"named_and_stalls", "uwsgi-http", []result.Entry{rates("uwsgo", 40), stallingServer(rates("uwsgi-http", 10)), rates("uwsgi-http-socket", 20)}, "uwsgi-http-socket"},
		{"another", "", []result.Entry{rates("uwsgo", 40), rates("a", 10), rates("b", 20)}, "b"},
		{"each_class", "", append(inClass("http", rates("uwsgo", 80), rates("uwsgi-http", 20)), inClass("behind nginx", rates("nginx+uwsgo", 30), rates("nginx+uwsgi", 40))...), "uwsgi-http; behind nginx: nginx+uwsgi"},
		{"baselines_have_none", "", inClass("baseline", rates("go-net-http", 10), rates("go-reactor", 20)), ""},
		{"unless_named", "go-net-http", inClass("baseline", rates("go-net-http", 10), rates("go-reactor", 20)), ""},
		{"nobody", "", []result.Entry{rates("uwsgo", 40)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run := runOf(append(tt.give, inClass("other", rates("uwsgo", 1))...)...)
			run.Workloads[0].Base = tt.named
			if tt.name == "unless_named" {
				tt.want = "baseline: go-net-http"
			}
			p := pages(run)[0]
			if got := p.tables[0].versus(); got != tt.want {
				t.Errorf("ratios are to %q, want %q", got, tt.want)
			}
			if tt.want == "" && !strings.Contains(p.noRatios(), "no two servers of one class") {
				t.Errorf("it says %q", p.noRatios())
			}
		})
	}
}

// A server that stalls is named in every form of the report, and nobody is said to
// be faster than it.
func TestStallsAreNamed(t *testing.T) {
	run := runOf(rates("uwsgo", 40), stallingServer(rates("uwsgi-http-keepalive", 10)), rates("uwsgi-http-socket", 20))
	for name, print := range map[string]func(io.Writer, *result.Run) error{"page": HTML, "markdown": Markdown, "terminal": Table} {
		var b strings.Builder
		if err := print(&b, run); err != nil {
			t.Fatal(err)
		}
		said := strings.Join(strings.Fields(b.String()), " ")
		for _, want := range []string{"uwsgi-http-keepalive in Hello", "about 40 ms again and again", "In 1 the one behind stalls"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s does not say %q", name, want)
			}
		}
	}
	rows := pages(run)[0].tables[0].rows
	if got := ratio(judge(result.FindMetric("rate"), rows[0], rows[1])); got != "– (the other stalls)" {
		t.Errorf("the ratio is %q", got)
	}
	if got := ratio(judge(result.FindMetric("rate"), rows[1], rows[0])); got != "– (stalls)" {
		t.Errorf("turned round it is %q", got)
	}
	slower := rows[1]
	slower.samples = nil
	for round := range 7 {
		slower.samples = append(slower.samples, result.Sample{Round: round + 1, Values: map[string]float64{"rate": 80}})
	}
	if got := ratio(judge(result.FindMetric("rate"), rows[0], slower)); !strings.Contains(got, "worse") {
		t.Errorf("who stalls and is ahead all the same is said to be %q", got)
	}
}

// Too short a run shows figures and concludes nothing, in every form.
func TestQuickLook(t *testing.T) {
	tests := []struct {
		name     string
		settings result.Settings
		rounds   int
		quick    bool
	}{
		{"enough", result.Settings{Rounds: 7, Seconds: 2}, 7, false},
		{"too_few_rounds", result.Settings{Rounds: 6, Seconds: 10}, 6, true},
		{"too_short", result.Settings{Rounds: 20, Seconds: 1.99}, 20, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run := sampleRun(tt.rounds)
			run.Settings = tt.settings
			for name, print := range map[string]func(io.Writer, *result.Run) error{"page": HTML, "markdown": Markdown, "terminal": Table} {
				var b strings.Builder
				if err := print(&b, run); err != nil {
					t.Fatal(err)
				}
				said := strings.ToLower(strings.Join(strings.Fields(b.String()), " "))
				if got := strings.Contains(said, "a quick look: "); got != tt.quick {
					t.Errorf("%s says that it is a quick look: %v", name, got)
				}
				if name == "page" {
					continue // its script and style have the words
				}
				for _, word := range []string{" better", " worse", "no difference", "ahead in", "÷"} {
					if tt.quick && strings.Contains(said, word) {
						t.Errorf("%s of a quick look says %q", name, word)
					}
				}
			}
			if s := stand(pages(run)); tt.quick && (s.ahead > 0 || len(s.losses) > 0) {
				t.Errorf("somebody is ahead in a quick look: %+v", s)
			}
			v, err := newView(run)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range v.Glances {
				for _, c := range g.Cells {
					if tt.quick && c.Ratio != "" {
						t.Errorf("%s: a ratio in a quick look: %+v", g.ID, c)
					}
				}
			}
			for _, p := range v.Pages {
				for _, table := range p.Tables {
					if tt.quick && (table.Base != "" || len(table.Pairs) > 0) {
						t.Errorf("%s: comparisons in a quick look", p.ID)
					}
				}
			}
		})
	}
}

// An interrupted run has fewer rounds than it was to have.
func TestRoundsThatAreMissingCount(t *testing.T) {
	run := runOf(server("uwsgo", "", "rate", 40, 40, 40, 40, 40, 40), server("uwsgi", "", "rate", 20, 20, 20, 20, 20, 20))
	if got := pages(run)[0].noRatios(); !strings.Contains(got, "Measured in 6 rounds only") {
		t.Errorf("it says %q", got)
	}
	if s := stand(pages(run)); s.ahead > 0 {
		t.Errorf("somebody is ahead: %+v", s)
	}
}

func TestReportWithoutUwsgo(t *testing.T) {
	run := sampleRun(7)
	for i := range run.Workloads {
		w := &run.Workloads[i]
		w.Entries = slices.DeleteFunc(w.Entries, func(e result.Entry) bool { return own("uwsgo", e.Peer) || strings.HasPrefix(e.Peer, "uwsgi") })
	}
	for name, print := range map[string]func(io.Writer, *result.Run) error{"page": HTML, "markdown": Markdown} {
		var b strings.Builder
		if err := print(&b, run); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Where gunicorn-gthread loses", "ahead of gunicorn-gthread", "gunicorn-gthread was compared with every rival"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s does not say %q", name, want)
			}
		}
		if strings.Contains(b.String(), "uwsgo loses") || strings.Contains(b.String(), "uwsgo takes no part") {
			t.Errorf("%s is still about uwsgo", name)
		}
	}
	if p := pages(run)[1]; p.tables[0].versus() != "granian" || !p.rated() {
		t.Errorf("ratios are to %q", p.tables[0].versus())
	}
}

func TestOwn(t *testing.T) {
	tests := []struct {
		focus, peer string
		want        bool
	}{
		{"uwsgo", "uwsgo", true},
		{"uwsgo", "uwsgo-socket", true},
		{"uwsgo", "nginx+uwsgo", true},
		{"uwsgo", "nginx+uwsgo-http", true},
		{"uwsgo", "nginx+uwsgi-http", false},
		{"uwsgo", "uwsgo-fork", false},
		{"granian", "nginx+granian", true},
		{"granian", "nginx+uwsgo-http", false},
	}
	for _, tt := range tests {
		if got := own(tt.focus, tt.peer); got != tt.want {
			t.Errorf("a report about %s: %s is its own: %v", tt.focus, tt.peer, got)
		}
	}
}
