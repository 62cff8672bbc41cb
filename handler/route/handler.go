package route

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/header"
	"github.com/uwsgo/uwsgo/handler/static"
)

// Options configures a [Handler].
type Options struct {
	// Rules of all tables, those of each in order.
	Rules []*Rule
	// Collects lists headers of answers that become variables.
	Collects []Collect
	// Pool checks passwords of htpasswd files, which takes long by design. It is required for
	// such files.
	Pool *engine.Pool
	// Paths returns the app's SCRIPT_NAME and PATH_INFO when a later handler changes them; nil
	// means the request's.
	Paths func(r *codec.Request) (script, path []byte)
	// Upstream returns what passes requests on to other servers. It is needed where rules do.
	Upstream func(u Upstream) (engine.Handler, error)
	// ServerName is SERVER_NAME for requests over HTTP; empty means the host name.
	ServerName string
	// MimeFiles have the types of files, as in package static.
	MimeFiles []string
	// Alarm raises an alarm of that name. It is called on the loop, and must not wait; nil drops
	// what rules raise.
	Alarm func(name string, message []byte) bool
	// Metric changes a metric of that name: how is inc, dec, mul, div or set. It is called on the
	// loop, and must not wait. It returns false where that cannot be done; nil drops the changes.
	Metric func(name, how string, by int64) bool
	// Trace, if not nil, is called on the loop after each rule that applied to a request.
	Trace func(s Step)
	// Logf prints the text of log rules, and why a request failed; nil drops that.
	Logf func(format string, args ...any)
}

// Handler runs rules. The next handler answers the requests that they let through. It may serve
// any number of loops.
type Handler struct {
	next     engine.Handler
	tables   [tableCount]table
	collects []Collect
	pool     *engine.Pool
	files    *static.Files // nil if no rule needs it
	paths    func(r *codec.Request) (script, path []byte)
	host     string
	alarm    func(name string, message []byte) bool
	metric   func(name, how string, by int64) bool
	trace    func(s Step)
	logf     func(format string, args ...any)
	evals    sync.Pool // of *eval
	layers   sync.Pool // of *layer
}

// table is one of the lists of rules.
type table struct {
	rules []*Rule
	index *index
}

// New returns a Handler in front of next. It reads the rules' htpasswd files. It returns an
// error for an unusable one, and for a goto without a target.
func New(next engine.Handler, o Options) (*Handler, error) {
	h := &Handler{next: next, collects: o.Collects, pool: o.Pool, paths: o.Paths, host: o.ServerName, alarm: o.Alarm, metric: o.Metric, trace: o.Trace, logf: o.Logf}
	if h.logf == nil {
		h.logf = func(string, ...any) {}
	}
	if h.host == "" {
		var err error
		if h.host, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("host name for SERVER_NAME: %w", err)
		}
	}
	h.evals.New = func() any { return &eval{h: h} }
	h.layers.New = func() any { return &layer{h: h} }
	for _, rule := range o.Rules {
		own := *rule // a copy, because this handler writes to it
		t := &h.tables[rule.table]
		t.rules = append(t.rules, &own)
		if rule.file && h.files == nil {
			h.files = static.NewFiles(o.MimeFiles...)
		}
	}
	files := map[string]*passwordFile{}
	for i := range h.tables {
		t := &h.tables[i]
		for at, rule := range t.rules {
			if err := h.settle(rule, t.rules, at, files, o.Upstream); err != nil {
				return nil, fmt.Errorf("%s: %w", rule.Where, err)
			}
		}
		t.index = newIndex(t.rules)
	}
	return h, nil
}

// has reports whether one of these tables has rules.
func (h *Handler) has(kinds ...tableKind) bool {
	return slices.ContainsFunc(kinds, func(k tableKind) bool { return len(h.tables[k].rules) > 0 })
}

// settle resolves what depends on other rules or on files.
func (h *Handler) settle(r *Rule, rules []*Rule, at int, files map[string]*passwordFile, upstream func(u Upstream) (engine.Handler, error)) (err error) {
	if r.goTo != nil {
		g := *r.goTo
		r.goTo = &g
		if name, ok := g.to.fixed(); ok {
			g.target, err = target(rules, at, name)
		}
		return err
	}
	if on, ok := r.do.(*onward); ok {
		if upstream == nil {
			return fmt.Errorf("%s: other servers need Options.Upstream", r.action)
		}
		own := *on
		own.to, err = upstream(*r.upstream)
		r.do = &own
		return err
	}
	a, ok := r.do.(*basicAuth)
	if !ok || a.path == "" {
		return nil
	}
	if h.pool == nil {
		return fmt.Errorf("%s: passwords of a file need Options.Pool", r.action)
	}
	own := *a
	r.do = &own
	if own.file = files[a.path]; own.file == nil {
		own.file, err = openPasswords(a.path)
		files[a.path] = own.file
	}
	return err
}

// Serve implements [engine.Handler].
func (h *Handler) Serve(x *engine.Exchange) {
	e := h.eval(x, requests)
	if h.has(requests) && bytes.Contains(x.Request().Path(), doubleSlash) {
		// A file must have one name: /files//secret must not bypass a rule for ^/files/secret.
		e.doubled = true
		*static.NotAFile.Of(x) = true
	}
	if h.has(failures, responses, finals) || len(h.collects) > 0 {
		e.layer = h.layers.Get().(*layer)
		x.Push(e.layer)
	}
	if e.serve() != waits {
		e.free()
	}
}

var doubleSlash = []byte("//")

// eval returns an eval for a table and an exchange.
func (h *Handler) eval(x *engine.Exchange, kind tableKind) *eval {
	e := h.evals.Get().(*eval)
	e.x, e.r = x, x.Request()
	e.enter(kind)
	e.locate()
	return e
}

