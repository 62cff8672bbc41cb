package route

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/compress"
	"github.com/uwsgo/uwsgo/handler/header"
)

// verdict says how to go on after an action.
type verdict uint8

const (
	goOn   verdict = iota // with the next rule
	pass                  // stop: the next handler answers
	ended                 // the exchange has been answered
	waits                 // the action resumes the rules later
	failed                // with an error: the request is refused
)

// action is the action of a rule.
type action interface {
	act(e *eval) (verdict, error)
}

type actionFunc func(e *eval) (verdict, error)

func (f actionFunc) act(e *eval) (verdict, error) { return f(e) }

func passes(c *compiler, _ string) error {
	c.rule.do = actionFunc(func(*eval) (verdict, error) { return pass, nil })
	return nil
}

// parseStatus reads STATUS, or STATUS REASON.
func parseStatus(args string) (status int, reason string, err error) {
	code, reason, _ := strings.Cut(args, " ")
	status, err = strconv.Atoi(code)
	if err != nil || len(code) != 3 || status < 200 {
		return 0, "", fmt.Errorf("%q does not begin with a status, such as 403", args)
	}
	if err = codec.Validate(&codec.Response{Status: status, Reason: []byte(reason)}); err != nil {
		return 0, "", err
	}
	return status, reason, nil
}

// reply is an answer that is equal for all requests.
type reply struct {
	status  int
	reason  []byte
	headers []codec.Header
	body    []byte
}

func (a *reply) act(e *eval) (verdict, error) { return e.say(&whole{reply: *a}), nil }

// whole is a reply that may be a file.
type whole struct {
	reply
	file *os.File
	size int64
}

// fill starts resp as a says.
func (a *whole) fill(resp *codec.Response) {
	resp.Status, resp.Reason = a.status, a.reason
	resp.Header = append(resp.Header, a.headers...)
}

// say answers the request, or replaces another answer.
func (e *eval) say(a *whole) verdict {
	if e.kind != requests {
		e.answer = a
		return ended
	}
	e.change()
	resp := e.x.Response()
	a.fill(resp)
	if a.file != nil {
		e.x.ReplyFile(resp, a.file, 0, a.size)
	} else {
		e.x.Reply(resp, a.body)
	}
	return ended
}

var plainText = []codec.Header{{Name: []byte("Content-Type"), Value: []byte("text/plain")}}

// breaks compiles break:STATUS, which answers without a body, and plain break, which closes
// without an answer.
func breaks(c *compiler, args string) error {
	if c.rule.table == finals {
		return passes(c, args)
	}
	if args == "" {
		if c.rule.table != requests {
			return c.missing("break: cannot take back an answer that is on its way: give it a status, as in break:500")
		}
		c.rule.do = actionFunc(func(e *eval) (verdict, error) {
			e.x.Drop()
			return ended, nil
		})
		return nil
	}
	status, reason, err := parseStatus(args)
	if err != nil {
		return err
	}
	c.rule.do = &reply{status: status, reason: []byte(reason), headers: plainText}
	return nil
}

// returns compiles return:STATUS, whose body is the status in words.
func returns(c *compiler, args string) error {
	status, reason, err := parseStatus(args)
	if err != nil {
		return err
	}
	text := http.StatusText(status)
	if text == "" {
		text = reason
	}
	c.rule.do = &reply{status: status, reason: []byte(reason), headers: plainText, body: []byte(text)}
	return nil
}

// redirect answers with another address.
type redirect struct {
	reply
	to template
}

func redirects(status int, body string) func(c *compiler, args string) error {
	return func(c *compiler, args string) error {
		if args == "" {
			return errors.New("it needs an address")
		}
		to, err := c.template(args, true)
		if err != nil {
			return err
		}
		if text, ok := to.fixed(); ok {
			if _, err := location([]byte(text)); err != nil {
				return err
			}
		}
		c.rule.do = &redirect{reply{status: status, body: []byte(body)}, to}
		return nil
	}
}

func location(to []byte) (codec.Header, error) {
	h := codec.Header{Name: []byte("Location"), Value: to}
	return h, codec.Validate(&codec.Response{Status: 200, Header: []codec.Header{h}})
}

func (a *redirect) act(e *eval) (verdict, error) {
	h, err := location(e.one(&a.to))
	if err != nil {
		return failed, err
	}
	r := a.reply
	r.headers = []codec.Header{h}
	return r.act(e)
}

// addHeader adds a header to the response, whichever handler answers.
type addHeader struct {
	fixed codec.Header
	value template // if it differs between requests
}

