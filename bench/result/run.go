// Package result holds what a run of the harness found, as it stands in
// results.json, and what may be concluded from it. It measures nothing and
// prints nothing.
package result

import "time"

// Format is the version of results.json. A reader refuses another one.
const Format = 1

// Run is everything that one run found, with what a stranger needs to repeat it.
type Run struct {
	Format    int        `json:"format"`
	Harness   string     `json:"harness"` // version of uwsgo-bench
	Command   []string   `json:"command"` // as it was called
	Started   time.Time  `json:"started"`
	Finished  time.Time  `json:"finished"`
	Complete  bool       `json:"complete"` // false: it was interrupted; the measured part is here
	Settings  Settings   `json:"settings"`
	Machine   Machine    `json:"machine"`
	Peers     []Peer     `json:"peers"` // every known peer, also those that are absent
	Workloads []Workload `json:"workloads"`
}

// Settings are the choices that hold for every measurement of a run.
type Settings struct {
	Rounds   int     `json:"rounds"`
	Seconds  float64 `json:"seconds"`   // of each measurement that runs for a time
	WarmUp   float64 `json:"warm_up"`   // seconds of the same load before it, not counted
	Logging  bool    `json:"logging"`   // request logs of all servers, on or off
	Pinning  string  `json:"pinning"`   // a sentence: which processors client and servers had
	ClientOn int     `json:"client_on"` // threads of the load generator
}

// What a run needs so that a report concludes anything from it. A shorter one is a quick look:
// on a machine that client and servers share, results vary with measurements below two seconds
// and fewer than seven rounds.
const (
	FullRounds  = 7
	FullSeconds = 2.0
)

// QuickLook tells whether a run is too short for conclusions.
func (s Settings) QuickLook() bool { return s.Rounds < FullRounds || s.Seconds < FullSeconds }

// Machine is where the run was made.
type Machine struct {
	CPU       string `json:"cpu"`
	Cores     int    `json:"cores"`
	MemoryMiB int64  `json:"memory_mib"`
	System    string `json:"system"` // distribution
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`     // that built the harness
	Python    string `json:"python"` // that runs the apps
}

// Peer is one way of serving, measured or not.
type Peer struct {
	Name    string `json:"name"`
	About   string `json:"about"`             // one sentence: what it is and how it runs
	Version string `json:"version,omitempty"` // the measured version
	Absent  string `json:"absent,omitempty"`  // why it was not measured, where it was asked for
}

// Workload is the same work asked of several servers.
type Workload struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	About   string   `json:"about"`           // the requests and the measurements, in full sentences
	Base    string   `json:"base,omitempty"`  // the base of ratios among servers of its class; empty for the best uWSGI of a class
	Cases   []string `json:"cases"`           // parts measured one after the other on the same server; one, "", if it has none
	Metrics []string `json:"metrics"`         // names of the columns, the most telling first
	Chart   []string `json:"chart,omitempty"` // metrics drawn as bars
	Entries []Entry  `json:"entries"`
	Absent  []Absent `json:"absent,omitempty"`
}

// Absent is a peer that did not take part in a workload.
type Absent struct {
	Peer   string `json:"peer"`
	Reason string `json:"reason"`
}

// Entry is one server in one workload.
type Entry struct {
	Peer       string            `json:"peer"`
	Class      string            `json:"class"`      // "http", "uwsgi protocol", "behind nginx", "baseline": who loses or wins is told within one
	Shape      string            `json:"shape"`      // processes and threads as it ran, "2 × 2"
	Connection string            `json:"connection"` // "kept alive", or "one per request"
	NoDelay    string            `json:"no_delay"`   // TCP_NODELAY of accepted connections: "on", "off", or "unknown"
	Command    []string          `json:"command"`    // as started in the last round
	Files      map[string]string `json:"files,omitempty"`
	Samples    []Sample          `json:"samples"`
	Failed     string            `json:"failed,omitempty"`  // why it was given up; samples from before stay
	Crashed    bool              `json:"crashed,omitempty"` // given up because it ended under the load, which is a result and no fault of the run
}

// Sample is one measurement: one server, one round, one case.
type Sample struct {
	Round  int                `json:"round"`
	Case   string             `json:"case"`
	Values map[string]float64 `json:"values"`           // by metric name
	Errors map[string]int64   `json:"errors,omitempty"` // wrong and missing answers, by kind
	Asked  int64              `json:"asked,omitempty"`  // requests with right, wrong or missing answers; 0: not counted
	Notes  []string           `json:"notes,omitempty"`  // warnings
	Curve  []Percentile       `json:"curve,omitempty"`
	Ticks  []Tick             `json:"ticks,omitempty"`
	Marks  []Mark             `json:"marks,omitempty"`
}

// Percentile is a point of a latency curve.
type Percentile struct {
	Percent float64 `json:"percent"` // 0 to 100
	Ms      float64 `json:"ms"`
}

// Tick is what happened to the requests that were due in one slice of time.
type Tick struct {
	At     float64 `json:"at"` // seconds since the measurement began
	OK     int64   `json:"ok"`
	Errors int64   `json:"errors"`
	P50    float64 `json:"p50"` // ms
	Max    float64 `json:"max"` // ms
}

// Mark is an event on the time axis of the ticks, such as a reload.
type Mark struct {
	At   float64 `json:"at"` // seconds
	Text string  `json:"text"`
}
