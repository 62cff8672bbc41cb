package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/handler/route"
)

// route reads a rule of the table of requests. A rule that cannot be followed leaves its
// place behind, which goto counts, where it is harmless or given up.
func (r *resolver) route(name string, e ini.Entry) error {
	value, err := withSeconds(name, e)
	if err != nil {
		return err
	}
	rule, err := route.Parse(name, value)
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
func withSeconds(name string, e ini.Entry) (string, error) {
	at := strings.IndexByte(e.Value, ' ') + 1
	if name == "route-run" {
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

// checkVariables ends the start where a rule asks for a variable that no request has. Over
// uwsgi the web server in front may send any.
func (r *resolver) checkVariables() error {
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
