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
	// Collects are the headers of answers that become variables.
	Collects []Collect
	// Pool checks passwords of htpasswd files, which takes long on purpose. It is needed
	// where there is such a file.
	Pool *engine.Pool
	// Paths returns the SCRIPT_NAME and PATH_INFO that the app will get, for the handlers
	// behind that move one to the other; nil for those of the request.
	Paths func(r *codec.Request) (script, path []byte)
	// Upstream returns what passes requests on to other servers. It is needed where rules do.
	Upstream func(u Upstream) (engine.Handler, error)
	// ServerName is SERVER_NAME for requests over HTTP; empty means the host name.
	ServerName string
	// MimeFiles have the types of files, as for package static.
	MimeFiles []string
	// Trace hears of each rule that was for a request, once it has acted; nil for nobody. It runs on
	// the loop.
	Trace func(s Step)
	// Logf prints what log rules say, and why a request failed; nil drops that.
	Logf func(format string, args ...any)
}

// Handler follows rules and has the next handler answer what they let through. It may
// serve any number of loops.
type Handler struct {
	next     engine.Handler
	tables   [tableCount]table
	collects []Collect
	pool     *engine.Pool
	files    *static.Files // nil where no rule asks for one
	paths    func(r *codec.Request) (script, path []byte)
	host     string
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

// New returns a Handler in front of next. It reads the htpasswd files of the rules, and
// returns an error for one that it cannot use, and for a goto that leads nowhere.
func New(next engine.Handler, o Options) (*Handler, error) {
	h := &Handler{next: next, collects: o.Collects, pool: o.Pool, paths: o.Paths, host: o.ServerName, trace: o.Trace, logf: o.Logf}
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
		own := *rule // what is found out here is this handler's
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

// has reports whether there are rules in one of these tables.
func (h *Handler) has(kinds ...tableKind) bool {
	return slices.ContainsFunc(kinds, func(k tableKind) bool { return len(h.tables[k].rules) > 0 })
}

// settle does what needs the other rules, or files.
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
		// A file has one name: /files//secret is not to lead past a rule about ^/files/secret.
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

// eval returns one for a table and an exchange.
func (h *Handler) eval(x *engine.Exchange, kind tableKind) *eval {
	e := h.evals.Get().(*eval)
	e.x, e.r = x, x.Request()
	e.enter(kind)
	e.locate()
	return e
}

// eval follows the rules for one exchange. It belongs to the loop, or, while a password is
// checked, to the exchange.
type eval struct {
	h            *Handler
	kind         tableKind
	t            *table
	x            *engine.Exchange
	r            *codec.Request
	pc           int     // the next rule
	ahead        []int32 // of each subject of the index, the next rule that may be for it
	script, path []byte

	next    engine.Handler // where a rule passes the request on to; nil for the usual one
	doubled bool           // the path of the client has an empty segment
	status  int            // of the response; 0 before there is one
	size    int64          // of its body, as far as it has gone
	over    bool           // all has gone

	subject []byte   // what the pattern of the rule at hand has matched
	groups  []int    // and where in it
	before  snapshot // what there was before the rule at hand; for Options.Trace alone
	matched []byte   // scratch: a copy of subject
	spelled []byte   // scratch: a host or method
	first   []byte   // scratch: what templates make
	second  []byte

	add    []codec.Header // to the response
	remove [][]byte       // from it
	layer  *layer         // that does so; nil where the request's rules are the only ones

	// In the tables for responses:
	head   *codec.Response // what there is to send
	answer *whole          // what takes its place
}

// enter begins with the rules of a table.
func (e *eval) enter(kind tableKind) {
	e.kind, e.t, e.pc = kind, &e.h.tables[kind], 0
	e.ahead = e.ahead[:0]
}

// locate finds out the paths of the request.
func (e *eval) locate() {
	r := e.r
	if e.script, e.path = r.Bytes(r.ScriptName), r.Path(); r.PathInfo.Len() > len(e.path) {
		e.path = r.Bytes(r.PathInfo) // uWSGI's rules see it before it is cut
	} else if e.h.paths != nil {
		e.script, e.path = e.h.paths(r)
	}
}

// keepScratch bounds what an eval keeps for the next exchange.
const keepScratch = 64 << 10

func (e *eval) free() {
	clear(e.add)
	*e = eval{h: e.h, ahead: e.ahead[:0], matched: e.matched[:0], spelled: e.spelled[:0], first: e.first[:0], second: e.second[:0], add: e.add[:0], remove: e.remove[:0]}
	if cap(e.matched)+cap(e.first)+cap(e.second) <= keepScratch {
		e.h.evals.Put(e)
	}
}

// one returns what a template makes. It is valid until the next template is asked.
func (e *eval) one(t *template) []byte {
	if v, ok := t.view(e); ok {
		return v
	}
	e.first = t.append(e.first[:0], e)
	return e.first
}

// two returns what two templates make.
func (e *eval) two(a, b *template) (one, other []byte) {
	other, ok := b.view(e)
	if !ok {
		e.second = b.append(e.second[:0], e)
		other = e.second
	}
	return e.one(a), other
}

// serve follows the rules from the next one on, and has the next handler answer after them.
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

// run follows the rules from the next one on.
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

// heed has a rule act for a request, if its condition says so.
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

// forget lets go of what the index has found, as a rule may change the request.
func (e *eval) forget() {
	for i := range e.ahead {
		e.ahead[i] = -1
	}
}

// change has the response changed as the rules so far say.
func (e *eval) change() {
	if e.layer != nil {
		e.layer.add, e.layer.remove = append(e.layer.add, e.add...), append(e.layer.remove, e.remove...)
	} else if len(e.add)+len(e.remove) > 0 {
		header.Change(e.x, append([]codec.Header(nil), e.add...), append([][]byte(nil), e.remove...))
	}
}

// fail refuses a request that a rule could not be followed for: what it protects stays
// shut.
func (e *eval) fail(r *Rule, err error) {
	e.h.logf("%s: the request is refused: %v", r.Where, err)
	e.say(&whole{reply: reply{status: http.StatusInternalServerError, headers: plainText, body: []byte("Internal Server Error\n")}})
}
