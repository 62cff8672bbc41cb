package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Kinds of errors, as they are counted in [Result.Errors].
const (
	KindConnect     = "connect"           // no connection could be made
	KindStatus      = "status"            // another status than wanted
	KindLength      = "length"            // a body that is longer or shorter than wanted
	KindBody        = "body"              // other bytes than wanted
	KindMalformed   = "malformed"         // not HTTP, or framed in a way that HTTP forbids
	KindExtra       = "extra bytes"       // something behind the answer
	KindEarly       = "early answer"      // an answer before the request was sent
	KindClosedEarly = "closed early"      // the connection ended in the middle of an answer
	KindNoAnswer    = "no answer"         // a new connection ended without an answer, or a client of a closed loop never got one
	KindTimeout     = "timeout"           // no whole answer within the timeout
	KindUnannounced = "unannounced close" // a kept connection ended under a request; it was sent again, RFC 9112 9.3.1
)

// Result is what a generator saw.
type Result struct {
	// Requests is the number of right answers. A closed loop counts those that
	// came within Elapsed, an open loop all that were due within it.
	Requests int64
	// Late is the number of right answers of a closed loop that came after Elapsed,
	// to requests made within it. A server has worked for them too.
	Late int64
	// Errors counts wrong and missing answers by kind; it is empty when all was
	// well. A request that is sent again after an unannounced close can be counted
	// there and among the right answers.
	Errors map[string]int64
	// Elapsed is how long requests were made; for an open loop until the last right
	// answer, if that is later.
	Elapsed time.Duration
	// Latency, in microseconds, counts right answers, late ones too. Requests that timed out,
	// or that an unanswered client gave up, count with the time of their wait. So who stalls
	// towards the end cannot hide it.
	Latency *hdrhistogram.Histogram
	Routes  map[string]RouteResult // by Request.Name
	// Served is how many clients got at least one right answer.
	Served  int
	BodyIn  int64 // bytes of the bodies of right answers
	BodyOut int64 // bytes of the bodies of requests that were answered right
	// Connects is the number of connections made.
	Connects int64
	Ticks    []Tick
	// ClientCPU is the share, 0 to 1, of one processor that the busiest thread of the generator
	// used. Above 0.8 the generator may limit the result.
	ClientCPU float64
}

// Outcome is what became of one request.
type Outcome struct {
	Number int64         // of the request, see [Number]
	Route  string        // its name
	Kind   string        // of the error; "" for a right answer
	Status int           // of the answer, 0 if there was none
	Due    time.Duration // when it was due, or begun, since the load began
	Took   time.Duration // from then to the outcome
}

// RouteResult is the part of a [Result] that is about one route.
type RouteResult struct {
	Requests int64
	Errors   int64
	Latency  *hdrhistogram.Histogram
}

// Tick is what became of the requests that were due, or begun, in a slice of time.
type Tick struct {
	At     time.Duration // begin of the slice, since the load began
	OK     int64
	Errors int64
	P50    time.Duration // of the same answers as Result.Latency
	Max    time.Duration
}

// Failed is the number of errors of all kinds.
func (r Result) Failed() (n int64) {
	for _, count := range r.Errors {
		n += count
	}
	return n
}

// Rate is the right answers a second.
func (r Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Requests) / r.Elapsed.Seconds()
}

// Percentile is the time within which that many percent of the requests of
// Latency were answered.
func (r Result) Percentile(percent float64) time.Duration {
	return time.Duration(r.Latency.ValueAtPercentile(percent)) * time.Microsecond
}

// newHistogram holds latencies from a microsecond to the longest timeout.
func newHistogram(digits int) *hdrhistogram.Histogram {
	return hdrhistogram.New(1, MaxTimeout.Microseconds(), digits)
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(1, d.Microseconds()), MaxTimeout.Microseconds())) // within its range
}

// tally is what one thread saw. Its loop owns it until the loop has ended.
type tally struct {
	routes   []routeTally // by index of Options.Routes
	ticks    []tickTally
	width    time.Duration // of a tick
	errors   map[string]int64
	late     int64
	served   int
	connects int64
	lastOK   time.Duration // when the last right answer came, since the begin
	cpu      time.Duration // of the thread while requests were made
	stopped  time.Duration // when it stopped making requests
}

