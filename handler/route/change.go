package route

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/codec"
)

// Changes of a request by rules. The app, files, later rules and the log see them.

// setters change variables with a meaning of their own. Other variables just enter the environ.
var setters = map[string]func(e *eval, value []byte) error{
	"REQUEST_METHOD": func(e *eval, value []byte) error { return e.r.SetMethod(value) },
	"REQUEST_URI":    func(e *eval, value []byte) error { return e.r.SetTarget(value) },
	"PATH_INFO":      func(e *eval, value []byte) error { return e.setPath(value, e.r.Bytes(e.r.Query)) },
	"QUERY_STRING":   func(e *eval, value []byte) error { return e.setPath(e.path, value) },
	"SCRIPT_NAME":    (*eval).setScriptName,
	"REMOTE_ADDR":    (*eval).setRemoteAddr,
	"REMOTE_USER": func(e *eval, value []byte) error {
		user, _, _ := bytes.Cut(value, []byte(":")) // so does uWSGI
		return e.r.SetVar("REMOTE_USER", string(user))
	},
	"UWSGI_SCHEME": func(e *eval, value []byte) error {
		switch string(value) {
		case "http", "https":
		default:
			return fmt.Errorf("scheme %.40q is neither http nor https", value)
		}
		e.r.HTTPS = string(value) == "https"
		return e.r.SetVar("UWSGI_SCHEME", string(value))
	},
	"CONTENT_TYPE": func(e *eval, value []byte) error { return e.r.SetField([]byte("Content-Type"), value) },
}

// setPath gives the request another path and query. If the app's mountpoint was cut off the
// path it puts it back, so that the app is found.
func (e *eval) setPath(path, query []byte) error {
	if string(e.script) != string(e.r.Bytes(e.r.ScriptName)) {
		path = append(bytes.Clone(e.script), path...)
	}
	return e.r.Rewrite(bytes.Clone(path), query)
}

func (e *eval) setScriptName(name []byte) error {
	path := bytes.Clone(e.path)
	if err := e.r.SetScriptName(name); err != nil {
		return err
	}
	return e.r.Rewrite(path, e.r.Bytes(e.r.Query))
}

func (e *eval) setRemoteAddr(value []byte) error {
	if bytes.ContainsAny(value, "\r\n\x00 ") || len(value) > maxAddress {
		return fmt.Errorf("%.80q is not an address", value)
	}
	if e.r.Proto == codec.UWSGI { // the front server's variable says it
		return e.r.SetVar("REMOTE_ADDR", string(value))
	}
	e.x.SetRemote(string(value), e.x.RemotePort())
	return nil
}

// set changes a variable.
func (e *eval) set(name string, value []byte) error {
	if setter := setters[name]; setter != nil {
		err := setter(e, value)
		e.locate()
		return err
	}
	if field, ok := strings.CutPrefix(name, "HTTP_"); ok {
		return e.r.SetField([]byte(strings.ReplaceAll(field, "_", "-")), value)
	}
	return e.r.SetVar(name, string(value))
}

// setVariable is an action that changes a variable.
type setVariable struct {
	name  string
	value template
}

func (a *setVariable) act(e *eval) (verdict, error) {
	return goOn, e.set(a.name, bytes.Clone(e.one(&a.value)))
}

// sets compiles set…:VALUE.
func sets(name string) func(c *compiler, args string) error {
	return func(c *compiler, args string) error {
		value, err := c.template(args, true)
		if err != nil {
			return err
		}
		if text, ok := value.fixed(); ok && name == "UWSGI_SCHEME" && text != "http" && text != "https" {
			return fmt.Errorf("%q: there are http and https", args)
		}
		c.rule.do = &setVariable{name, value}
		return nil
	}
}