// eval runs the rules for one exchange. It belongs to the loop; while a password is checked, to
// the exchange.
type eval struct {
	h            *Handler
	kind         tableKind
	t            *table
	x            *engine.Exchange
	r            *codec.Request
	pc           int     // the next rule
	ahead        []int32 // for each subject of the index, the next rule that may apply
	script, path []byte

	next    engine.Handler // where a rule passes the request on to; nil for the usual one
	doubled bool           // the path of the client has an empty segment
	status  int            // of the response; 0 before there is one
	size    int64          // of its body, as far as it has gone
	over    bool           // all has gone

	subject []byte   // the text that the present rule's pattern has matched
	groups  []int    // the groups within it
	before  snapshot // the state before the present rule, for Options.Trace
	matched []byte   // scratch: a copy of subject
	spelled []byte   // scratch: a host or method
	first   []byte   // scratch: results of templates
	second  []byte

	add    []codec.Header // to the response
	remove [][]byte       // from it
	layer  *layer         // that does so; nil if only request rules exist

	// In the tables for responses:
	head   *codec.Response // the response's head
	answer *whole          // its replacement
}

// enter begins the rules of a table.
func (e *eval) enter(kind tableKind) {
	e.kind, e.t, e.pc = kind, &e.h.tables[kind], 0
	e.ahead = e.ahead[:0]
}

// locate reads the paths of the request.
func (e *eval) locate() {
	r := e.r
	if e.script, e.path = r.Bytes(r.ScriptName), r.Path(); r.PathInfo.Len() > len(e.path) {
		e.path = r.Bytes(r.PathInfo) // uWSGI's rules see it before it is cut
	} else if e.h.paths != nil {
		e.script, e.path = e.h.paths(r)
	}
}

// keepScratch bounds the memory that an eval keeps for the next exchange.
const keepScratch = 64 << 10

func (e *eval) free() {
	clear(e.add)
	*e = eval{h: e.h, ahead: e.ahead[:0], matched: e.matched[:0], spelled: e.spelled[:0], first: e.first[:0], second: e.second[:0], add: e.add[:0], remove: e.remove[:0]}
	if cap(e.matched)+cap(e.first)+cap(e.second) <= keepScratch {
		e.h.evals.Put(e)
	}
}

// one returns the text of a template. It is valid until the next template runs.
func (e *eval) one(t *template) []byte {
	if v, ok := t.view(e); ok {
		return v
	}
	e.first = t.append(e.first[:0], e)
	return e.first
}

// two returns the texts of two templates.
func (e *eval) two(a, b *template) (one, other []byte) {
	other, ok := b.view(e)
	if !ok {
		e.second = b.append(e.second[:0], e)
		other = e.second
	}
	return e.one(a), other
}

// serve runs the remaining rules, and then the next handler.
func (e *eval) serve() verdict {
	v := e.run()
	if v == pass {
		e.change()
		next := e.h.next
		if e.next != nil {
			next = e.next
		}
		next.Serve(e.x)
	}
	return v
}

// run runs the remaining rules.
func (e *eval) run() verdict {
	rules := e.t.rules
	for {
		if e.pc = min(e.pc, len(rules)); e.pc < len(rules) {
			e.pc = e.t.index.next(e)
		}
		if e.pc == len(rules) {
			return pass
		}
		r := rules[e.pc]
		e.pc++
		v, err := e.follow(r)
		if err != nil {
			e.fail(r, err)
			return ended
		}
		if v != goOn {
			return v
		}
	}
}

func (e *eval) follow(r *Rule) (verdict, error) {
	e.groups = nil
	if r.cond == nil {
		return e.heed(r, !r.negate)
	}
	if c, ok := r.cond.(*fileIs); ok && e.kind == requests {
		return c.follow(e, r)
	}
	ok, err := r.cond.holds(e)
	if err != nil {
		return failed, err
	}
	return e.heed(r, ok)
}

// heed runs a rule's action if its condition holds.
func (e *eval) heed(r *Rule, ok bool) (verdict, error) {
	if ok == r.negate {
		return goOn, nil
	}
	e.forget()
	e.snap()
	v, err := e.act(r)
	if v != waits {
		e.tell(r, v, err)
	}
	return v, err
}

func (e *eval) act(r *Rule) (verdict, error) {
	g := r.goTo
	if g == nil {
		return r.do.act(e)
	}
	to := g.target
	if to == 0 {
		var err error
		if to, err = target(e.t.rules, e.pc-1, string(e.one(&g.to))); err != nil {
			return failed, err
		}
	}
	e.pc = to
	return goOn, nil
}

// began returns when the head of the request was complete.
func (e *eval) began() time.Time {
	return time.Now().Add(time.Duration(e.x.Started() - e.x.Loop().Now()))
}

// forget drops the index's results, because a rule may have changed the request.
func (e *eval) forget() {
	for i := range e.ahead {
		e.ahead[i] = -1
	}
}

// change applies the rules' changes to the response.
func (e *eval) change() {
	if e.layer != nil {
		e.layer.add, e.layer.remove = append(e.layer.add, e.add...), append(e.layer.remove, e.remove...)
	} else if len(e.add)+len(e.remove) > 0 {
		header.Change(e.x, append([]codec.Header(nil), e.add...), append([][]byte(nil), e.remove...))
	}
}

// fail refuses a request whose rule failed: it never fails open.
func (e *eval) fail(r *Rule, err error) {
	e.h.logf("%s: the request is refused: %v", r.Where, err)
	e.say(&whole{reply: reply{status: http.StatusInternalServerError, headers: plainText, body: []byte("Internal Server Error\n")}})
}
