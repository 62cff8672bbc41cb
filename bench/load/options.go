package load

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Protocol is the protocol to a server.
type Protocol int

// The protocols. With UWSGI each request has a connection of its own.
const (
	HTTP Protocol = iota
	UWSGI
)

// Target is the server that is asked.
type Target struct {
	Network  string // "tcp" or "unix"
	Address  string // host:port, or the path of the socket
	Protocol Protocol
}

// Header is one header field of a request.
type Header struct{ Name, Value string }

// Request is a request with its right answer.
type Request struct {
	Name   string // of its route in [Result.Routes]; requests of one name are counted together
	Method string // empty means GET
	Path   string // begins with a slash, may have a query, may contain [Number]
	// Header goes beside Host. Content-Length, Transfer-Encoding and Connection
	// are not for the caller to set.
	Header []Header
	Body   []byte
	Status int    // 0 means 200
	Want   []byte // the body of the right answer, may contain [Number]
	// AnyBody accepts every correctly framed body, for apps with varying answers; Want is
	// ignored then.
	AnyBody bool
}

// Number stands for the request's number, in ten digits, in requests and right answers of
// [Run]. Requests count from 0 in the order in which they are made. So an answer that belongs
// to another request is wrong, and a server can be asked afterwards which requests it ran. When
// a request is sent again after an unannounced close, it keeps its number.
const Number = "{{number}}"

// Route is a request and how often it is asked, relative to the others.
type Route struct {
	Request Request
	Weight  int
}

// Options say what load [Run] makes.
type Options struct {
	Target Target
	// Routes are mixed by weight, in an order that depends on Seed alone. One with
	// weight 0 is not asked, except that a single route needs no weight.
	Routes []Route
	// Connections is the number of clients of a closed loop, and the most
	// connections at once of an open one.
	Connections int
	// Rate is the requests a second of an open loop. 0 means a closed loop.
	Rate     float64
	Duration time.Duration
	// PerConnection is how many requests a connection carries; the last has "Connection:
	// close". 0 means as many as the server allows, 1 a connection for each request.
	PerConnection int
	// Pipeline is how many requests may be on one connection at once, in a closed loop over
	// HTTP. With 0 and 1 each waits for the answer before it.
	Pipeline int
	// Timeout is how long an answer may take, from when the request was due or
	// begun. 0 means 10 s; at most [MaxTimeout].
	Timeout time.Duration
	Tick    time.Duration // width of the slices of [Result.Ticks]; 0 means none
	Threads int           // event loops, each with its part of the connections; 0 means 1
	Seed    uint64
	// Heard, if it is given, is told what became of each request. It is called by
	// the event loops, several at once if there are several, and holds them up.
	Heard func(Outcome)
}

// Bounds of Options.
const (
	MaxTimeout   = 2 * time.Minute // what the histograms can hold
	maxClients   = 1 << 20
	maxPipeline  = 1024
	maxTicks     = 4096
	maxRoutes    = 1024
	maxWeights   = 1 << 16
	maxThreads   = 256
	maxRate      = 10e6
	maxDuration  = 24 * time.Hour
	defaultLimit = 10 * time.Second
)

