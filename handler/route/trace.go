package route

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/handler/compress"
)

// Step describes what a rule did for a request: see [Options]. It is for tools that show rules
// at work, and costs allocations.
type Step struct {
	Rule    *Rule
	Changes []Change
	Then    Then
	Err     error // why the request is refused; nil otherwise
}

// Then says how to go on after a rule.
type Then string

// The values of [Then].
const (
	ThenNext   Then = "next"   // the next rule
	ThenLast   Then = "last"   // no more rules: files and the app answer, or the response goes out
	ThenAnswer Then = "answer" // the rule has answered, or closed the connection
	ThenRefuse Then = "refuse" // an error: 500
)

// Change is one change by a rule. It names a variable of the environ such as PATH_INFO, or the
// target of the action, such as "response X-A" for a header. From is nil if it did not exist
// before, To if it no longer exists.
type Change struct {
	Name     string
	From, To *string
}

// snapshot is the state that rules may change, by the names of [Change].
type snapshot map[string]string

// snap takes a snapshot if somebody traces.
func (e *eval) snap() {
	if e.h.trace != nil {
		e.before = e.look()
	}
}

func (e *eval) look() snapshot {
	s := snapshot{}
	put := func(name string) {
		if v := e.variable(nil, name); len(v) > 0 {
			s[name] = string(v)
		}
	}
	for _, name := range []string{"REQUEST_METHOD", "REQUEST_URI", "PATH_INFO", "SCRIPT_NAME", "QUERY_STRING", "REMOTE_ADDR", "HTTP_HOST", "CONTENT_TYPE", "HTTPS"} {
		put(name)
	}
	for _, f := range e.r.Fields {
		if name := e.r.Bytes(f.Name); !codec.EqualName(name, []byte("Content-Type")) && !codec.EqualName(name, []byte("Content-Length")) {
			put("HTTP_" + string(codec.AppendEnvName(nil, name)))
		}
	}
	for _, v := range e.r.Vars {
		put(string(e.r.Bytes(v.Name)))
	}
	if e.x.Harakiri != 0 {
		s["harakiri"] = e.x.Harakiri.String()
	}
	if e.x.Quiet {
		s["request log"] = "no line"
	}
	for name, value := range *logVars.Of(e.x) {
		s["log %("+name+")"] = string(value)
	}
	if *compress.Asked.Of(e.x) {
		s["response gzip"] = "where the client takes it"
	}
	for _, name := range e.remove {
		s["response "+string(name)] = "(taken out)"
	}
	added := map[string]int{}
	for _, h := range e.add {
		key := "response " + string(h.Name)
		if added[key]++; added[key] > 1 {
			key += " " + strconv.Itoa(added[key])
		}
		s[key] = string(h.Value)
	}
	if e.head != nil {
		s["response status"] = strconv.Itoa(e.head.Status)
	}
	return s
}

// tell reports what a rule did.
func (e *eval) tell(r *Rule, v verdict, err error) {
	if e.h.trace == nil {
		return
	}
	step := Step{Rule: r, Err: err}
	switch {
	case err != nil || v == failed:
		step.Then = ThenRefuse
	case v == ended, e.next != nil:
		step.Then = ThenAnswer
	case v == pass:
		step.Then = ThenLast
	default:
		step.Then = ThenNext
	}
	if v != ended || e.kind != requests { // else the request is over
		now := e.look()
		for name := range maps.Keys(now) {
			if was, ok := e.before[name]; !ok || was != now[name] {
				step.Changes = append(step.Changes, change(name, e.before, now))
			}
		}
		for name := range e.before {
			if _, ok := now[name]; !ok {
				step.Changes = append(step.Changes, change(name, e.before, now))
			}
		}
		slices.SortFunc(step.Changes, func(a, b Change) int { return cmp.Compare(a.Name, b.Name) })
	}
	e.h.trace(step)
}

func change(name string, before, now snapshot) Change {
	c := Change{Name: name}
	if was, ok := before[name]; ok {
		c.From = &was
	}
	if is, ok := now[name]; ok {
		c.To = &is
	}
	return c
}

// Table returns the option that the table of the rule has its name from: route, error-route,
// response-route or final-route.
func (r *Rule) Table() string { return tablePrefixes[r.table] + "route" }

// String returns "PATH_INFO: /a -> /b".
func (c Change) String() string {
	text := func(s *string) string {
		if s == nil {
			return "(none)"
		}
		return strings.ToValidUTF8(*s, "\ufffd")
	}
	if c.From == nil {
		return c.Name + " = " + text(c.To)
	}
	return c.Name + ": " + text(c.From) + " -> " + text(c.To)
}
