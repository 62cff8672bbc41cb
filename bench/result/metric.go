package result

import "slices"

// Metric is a quantity that samples have values of.
type Metric struct {
	Name   string
	Title  string // as a column or an axis is headed
	Unit   string // may be empty
	Higher bool   // more is better; otherwise less is
	About  string // one sentence for the reader of a report
}

// metrics lists all, by name. A workload names those that it measures.
var metrics = []Metric{
	{"rate", "throughput", "req/s", true, "Right answers a second. Where requests are due at a fixed rate the time ends with the last answer, so that a slow one at the end of a short measurement lowers it."},
	{"cpu", "CPU", "µs/req", false, "Processor time of the server's whole process tree for each right answer, also those that came too late for the rate; user and system together."},
	{"user", "user CPU", "µs/req", false, "The part of it in programs."},
	{"system", "system CPU", "µs/req", false, "The part of it in the kernel."},
	{"p50", "p50", "ms", false, "Half of the requests took at most this long."},
	{"p90", "p90", "ms", false, "90 % of the requests took at most this long."},
	{"p99", "p99", "ms", false, "99 % of the requests took at most this long."},
	{"p999", "p99.9", "ms", false, "99.9 % of the requests took at most this long."},
	{"max", "max", "ms", false, "The slowest request."},
	{"fast_p50", "fast p50", "ms", false, "Half of the requests for the fast route took at most this long."},
	{"fast_p99", "fast p99", "ms", false, "99 % of the requests for the fast route took at most this long."},
	{"errors", "errors", "", false, "Wrong, cut off and missing answers."},
	{"served", "clients served", "", true, "Clients that got at least one right answer."},
	{"pss", "peak memory", "MiB", false, "Largest proportional set size (PSS) of the process tree that was seen: a page that processes share counts once."},
	{"switches", "context switches", "/req", false, "Voluntary and involuntary context switches of the process tree for each right answer."},
	{"start", "start-up", "ms", false, "From the start of the command to its first right answer."},
	{"client", "client CPU", "%", false, "Share of one processor that the busiest thread of the load generator used."},
	{"bytes", "transferred", "MiB/s", true, "Bytes of bodies a second, in the direction that the workload is about."},
	{"kib", "memory per client", "KiB", false, "Memory (PSS) that each idle client added."},
	{"fresh", "one more client", "ms", false, "How long a new client waited for its answer beside them."},
	{"again", "answered again", "", true, "Idle clients that got a right answer when they asked once more."},
	{"slowdown", "slowdown", "×", false, "Rate of the fast requests without the slow clients, divided by their rate beside them."},
	{"crowd", "memory for the crowd", "MiB", false, "Memory (PSS) that the slow clients added."},
	{"whole", "whole exchanges", "", true, "Slow clients whose exchange was right to the end."},
	{"rest", "CPU at rest", "ms/s", false, "Processor time that the server used in each second without a request."},
	{"stalled", "time stalled", "%", false, "Share of its time that a lone client on a kept connection waited for answers that took 38 to 50 ms: that is how long Linux delays an acknowledgement, for which a server with Nagle's algorithm waits."},
	{"lost", "lost", "", false, "Requests that got a wrong answer, or none although they were asked again when the connection had been closed."},
	{"rate_to_wrk", "rate ÷ wrk's", "", true, "The rate that this program measured, divided by the one that wrk measured right before or after."},
	{"cpu_to_wrk", "CPU ÷ wrk's", "", false, "The server's CPU for a request of this program, divided by that for one of wrk."},
	{"disturbed", "time disturbed", "ms", false, "How much of the time, in slices of 50 ms, a request that was due had to wait for more than 100 ms or got no right answer."},
}

// FindMetric gives the metric with a name. An unknown name gives a metric with that name as its
// heading, so that a newer file can be shown.
func FindMetric(name string) Metric {
	if i := slices.IndexFunc(metrics, func(m Metric) bool { return m.Name == name }); i >= 0 {
		return metrics[i]
	}
	return Metric{Name: name, Title: name}
}

// Values gives the values of a metric in one case, by round. Rounds that lack it
// are left out.
func (e Entry) Values(caseName, metric string) map[int]float64 {
	values := map[int]float64{}
	for _, s := range e.Samples {
		if v, ok := s.Values[metric]; ok && s.Case == caseName {
			values[s.Round] = v
		}
	}
	return values
}