type routeTally struct {
	requests, errors int64
	latency          *hdrhistogram.Histogram
}

type tickTally struct {
	ok, errors int64
	max        time.Duration
	latency    *hdrhistogram.Histogram // nil until something is recorded
}

func newTally(o Options) *tally {
	t := &tally{routes: make([]routeTally, len(o.Routes)), width: o.Tick, errors: map[string]int64{}}
	for i := range t.routes {
		t.routes[i].latency = newHistogram(3)
	}
	if o.Tick > 0 {
		t.ticks = make([]tickTally, (o.Duration+o.Tick-1)/o.Tick)
	}
	return t
}

// right counts a right answer to a request that was due at due.
func (t *tally) right(route int32, due, now time.Duration) {
	r := &t.routes[route]
	r.requests++
	record(r.latency, now-due)
	t.lastOK = now
	if tick := t.tick(due); tick != nil {
		tick.ok++
		tick.record(now - due)
	}
}

// tardy counts a right answer that came after the time.
func (t *tally) tardy(route int32, due, now time.Duration) {
	t.late++
	record(t.routes[route].latency, now-due)
	if tick := t.tick(due); tick != nil {
		tick.ok++
		tick.record(now - due)
	}
}

// wrong counts an error of a request that was due at due.
func (t *tally) wrong(route int32, kind string, due, now time.Duration) {
	t.errors[kind]++
	r := &t.routes[route]
	r.errors++
	tick := t.tick(due)
	if tick != nil {
		tick.errors++
	}
	if kind == KindTimeout {
		record(r.latency, now-due)
		if tick != nil {
			tick.record(now - due)
		}
	}
}

func (t *tally) tick(due time.Duration) *tickTally {
	if t.ticks == nil {
		return nil
	}
	return &t.ticks[min(int(due/t.width), len(t.ticks)-1)]
}

func (t *tickTally) record(d time.Duration) {
	if t.latency == nil {
		t.latency = newHistogram(2) // there are many
	}
	t.max = max(t.max, d)
	record(t.latency, d)
}

// merge adds up what the threads saw.
func merge(o Options, wires []wire, tallies []*tally) Result {
	r := Result{Errors: map[string]int64{}, Latency: newHistogram(3), Routes: map[string]RouteResult{}}
	ticks := newTally(o).ticks
	for _, t := range tallies {
		for kind, n := range t.errors {
			r.Errors[kind] += n
		}
		for i, route := range t.routes {
			w := &wires[i]
			r.Requests += route.requests
			r.BodyIn += route.requests * int64(len(w.want))
			r.BodyOut += route.requests * int64(w.bodyOut)
			r.Latency.Merge(route.latency)
			named, ok := r.Routes[w.name]
			if !ok {
				named.Latency = newHistogram(3)
			}
			named.Requests += route.requests
			named.Errors += route.errors
			named.Latency.Merge(route.latency)
			r.Routes[w.name] = named
		}
		r.Late += t.late
		r.Served += t.served
		r.Connects += t.connects
		r.Elapsed = max(r.Elapsed, t.stopped)
		if o.Rate > 0 {
			r.Elapsed = max(r.Elapsed, t.lastOK)
		}
		if t.stopped > 0 {
			r.ClientCPU = max(r.ClientCPU, float64(t.cpu)/float64(t.stopped))
		}
		for i, tick := range t.ticks {
			ticks[i].ok += tick.ok
			ticks[i].errors += tick.errors
			ticks[i].max = max(ticks[i].max, tick.max)
			if tick.latency != nil {
				if ticks[i].latency == nil {
					ticks[i].latency = newHistogram(2)
				}
				ticks[i].latency.Merge(tick.latency)
			}
		}
	}
	for i, tick := range ticks {
		out := Tick{At: time.Duration(i) * o.Tick, OK: tick.ok, Errors: tick.errors, Max: tick.max}
		if tick.latency != nil {
			out.P50 = time.Duration(tick.latency.ValueAtQuantile(50)) * time.Microsecond
		}
		r.Ticks = append(r.Ticks, out)
	}
	return r
}
