package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/proxy"
	"github.com/uwsgo/uwsgo/handler/route"
)

// upstreams are the handlers that pass requests on to other servers. Rules that pass on alike share
// one, and so its connections.
type upstreams struct {
	cfg  *config.Config
	logf func(format string, args ...any)
	made map[route.Upstream]*proxy.Handler
	all  []*proxy.Handler
}

// config returns how the servers of a rule are asked.
func (u *upstreams) config(to route.Upstream) proxy.Config {
	var c proxy.Config
	if i := slices.IndexFunc(u.cfg.Upstreams, func(g config.Upstream) bool { return g.Name == to.Address }); i >= 0 {
		c = u.cfg.Upstreams[i].Config
		c.Servers = slices.Clone(c.Servers)
	} else {
		c.Servers = []proxy.Server{{Address: to.Address}}
	}
	for i := range c.Servers {
		c.Servers[i].Address = config.WithScheme(c.Servers[i].Address, to.Protocol)
	}
	all := u.cfg.Passing
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, all.ConnectTimeout)
	c.SendTimeout = cmp.Or(c.SendTimeout, all.SendTimeout)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, all.ReadTimeout)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, all.IdleTimeout)
	c.Forwarded = all.Forwarded
	c.Host = cmp.Or(to.Host, c.Host)
	c.Head = max(u.cfg.BufferSize, proxy.DefaultHead)
	c.Modifier1, c.Modifier2 = to.Modifier1, to.Modifier2
	c.Logf = u.logf
	return c
}

// handler returns what passes requests on as a rule says.
func (u *upstreams) handler(to route.Upstream) (engine.Handler, error) {
	if h := u.made[to]; h != nil {
		return h, nil
	}
	h, err := proxy.New(u.config(to))
	if err != nil {
		return nil, err
	}
	if u.made == nil {
		u.made = map[route.Upstream]*proxy.Handler{}
	}
	u.made[to] = h
	u.all = append(u.all, h)
	return h, nil
}

// router passes the requests of some addresses on, as http-to says, and has next answer the others.
func (u *upstreams) router(next engine.Handler, routes func(*engine.Listener) bool) (engine.Handler, error) {
	if len(u.cfg.HTTPTo) == 0 {
		return next, nil
	}
	c := u.config(route.Upstream{})
	c.Servers = nil
	for _, addr := range u.cfg.HTTPTo {
		c.Servers = append(c.Servers, proxy.Server{Address: addr})
	}
	to, err := proxy.New(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.cfg.HTTPToWhere, err)
	}
	u.all = append(u.all, to)
	return engine.HandlerFunc(func(x *engine.Exchange) {
		if routes(x.Listener()) {
			to.Serve(x)
			return
		}
		next.Serve(x)
	}), nil
}

func (u *upstreams) close() {
	for _, h := range u.all {
		h.Close()
	}
}

// routed reports whether uWSGI has its http router listen on an address, so that http-to is for it.
func routed(l config.Listen) bool {
	return l.Protocol == config.HTTP && strings.HasPrefix(l.Option, "http") && !strings.Contains(l.Option, "socket")
}

// told is in the place of an upstream for "uwsgo check" and "uwsgo route": it asks nobody.
func told(status int) func(to route.Upstream) (engine.Handler, error) {
	return func(to route.Upstream) (engine.Handler, error) {
		return engine.HandlerFunc(func(x *engine.Exchange) {
			x.ReplyText(status, fmt.Sprintf("the request is passed on to %s by %s\n", to.Address, to.Protocol))
		}), nil
	}
}
