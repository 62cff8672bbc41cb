package route

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/header"
)

// Options configures a [Handler].
type Options struct {
	Rules []*Rule
	// Pool checks passwords of htpasswd files, which takes long on purpose. It is needed
	// where there is such a file.
	Pool *engine.Pool
	// Paths returns the SCRIPT_NAME and PATH_INFO that the app will get, for the handlers
	// behind that move one to the other; nil for those of the request.
	Paths func(r *codec.Request) (script, path []byte)
	// ServerName is SERVER_NAME for requests over HTTP; empty means the host name.
	ServerName string
	// Logf prints what log rules say, and why a request failed; nil drops that.
	Logf func(format string, args ...any)
}

// Handler follows rules and has the next handler answer what they let through. It may
// serve any number of loops.
type Handler struct {
	next  engine.Handler
	rules []*Rule
	index *index
	pool  *engine.Pool
	paths func(r *codec.Request) (script, path []byte)
	host  string
	logf  func(format string, args ...any)
	evals sync.Pool // of *eval
}

// New returns a Handler in front of next. It reads the htpasswd files of the rules, and
// returns an error for one that it cannot use, and for a goto that leads nowhere.
func New(next engine.Handler, o Options) (*Handler, error) {
	h := &Handler{next: next, pool: o.Pool, paths: o.Paths, host: o.ServerName, logf: o.Logf}
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
	files := map[string]*passwordFile{}
	for i, rule := range o.Rules {
		own := *rule // what is found out here is this handler's
		if err := h.settle(&own, o.Rules, i, files); err != nil {
			return nil, fmt.Errorf("%s: %w", rule.Where, err)
		}
		h.rules = append(h.rules, &own)
	}
	h.index = newIndex(h.rules)
	return h, nil
}

// settle does what needs the other rules, or files.
func (h *Handler) settle(r *Rule, rules []*Rule, at int, files map[string]*passwordFile) (err error) {
	if r.goTo != nil {
		g := *r.goTo
		r.goTo = &g
		if name, ok := g.to.fixed(); ok {
			g.target, err = target(rules, at, name)
		}
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
	e := h.evals.Get().(*eval)
	e.x, e.r = x, x.Request()
	e.locate()
	if e.run() != waits {
		e.free()
	}
}

// eval follows the rules for one exchange. It belongs to the loop, or, while a password is
// checked, to the exchange.
type eval struct {
	h            *Handler
	x            *engine.Exchange
	r            *codec.Request
	pc           int     // the next rule
	ahead        []int32 // of each subject of the index, the next rule that may be for it
	script, path []byte

	status int   // of the response; 0 before there is one
	size   int64 // of its body, as far as it has gone
	over   bool  // all has gone

	subject []byte // what the pattern of the rule at hand has matched
	groups  []int  // and where in it
	first   []byte // scratch: what templates make
	second  []byte

	add    []codec.Header // to the response
	remove [][]byte       // from it
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
	*e = eval{h: e.h, ahead: e.ahead[:0], first: e.first[:0], second: e.second[:0], add: e.add[:0], remove: e.remove[:0]}
	if cap(e.first)+cap(e.second) <= keepScratch {
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

// run follows the rules from the next one on, and has the next handler answer after them.
func (e *eval) run() verdict {
	for {
		if e.pc = min(e.pc, len(e.h.rules)); e.pc < len(e.h.rules) {
			e.pc = e.h.index.next(e)
		}
		if e.pc == len(e.h.rules) {
			break
		}
		r := e.h.rules[e.pc]
		e.pc++
		v, err := e.follow(r)
		if err != nil {
			e.fail(r, err)
			return ended
		}
		switch v {
		case goOn:
		case pass:
			e.pc = len(e.h.rules)
		default:
			return v
		}
	}
	e.change()
	e.h.next.Serve(e.x)
	return pass
}

func (e *eval) follow(r *Rule) (verdict, error) {
	e.groups = nil
	if r.cond != nil {
		ok, err := r.cond.holds(e)
		if err != nil {
			return failed, err
		}
		if ok == r.negate {
			return goOn, nil
		}
	}
	e.forget()
	if g := r.goTo; g != nil {
		to := g.target
		if to == 0 {
			var err error
			if to, err = target(e.h.rules, e.pc-1, string(e.one(&g.to))); err != nil {
				return failed, err
			}
		}
		e.pc = to
		return goOn, nil
	}
	return r.do.act(e)
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
	if len(e.add)+len(e.remove) > 0 {
		header.Change(e.x, append([]codec.Header(nil), e.add...), append([][]byte(nil), e.remove...))
	}
}

// fail refuses a request that a rule could not be followed for: what it protects stays
// shut.
func (e *eval) fail(r *Rule, err error) {
	e.h.logf("%s: the request is refused: %v", r.Where, err)
	e.x.ReplyText(http.StatusInternalServerError, "Internal Server Error\n")
}
