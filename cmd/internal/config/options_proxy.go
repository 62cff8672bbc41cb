package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/handler/proxy"
)

// ProxyConfig says which requests are passed on to other servers, and how.
type ProxyConfig struct {
	Upstreams []Upstream
	// HTTPTo are other servers for the requests of http and https addresses; none where http-to names
	// this one alone.
	HTTPTo      []string
	HTTPToWhere string       // its origin for messages
	Passing     proxy.Config // what holds for all of them
}

// Upstream is a group of servers with a name.
type Upstream struct {
	Name   string
	Config proxy.Config
	Where  string // its origin for messages
}

// PassesOn reports whether there are requests for other servers.
func (c *Config) PassesOn() bool {
	if len(c.HTTPTo) > 0 {
		return true
	}
	for _, r := range c.Routes {
		if _, ok := r.Upstream(); ok {
			return true
		}
	}
	return false
}

// upstreamForm is what upstream takes.
const upstreamForm = "NAME=ADDR[ weight=N],ADDR… [KEY=VALUE…]"

var proxyRows = []row{
	{
		Option: option.Option{
			Name: "http-to", Kind: option.List, Arg: "ADDR", Status: option.Differs,
			Help: "pass the requests of http and https addresses on to another server, by the uwsgi protocol; give it once for each server",
			Note: "Write http://ADDR for a server that speaks HTTP, or --http-backend-http for all. An address of this server itself changes nothing: there is no router in between. Rules, files and compression come first. See [proxy.md](proxy.md).",
		},
		set: func(r *resolver, e ini.Entry) error {
			if e.Value == "" {
				return e.Origin.Errorf(e.Key, "it needs an address, such as 10.0.0.1:3031")
			}
			r.httpTo = append(r.httpTo, e)
			return nil
		},
	},
	{
		Option: option.Option{
			Name: "http-backend-http", Aliases: []string{"http-backend-proto-http"}, Kind: option.Flag, Status: option.Same,
			Help: "the servers of --http-to speak HTTP",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.backendHTTP, e) },
	},
	{
		Option: option.Option{
			Name: "upstream", Kind: option.List, Arg: upstreamForm, Status: option.Own,
			Help: "name a group of servers for the rule actions http and uwsgi: api=10.0.0.1:80 weight=2,10.0.0.2:80 balance=least",
			Note: "[proxy.md](proxy.md) has the keys.",
		},
		set: (*resolver).upstream,
	},
	{
		Option: option.Option{
			Name: "proxy-connect-timeout", Kind: option.Seconds, Arg: "SECONDS", Default: "5", Status: option.Own,
			Help: "how long it may take to connect to another server",
			Note: "After that the next server of the group is asked; without one the client gets 504.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Passing.ConnectTimeout, e) },
	},
	{
		Option: option.Option{
			Name: "proxy-send-timeout", Kind: option.Seconds, Arg: "SECONDS", Default: "60", Status: option.Own,
			Help: "how long another server may accept no byte of a request",
			Note: "The limit for a slow client is http-timeout.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Passing.SendTimeout, e) },
	},
	{
		Option: option.Option{
			Name: "proxy-read-timeout", Kind: option.Seconds, Arg: "SECONDS", Default: "60", Status: option.Own,
			Help: "how long another server may be silent before its answer and within it",
			Note: "It does not hold for WebSockets and other upgraded connections.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Passing.ReadTimeout, e) },
	},
	{
		Option: option.Option{
			Name: "proxy-idle-timeout", Kind: option.Seconds, Arg: "SECONDS", Default: "30", Status: option.Own,
			Help: "how long an idle connection to another server is kept",
			Note: "A server can shorten it with Keep-Alive: timeout=5.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Passing.IdleTimeout, e) },
	},
	{
		Option: option.Option{
			Name: "proxy-forwarded", Kind: option.Flag, Status: option.Own,
			Help: "tell other servers about the client in the field Forwarded (RFC 7239) as well as X-Forwarded-For, -Proto and -Host",
			Note: "Over HTTP. Over uwsgi REMOTE_ADDR and HTTPS have it.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Passing.Forwarded, e) },
	},
}

// upstream reads a group of servers.
func (r *resolver) upstream(e ini.Entry) error {
	name, rest, ok := strings.Cut(e.Value, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" || strings.ContainsAny(name, " ,:/@$") {
		return e.Origin.Errorf(e.Key, "%q is not of the form %s", e.Value, upstreamForm)
	}
	if slices.ContainsFunc(r.Upstreams, func(u Upstream) bool { return u.Name == name }) {
		return e.Origin.Errorf(e.Key, "there is an upstream %s already", name)
	}
	u := Upstream{Name: name, Where: e.Origin.Name(e.Key)}
	for item := range strings.SplitSeq(rest, ",") {
		words := strings.Fields(item)
		if len(words) == 0 {
			return e.Origin.Errorf(e.Key, "an address is missing: %s", upstreamForm)
		}
		s := proxy.Server{Address: words[0]}
		for _, word := range words[1:] {
			key, value, ok := strings.Cut(word, "=")
			if !ok {
				return e.Origin.Errorf(e.Key, "%q is not of the form KEY=VALUE: addresses are separated by commas", word)
			}
			err := upstreamKey(&u.Config, &s, key, value)
			if err != nil {
				return e.Origin.Errorf(e.Key, "%s: %w", word, err)
			}
		}
		u.Config.Servers = append(u.Config.Servers, s)
	}
	if err := proxy.Check(u.Config); err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	r.Upstreams = append(r.Upstreams, u)
	return nil
}

var balances = map[string]proxy.Balance{"round-robin": proxy.RoundRobin, "least": proxy.LeastOpen, "random": proxy.RandomOfTwo, "hash": proxy.Hash}

// upstreamKey sets what one key of a group says.
func upstreamKey(c *proxy.Config, s *proxy.Server, key, value string) (err error) {
	times := map[string]*time.Duration{
		"health-interval": &c.Health.Interval, "health-timeout": &c.Health.Timeout, "slow-start": &c.SlowStart,
		"connect-timeout": &c.ConnectTimeout, "send-timeout": &c.SendTimeout, "read-timeout": &c.ReadTimeout, "idle-timeout": &c.IdleTimeout,
	}
	switch key {
	case "weight":
		if s.Weight, err = strconv.Atoi(value); err != nil || s.Weight < 1 || s.Weight > 1000 {
			return errors.New("a weight is a number from 1 to 1000")
		}
	case "balance":
		b, ok := balances[value]
		if !ok {
			return errors.New("it is none of round-robin, least, random and hash")
		}
		c.Balance = b
	case "hash":
		c.Balance, c.HashKey = proxy.Hash, value
	case "host":
		c.Host = value
	case "health":
		c.Health.Path = value
	case "ca":
		c.CA = value
	case "server-name":
		c.ServerName = value
	case "nameserver":
		if _, port, err := net.SplitHostPort(value); err != nil || port == "" {
			value = net.JoinHostPort(strings.Trim(value, "[]"), "53")
		}
		c.NameServers = append(c.NameServers, value)
	case "proxy-protocol":
		if c.ProxyProtocol, err = strconv.Atoi(value); err != nil || c.ProxyProtocol < 1 || c.ProxyProtocol > 2 {
			return errors.New("the PROXY protocol has the versions 1 and 2")
		}
	case "idle":
		if c.Idle, err = strconv.Atoi(value); err != nil || c.Idle < 0 || c.Idle > 10_000 {
			return errors.New("idle connections are a number up to 10000")
		}
		if c.Idle == 0 {
			c.Idle = -1
		}
	default:
		to, ok := times[key]
		if !ok {
			return fmt.Errorf("there is no such key: weight, balance, hash, host, idle, health, health-interval, health-timeout, slow-start, nameserver, proxy-protocol, ca, server-name, connect-timeout, send-timeout, read-timeout and idle-timeout are")
		}
		if _, err := strconv.Atoi(value); err == nil {
			value += "s"
		}
		if *to, err = time.ParseDuration(value); err != nil || *to <= 0 {
			return errors.New("it needs seconds, more than 0, or a time such as 500ms")
		}
	}
	return nil
}

// settleUpstreams finds out whether http-to names other servers, and has the groups go by what holds for
// all.
func (r *resolver) settleUpstreams() error {
	own := func(e ini.Entry) bool {
		return slices.ContainsFunc(r.Listens, func(l Listen) bool { return same(l.Addr, address(e.Value)) })
	}
	if !slices.ContainsFunc(r.httpTo, func(e ini.Entry) bool { return !own(e) }) {
		r.httpTo = nil
	}
	for _, e := range r.httpTo {
		addr := e.Value
		if !strings.Contains(addr, "://") {
			scheme := "uwsgi://"
			if r.backendHTTP {
				scheme = "http://"
			}
			addr = scheme + addr
		}
		if err := proxy.Check(proxy.Config{Servers: []proxy.Server{{Address: addr}}}); err != nil {
			return e.Origin.Errorf(e.Key, "%w", err)
		}
		r.HTTPTo, r.HTTPToWhere = append(r.HTTPTo, addr), e.Origin.Name(e.Key)
	}
	for _, rule := range r.Routes {
		u, ok := rule.Upstream()
		if !ok || slices.ContainsFunc(r.Upstreams, func(g Upstream) bool { return g.Name == u.Address }) {
			continue
		}
		if !strings.ContainsAny(u.Address, ":/@") {
			return fmt.Errorf("%s: there is no upstream %s: write upstream = %s=10.0.0.1:80, or an address with a port", rule.Where, u.Address, u.Address)
		}
		if err := proxy.Check(proxy.Config{Servers: []proxy.Server{{Address: WithScheme(u.Address, u.Protocol)}}, Host: u.Host}); err != nil {
			return fmt.Errorf("%s: %w", rule.Where, err)
		}
	}
	return nil
}

// WithScheme puts a scheme before an address that has none.
func WithScheme(addr, scheme string) string {
	if strings.Contains(addr, "://") {
		return addr
	}
	return scheme + "://" + addr
}