// withDefaults replaces zero values, and refuses invalid ones.
func (o Options) withDefaults() (Options, error) {
	if o.Timeout == 0 {
		o.Timeout = defaultLimit
	}
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.Pipeline == 0 {
		o.Pipeline = 1
	}
	if len(o.Routes) == 1 && o.Routes[0].Weight == 0 {
		o.Routes = []Route{{Request: o.Routes[0].Request, Weight: 1}}
	}
	if o.Target.Protocol == UWSGI {
		o.PerConnection = 1
	}
	switch {
	case o.Connections < 1 || o.Connections > maxClients:
		return o, fmt.Errorf("load: %d connections: ask for 1 to %d", o.Connections, maxClients)
	case !(o.Rate >= 0 && o.Rate <= maxRate): // NaN too
		return o, fmt.Errorf("load: a rate of %g requests a second: ask for 0 (closed loop) to %g", o.Rate, maxRate)
	case o.Duration <= 0 || o.Duration > maxDuration:
		return o, fmt.Errorf("load: a duration of %v: ask for more than 0, at most %v", o.Duration, maxDuration)
	case o.PerConnection < 0:
		return o, fmt.Errorf("load: %d requests for each connection: ask for 0 (no bound) or more", o.PerConnection)
	case o.Pipeline < 0 || o.Pipeline > maxPipeline:
		return o, fmt.Errorf("load: %d requests in a pipeline: ask for 0 to %d", o.Pipeline, maxPipeline)
	case o.Pipeline > 1 && (o.Rate > 0 || o.Target.Protocol != HTTP):
		return o, errors.New("load: a pipeline needs HTTP and a closed loop (rate 0)")
	case o.Timeout < 0 || o.Timeout > MaxTimeout:
		return o, fmt.Errorf("load: a timeout of %v: ask for at most %v", o.Timeout, MaxTimeout)
	case o.Tick < 0 || o.Tick > 0 && o.Duration/o.Tick > maxTicks:
		return o, fmt.Errorf("load: slices of %v in %v: at most %d are kept, ask for wider ones", o.Tick, o.Duration, maxTicks)
	case o.Threads < 1 || o.Threads > min(o.Connections, maxThreads):
		return o, fmt.Errorf("load: %d threads for %d connections: ask for at most as many, and at most %d", o.Threads, o.Connections, maxThreads)
	case len(o.Routes) == 0 || len(o.Routes) > maxRoutes:
		return o, fmt.Errorf("load: %d routes to ask for: give 1 to %d", len(o.Routes), maxRoutes)
	}
	total := 0
	for _, r := range o.Routes {
		if r.Weight < 0 || r.Weight > maxWeights {
			return o, fmt.Errorf("load: route %q has weight %d: give it 0 to %d", r.Request.Name, r.Weight, maxWeights)
		}
		total += r.Weight
	}
	if total == 0 || total > maxWeights {
		return o, fmt.Errorf("load: the weights add up to %d: make it 1 to %d", total, maxWeights)
	}
	return o, nil
}

// check returns an error for an invalid target.
func (t Target) check() error {
	switch {
	case t.Network != "tcp" && t.Network != "unix":
		return fmt.Errorf("load: network %q: it is tcp or unix", t.Network)
	case t.Address == "":
		return errors.New("load: a target without an address")
	case t.Protocol != HTTP && t.Protocol != UWSGI:
		return fmt.Errorf("load: protocol %d: it is HTTP or UWSGI", t.Protocol)
	}
	return nil
}

// ours are the fields that the generator writes itself.
var ours = []string{"host", "connection", "content-length", "transfer-encoding"}

// check returns an error for an invalid request. Requests must be valid, or the server would be
// blamed for a refusal.
func (r Request) check() error {
	if !isToken(r.Method) {
		return fmt.Errorf("load: %q is not a method", r.Method)
	}
	if !strings.HasPrefix(r.Path, "/") || strings.ContainsFunc(r.Path, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return fmt.Errorf("load: %q is not a path: begin with a slash and write what is not ASCII in percent signs", r.Path)
	}
	for _, h := range r.Header {
		if !isToken(h.Name) || strings.ContainsFunc(h.Value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return fmt.Errorf("load: %q: %q is not a header field", h.Name, h.Value)
		}
		if slices.Contains(ours, strings.ToLower(h.Name)) {
			return fmt.Errorf("load: the field %s is written by the generator, leave it out", h.Name)
		}
	}
	if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
		return fmt.Errorf("load: status %d is not one of a final answer", r.Status)
	}
	if r.Method == http.MethodHead && len(r.Want) > 0 && !r.AnyBody {
		return errors.New("load: an answer to HEAD has no body to want")
	}
	return nil
}
