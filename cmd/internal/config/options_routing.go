package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/metrics"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/handler/route"
)

// RouteConfig has the rules of all tables, in their order.
type RouteConfig struct {
	Routes   []*route.Rule
	Collects []route.Collect
}

var routingRows = slices.Concat(
	tableRows("route", "apply an action to requests whose PATH_INFO matches: REGEX ACTION:ARGUMENTS",
		"[routing.md](routing.md) has the actions; others [end the start](#ends-the-start), or are left out where they protect nothing. Patterns are Go's (RE2). The time of harakiri takes the place of --harakiri, so it may be longer, and 0 means none; in uWSGI the shorter one counts."),
	tableRows("error-route", "apply an action to answers once their status is known, if the request's PATH_INFO matches: REGEX ACTION:ARGUMENTS",
		"As for route. Followed for each answer, whatever its status, as in uWSGI: see error-route-status. [routing.md](routing.md#answers) says what is different."),
	tableRows("response-route", "apply an action to answers before their head goes out, if the request's PATH_INFO matches: REGEX ACTION:ARGUMENTS",
		"As for route. [routing.md](routing.md#answers) says what is different."),
	tableRows("final-route", "apply an action after the end of requests whose PATH_INFO matches: REGEX ACTION:ARGUMENTS",
		"As for route. [routing.md](routing.md#answers) has the actions."),
	[]row{
		{
			Option: option.Option{
				Name: "collect-header", Aliases: []string{"response-header-collect"}, Kind: option.List, Arg: "HEADER VAR", Status: option.Same,
				Help: "put a response header into a variable for error-route, response-route and final-route: HEADER VAR",
			},
			set: func(r *resolver, e ini.Entry) error { return r.collect(e, false) },
		},
		{
			Option: option.Option{
				Name: "pull-header", Aliases: []string{"response-header-pull"}, Kind: option.List, Arg: "HEADER VAR", Status: option.Same,
				Help: "the same, and remove the header from the response",
			},
			set: func(r *resolver, e ini.Entry) error { return r.collect(e, true) },
		},
	},
)

// tableRows returns the options of one table of rules.
func tableRows(table, help, note string) []row {
	rows := []row{{Option: option.Option{Name: table, Kind: option.List, Arg: "RULE", Status: option.Differs, Help: help, Note: note}}}
	add := func(end, arg, help, note string) {
		rows = append(rows, row{Option: option.Option{Name: table + end, Kind: option.List, Arg: arg, Status: option.Differs, Help: help, Note: note}})
	}
	for _, o := range []struct{ end, variable string }{
		{"-uri", "REQUEST_URI"},
		{"-qs", "QUERY_STRING"},
		{"-host", "HTTP_HOST"},
		{"-remote-addr", "REMOTE_ADDR"},
		{"-remote-user", "REMOTE_USER"},
		{"-referer", "HTTP_REFERER"},
		{"-user-agent", "HTTP_USER_AGENT"},
	} {
		add(o.end, "RULE", "the same where "+o.variable+" matches", "As for "+table+".")
	}
	if table != "route" {
		add("-status", "RULE", "the same where the status is that one: STATUS ACTION:ARGUMENTS", "As for "+table+".")
	}
	add("-if", "RULE", "the same where a condition holds: CONDITION:ARGUMENTS ACTION:ARGUMENTS", "As for "+table+". Conditions that ask a cache or a legion end the start.")
	add("-if-not", "RULE", "the same where a condition does not hold", "As for "+table+"-if.")
	add("-run", "ACTION", "the same for every request: ACTION:ARGUMENTS", "As for "+table+".")
	add("-label", "NAME", "name a place among the rules for goto", "A goto that leads nowhere, or back, ends the start.")
	for i := range rows {
		rows[i].set = (*resolver).route
	}
	return rows
}

// route reads a rule. One that cannot be followed leaves its place, which goto counts, if it is
// harmless or given up.
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

func (r *resolver) collect(e ini.Entry, pull bool) error {
	c, err := route.ParseCollect(e.Value, pull)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	r.Collects = append(r.Collects, c)
	return nil
}

// withSeconds returns a harakiri rule with its time in seconds, without unit or comment.
func withSeconds(e ini.Entry) (string, error) {
	at := strings.IndexByte(e.Value, ' ') + 1
	if strings.HasSuffix(e.Key, "-run") {
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

// toldByRules ends the start if a rule changes a metric that is not there, which would refuse every
// request, and warns of alarms.
func (r *resolver) toldByRules() error {
	for _, rule := range r.Routes {
		if name := rule.Alarm(); name != "" {
			r.warnOfAlarm(rule.Where, name)
		}
		name := rule.Metric()
		if name != "" && !slices.ContainsFunc(r.Metrics.Specs, func(s metrics.Spec) bool { return s.Name == name && s.Alias == "" && s.File == "" }) {
			return fmt.Errorf("%s: there is no metric %q that rules can change: add metric = %s", rule.Where, name, name)
		}
	}
	return nil
}

// settleRoutes ends the start if a rule asks for a variable that no request has. Over uwsgi the web
// server may send any.
func (r *resolver) settleRoutes() error {
	if err := r.toldByRules(); err != nil {
		return err
	}
	if len(r.Listens) == 0 {
		return nil // systemd may pass sockets
	}
	for _, l := range r.Listens {
		if l.Protocol != HTTP {
			return nil
		}
	}
	own := map[string]bool{}
	for _, rule := range r.Routes {
		own[rule.Sets()] = true
	}
	for _, c := range r.Collects {
		own[c.Var] = true
	}
	for _, rule := range r.Routes {
		condition, action := rule.Variables()
		for _, name := range condition {
			if !option.Variable(name) && !own[name] {
				return fmt.Errorf("%s: ${%s}: requests over HTTP have no such variable", rule.Where, name)
			}
		}
		for _, name := range action {
			if !option.Variable(name) && !own[name] {
				r.list.Warnf("%s: ${%s}: requests over HTTP have no such variable: it is empty", rule.Where, name)
			}
		}
	}
	return nil
}
