package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/handler/route"
)

// RouteConfig has the rules of requests, in the order in which they are followed.
type RouteConfig struct {
	Routes []*route.Rule
}

var routingRows = []row{
	{
		Option: option.Option{
			Name: "route", Kind: option.List, Arg: "RULE", Status: option.Differs,
			Help: "do something with requests whose PATH_INFO matches: REGEX ACTION:ARGUMENTS",
			Note: "[routing.md](routing.md) has the actions; others [end the start](#ends-the-start), or are left out where they protect nothing. Patterns are Go's (RE2). The time of harakiri takes the place of --harakiri, so it may be longer, and 0 means none; in uWSGI the shorter one counts.",
		},
		set: (*resolver).route,
	},
	{
		Option: option.Option{
			Name: "route-uri", Kind: option.List, Arg: "RULE", Status: option.Differs,
			Help: "the same where REQUEST_URI matches",
			Note: "As for route.",
		},
		set: (*resolver).route,
	},
	{
		Option: option.Option{
			Name: "route-qs", Kind: option.List, Arg: "RULE", Status: option.Differs,
			Help: "the same where QUERY_STRING matches",
			Note: "As for route.",
		},
		set: (*resolver).route,
	},
	{
		Option: option.Option{
			Name: "route-host", Kind: option.List, Arg: "RULE", Status: option.Differs,
			Help: "the same where HTTP_HOST matches",
			Note: "As for route.",
		},
		set: (*resolver).route,
	},
	{
		Option: option.Option{
			Name: "route-remote-addr", Kind: option.List, Arg: "RULE", Status: option.Differs,
			Help: "the same where REMOTE_ADDR matches",
			Note: "As for route.",
		},
		set: (*resolver).route,
	},
	{
		Option: option.Option{
			Name: "route-remote-user", Kind: option.List, Arg: "RULE", Status: option.Differs,
			Help: "the same where REMOTE_USER matches",
			Note: "As for route.",
		},
		set: (*resolver).route,
	},
	{
		Option: option.Option{
			Name: "route-referer", Kind: option.List, Arg: "RULE", Status: option.Differs,
			Help: "the same where HTTP_REFERER matches",
			Note: "As for route.",
		},
		set: (*resolver).route,
	},
	{
		Option: option.Option{
			Name: "route-user-agent", Kind: option.List, Arg: "RULE", Status: option.Differs,
			Help: "the same where HTTP_USER_AGENT matches",
			Note: "As for route.",
		},
		set: (*resolver).route,
	},
	{
		Option: option.Option{
			Name: "route-if", Kind: option.List, Arg: "RULE", Status: option.Differs,
			Help: "the same where a condition holds: CONDITION:ARGUMENTS ACTION:ARGUMENTS",
			Note: "As for route. Conditions that ask a cache or a legion end the start.",
		},
		set: (*resolver).route,
	},
	{
		Option: option.Option{
			Name: "route-if-not", Kind: option.List, Arg: "RULE", Status: option.Differs,
			Help: "the same where a condition does not hold",
			Note: "As for route-if.",
		},
		set: (*resolver).route,
	},
	{
		Option: option.Option{
			Name: "route-run", Kind: option.List, Arg: "ACTION", Status: option.Differs,
			Help: "the same for every request: ACTION:ARGUMENTS",
			Note: "As for route.",
		},
		set: (*resolver).route,
	},
	{
		Option: option.Option{
			Name: "route-label", Kind: option.List, Arg: "NAME", Status: option.Differs,
			Help: "name a place among the rules for goto",
			Note: "A goto that leads nowhere, or back, ends the start.",
		},
		set: (*resolver).route,
	},
}

// route reads a rule of the table of requests. A rule that cannot be followed leaves its
// place behind, which goto counts, where it is harmless or given up.
func (r *resolver) route(e ini.Entry) error {
	value, err := withSeconds(e)
	if err != nil {
		return err
	}
	rule, err := route.Parse(e.Key, value)
	var missing *route.UnsupportedError
	switch {
	case errors.As(err, &missing):
		instead := option.Instead(missing.Action)
		if missing.Reason != "" {
			instead = missing.Reason + ": " + instead
		}
		r.action(e, missing.Action, instead)
		rule = &route.Rule{}
	case err != nil:
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	rule.Where = e.Origin.Name(e.Key)
	r.Routes = append(r.Routes, rule)
	return nil
}

// withSeconds has the time of a harakiri rule in seconds, without unit or comment.
func withSeconds(e ini.Entry) (string, error) {
	at := strings.IndexByte(e.Value, ' ') + 1
	if e.Key == "route-run" {
		at = 0
	}
	action, time, _ := strings.Cut(strings.TrimLeft(e.Value[at:], " "), ":")
	if action != "harakiri" || time == "" {
		return e.Value, nil
	}
	rule := e
	rule.Value = time
	limit, err := seconds(rule)
	return fmt.Sprintf("%sharakiri:%d", e.Value[:at], int64(limit.Seconds())), err
}

// settleRoutes ends the start where a rule asks for a variable that no request has. Over
// uwsgi the web server in front may send any.
func (r *resolver) settleRoutes() error {
	if len(r.Listens) == 0 {
		return nil // sockets may be passed on
	}
	for _, l := range r.Listens {
		if l.Protocol != HTTP {
			return nil
		}
	}
	for _, rule := range r.Routes {
		for _, name := range rule.Variables() {
			if !option.Variable(name) {
				return fmt.Errorf("%s: ${%s}: requests over HTTP have no such variable", rule.Where, name)
			}
		}
	}
	return nil
}
