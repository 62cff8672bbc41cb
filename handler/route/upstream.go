package route

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/engine"
)

// Upstream is another server, or a group of them, that a rule passes requests on to.
type Upstream struct {
	Protocol string // http or uwsgi
	Address  string // or the name of a group
	Host     string // sent in place of the client's; empty for that

	Modifier1, Modifier2 byte // of uwsgi packets
}

// Upstream returns where the rule passes requests on to, if it does.
func (r *Rule) Upstream() (u Upstream, ok bool) {
	if r.upstream == nil {
		return Upstream{}, false
	}
	return *r.upstream, true
}

// onward passes requests on.
type onward struct {
	to  engine.Handler // set by New
	uri template       // what is asked for; empty for what the client asks for
}

func (a *onward) act(e *eval) (verdict, error) {
	if text, ok := a.uri.fixed(); !ok || text != "" {
		if err := e.r.SetTarget(e.one(&a.uri)); err != nil {
			return failed, err
		}
		e.r.Rewritten = false // the target counts, not what a rewrite before has made of the path
	}
	e.next = a.to
	return pass, nil
}

// passesHTTP compiles http:ADDR[,HOST[,URI]].
func passesHTTP(c *compiler, args string) error {
	addr, rest, _ := strings.Cut(args, ",")
	host, uri, _ := strings.Cut(rest, ",")
	to, err := c.template(uri, true)
	if err != nil {
		return err
	}
	return c.passesTo(Upstream{Protocol: "http", Address: addr, Host: host}, to)
}

// passesUwsgi compiles uwsgi:ADDR[,MODIFIER1,MODIFIER2]. Without an address it changes the
// modifiers, and thus the plugin.
func passesUwsgi(c *compiler, args string) error {
	words := strings.Split(args, ",")
	u := Upstream{Protocol: "uwsgi", Address: words[0]}
	switch len(words) {
	case 1:
	case 3, 4:
		for i, to := range []*byte{&u.Modifier1, &u.Modifier2} {
			n, err := strconv.ParseUint(words[i+1], 10, 8)
			if err != nil {
				return fmt.Errorf("%q is no modifier from 0 to 255", words[i+1])
			}
			*to = byte(n)
		}
		if len(words) == 4 && words[3] != "" {
			return c.missing("uwsgi: the app of another server is for that server to choose: leave UWSGI_APPID out, or set it with addvar")
		}
	default:
		return fmt.Errorf("%q is not of the form ADDRESS,MODIFIER1,MODIFIER2", args)
	}
	if u.Address == "" {
		if u.Modifier1 != 0 || u.Modifier2 != 0 {
			return c.missing("uwsgi: without an address it asks for a plugin, and Python's is the only one")
		}
		return passes(c, "")
	}
	return c.passesTo(u, template{})
}

func (c *compiler) passesTo(u Upstream, uri template) error {
	switch {
	case u.Address == "":
		return fmt.Errorf("the address is missing, or the name of an upstream")
	case strings.Contains(u.Address, "$"), strings.Contains(u.Host, "$"):
		return c.missing(c.rule.action + ": the address and the host are the same for all requests, as a client could choose them otherwise: write one rule for each")
	}
	c.rule.upstream = &u
	c.rule.do = &onward{uri: uri}
	return nil
}