func addsHeader(c *compiler, args string) error {
	name, value, ok := strings.Cut(args, ":")
	if !ok || strings.Contains(name, "${") {
		return fmt.Errorf("%q is not of the form Name: value", args)
	}
	a := &addHeader{}
	var err error
	if a.value, err = c.template(strings.Trim(value, " \t"), true); err != nil {
		return err
	}
	text, _ := a.value.fixed()
	a.fixed, err = header.Parse(name + ":" + text)
	c.rule.do = a
	return err
}

func (a *addHeader) act(e *eval) (verdict, error) {
	h := a.fixed
	if _, ok := a.value.fixed(); !ok {
		h.Value = a.value.append(nil, e)
		if err := codec.Validate(&codec.Response{Status: 200, Header: []codec.Header{h}}); err != nil {
			return failed, err
		}
	}
	e.add = append(e.add, h)
	return goOn, nil
}

// setsHeader compiles setheader:Name: value, which replaces the app's header.
func setsHeader(c *compiler, args string) error {
	if err := addsHeader(c, args); err != nil {
		return err
	}
	add := c.rule.do.(*addHeader)
	name := add.fixed.Name
	c.rule.do = actionFunc(func(e *eval) (verdict, error) {
		e.remove = append(e.remove, name)
		return add.act(e)
	})
	return nil
}

// setsType compiles addcontenttype:TYPE.
func setsType(c *compiler, args string) error { return setsHeader(c, "Content-Type: "+args) }

func removesHeader(c *compiler, args string) error {
	name, err := header.ParseName(strings.TrimSuffix(args, ":"))
	c.rule.do = actionFunc(func(e *eval) (verdict, error) {
		e.remove = append(e.remove, name)
		return goOn, nil
	})
	return err
}

// goTo goes on at a label, or at the rule of that number.
type goTo struct {
	to     template
	target int // found by New; 0 if the label depends on the request
}

func goesTo(c *compiler, args string) error {
	to, err := c.template(args, true)
	c.rule.goTo = &goTo{to: to}
	return err
}

// target returns the place of a label, or of a number. The first rule is 0.
func target(rules []*Rule, from int, name string) (int, error) {
	to := -1
	for i, r := range rules {
		if r.label != "" && r.label == name {
			to = i
			break
		}
	}
	if to < 0 {
		n, err := strconv.Atoi(name)
		if err != nil {
			return 0, fmt.Errorf("goto: there is no label %q", name)
		}
		to = n
	}
	if to <= from {
		return 0, fmt.Errorf("goto:%s goes back: a label must stand after the rule that goes to it", name)
	}
	return to, nil
}

func logs(c *compiler, args string) error {
	text, err := c.template(args, true)
	c.rule.do = actionFunc(func(e *eval) (verdict, error) {
		e.h.logf("%s", e.one(&text))
		return goOn, nil
	})
	return err
}

// logVars are the log variables that rules have set on an exchange.
var logVars = engine.NewKey[map[string][]byte]()

// LogVariable returns the value that a logvar rule has set for the log of x, nil for none.
func LogVariable(x *engine.Exchange, name string) []byte { return (*logVars.Of(x))[name] }

// logsVariable compiles logvar:NAME=VALUE, which log-format has as %(NAME).
func logsVariable(c *compiler, args string) error {
	name, value, ok := strings.Cut(args, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q is not of the form NAME=VALUE", args)
	}
	text, err := c.template(value, true)
	c.rule.logVar = name
	c.rule.do = actionFunc(func(e *eval) (verdict, error) {
		vars := logVars.Of(e.x)
		if *vars == nil {
			*vars = map[string][]byte{}
		}
		(*vars)[name] = bytes.Clone(e.one(&text))
		return goOn, nil
	})
	return err
}

// compresses compiles gzip.
func compresses(c *compiler, _ string) error {
	c.rule.gzip = true
	c.rule.do = actionFunc(func(e *eval) (verdict, error) {
		*compress.Asked.Of(e.x) = true
		return goOn, nil
	})
	return nil
}

func isQuiet(c *compiler, _ string) error {
	c.rule.do = actionFunc(func(e *eval) (verdict, error) {
		e.x.Quiet = true
		return goOn, nil
	})
	return nil
}

// maxLimit is a hundred years, in seconds.
const maxLimit = 100 * 365 * 24 * 3600

func limits(c *compiler, args string) error {
	if args == "" {
		return errors.New("harakiri needs seconds: harakiri:300")
	}
	n, err := strconv.ParseInt(args, 10, 64)
	if err != nil || n < 0 || n > maxLimit {
		return fmt.Errorf("%q is not a number of seconds", args)
	}
	limit := time.Duration(n) * time.Second
	if n == 0 {
		limit = -1
	}
	c.rule.limit = limit
	c.rule.do = actionFunc(func(e *eval) (verdict, error) {
		e.x.Harakiri = limit
		return goOn, nil
	})
	return nil
}