// addsVariable compiles addvar:NAME=VALUE.
func addsVariable(c *compiler, args string) error {
	name, value, ok := strings.Cut(args, "=")
	if !ok {
		return fmt.Errorf("%q is not of the form NAME=VALUE", args)
	}
	if err := settable(c, name); err != nil {
		return err
	}
	c.rule.sets = name
	return sets(name)(c, value)
}

// settable refuses invalid names, and names that rules must not set.
func settable(c *compiler, name string) error {
	if err := checkVariable(name); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	switch name {
	case "CONTENT_LENGTH", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_CONNECTION":
		return fmt.Errorf("%s is set by the server, because it marks the end of the body", name)
	}
	if f, ok := strings.CutPrefix(name, "HTTP_"); ok && strings.ToUpper(f) != f {
		return fmt.Errorf("%s: no header has such a name in the environ: write it in capitals", name)
	}
	if _, ok := setters[name]; ok && name != "REMOTE_USER" && c.rule.table != requests {
		return c.missing("addvar: " + c.rule.table.without())
	}
	return nil
}

// rewrite gives the request another path, and another query in front of its own.
type rewrite struct {
	to   template
	last bool
}

func rewrites(last bool) func(c *compiler, args string) error {
	return func(c *compiler, args string) error {
		to, err := c.template(args, true)
		c.rule.do = &rewrite{to, last}
		return err
	}
}

func (a *rewrite) act(e *eval) (verdict, error) {
	path, query, ok := bytes.Cut(bytes.Clone(e.one(&a.to)), []byte("?"))
	own := e.r.Bytes(e.r.Query)
	switch {
	case !ok:
		query = own
	case len(own) > 0:
		query = append(append(query, '&'), own...)
	}
	err := e.setPath(codec.Unescape(path), query)
	e.locate()
	if a.last {
		return pass, err
	}
	return goOn, err
}

// fixesPath compiles fixpathinfo, which cuts as many bytes off PATH_INFO as SCRIPT_NAME has.
func fixesPath(c *compiler, _ string) error {
	c.rule.do = actionFunc(func(e *eval) (verdict, error) {
		n := len(e.script)
		if n > len(e.path) {
			return failed, fmt.Errorf("PATH_INFO is shorter than SCRIPT_NAME")
		}
		return goOn, e.set("PATH_INFO", bytes.Clone(e.path[n:]))
	})
	return nil
}

// zero compiles actions that choose a uWSGI plugin. Only 0, Python, is allowed.
func zero(c *compiler, args string) error {
	if args != "0" {
		return c.missing(c.rule.action + " asks for a plugin, and Python's is the only one: " + c.rule.action + ":0")
	}
	return nothing(c, args)
}

func nothing(c *compiler, _ string) error {
	c.rule.do = actionFunc(func(*eval) (verdict, error) { return goOn, nil })
	return nil
}

// compute changes a variable that is a number.
type compute struct {
	name  string
	by    template
	apply func(a, b int64) int64
}

// computes compiles +:NAME and +:NAME,BY.
func computes(apply func(a, b int64) int64) func(c *compiler, args string) error {
	return func(c *compiler, args string) error {
		name, by, ok := strings.Cut(args, ",")
		if !ok {
			by = "1"
		}
		if err := settable(c, name); err != nil {
			return err
		}
		t, err := c.template(by, true)
		c.rule.vars = append(c.rule.vars, name)
		c.rule.do = &compute{name, t, apply}
		return err
	}
}

func (a *compute) act(e *eval) (verdict, error) {
	value := e.variable(nil, a.name)
	if len(value) == 0 {
		return failed, fmt.Errorf("%s: %w", a.name, errNoVariable)
	}
	n := a.apply(number(value), number(e.one(&a.by)))
	return goOn, e.set(a.name, strconv.AppendInt(nil, n, 10))
}

var errNoVariable = errors.New("the request has no such variable to compute with")

func divide(a, b int64) int64 {
	if b == 0 || a == math.MinInt64 && b == -1 {
		return 0
	}
	return a / b
}
