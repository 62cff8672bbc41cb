package route

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule is one compiled rule. It is immutable, so any number of handlers may share it. The zero
// Rule does nothing: it holds the place of an omitted rule, because goto counts rules.
type Rule struct {
	// Where is the rule's origin for messages: the option, unless the caller knows better.
	Where string

	table    tableKind
	text     string // as it was written
	label    string
	action   string
	file     bool      // it answers with files
	cond     condition // nil for always
	negate   bool
	do       action
	goTo     *goTo
	limit    time.Duration // of harakiri
	vars     []string      // of the environ, that it asks for,
	asked    int           // so many of them in its condition
	sets     string        // the variable of the environ that it sets; empty for none of its own
	logVar   string        // that it sets for the log
	alarm    string        // that it raises, and
	metric   string        // that it changes; both empty where the request says which
	gzip     bool          // it has answers compressed
	upstream *Upstream     // where it passes requests on to
}

// idle reports whether the rule does nothing: it is a label, or omitted.
func (r *Rule) idle() bool { return r.do == nil && r.goTo == nil }

// UnsupportedError reports a rule that uWSGI supports and this package does not.
type UnsupportedError struct {
	Action string
	Reason string // if it is not the action
}

// Error implements error.
func (e *UnsupportedError) Error() string {
	if e.Reason != "" {
		return e.Reason
	}
	return fmt.Sprintf("action %s is not supported", e.Action)
}

// Parse compiles the value of one of uWSGI's options: route, route-uri, route-host, route-qs,
// route-remote-addr, route-remote-user, route-referer, route-user-agent, route-if,
// route-if-not, route-run and route-label. The prefixes error-, response- and final- are
// allowed; with them -status exists too. It returns an *UnsupportedError for conditions and
// actions of uWSGI that are missing here, or in that table.
func Parse(option, value string) (*Rule, error) {
	r := &Rule{Where: option, text: value}
	if r.table, option = tableOf(option); option == "route-label" {
		r.label = value
		return r, nil
	}
	command, subject := value, ""
	if option != "route-run" {
		var ok bool
		// The first space ends the pattern, as in uWSGI.
		if subject, command, ok = strings.Cut(value, " "); !ok {
			return nil, fmt.Errorf("%q is not of the form %s ACTION:ARGUMENTS", value, forms[option])
		}
	}
	name, args, ok := strings.Cut(strings.TrimLeft(command, " "), ":")
	if !ok {
		return nil, fmt.Errorf("%q is not of the form %s", value, strings.TrimLeft(forms[option]+" ACTION:ARGUMENTS", " "))
	}
	r.action = name
	build, ok := actions[name]
	if !ok {
		return nil, &UnsupportedError{Action: name}
	}
	if !build.in.has(r.table) {
		return nil, &UnsupportedError{Action: name, Reason: name + ": " + r.table.without()}
	}
	c := compiler{rule: r}
	err := c.condition(option, subject)
	r.asked = len(r.vars)
	if err == nil {
		err = build.compile(&c, args)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// forms are the parts before the action.
var forms = map[string]string{
	"route": "REGEX", "route-uri": "REGEX", "route-host": "REGEX", "route-qs": "REGEX", "route-remote-addr": "REGEX",
	"route-remote-user": "REGEX", "route-referer": "REGEX", "route-user-agent": "REGEX",
	"route-status": "STATUS", "route-if": "CONDITION:ARGUMENTS", "route-if-not": "CONDITION:ARGUMENTS", "route-run": "",
}

// compiler makes one rule.
type compiler struct {
	rule    *Rule
	pattern *pattern // the pattern whose groups are $1 and so on; nil for none
}

func (c *compiler) missing(reason string) error {
	return &UnsupportedError{Action: c.rule.action, Reason: reason}
}

// String returns the rule the text of the rule, without passwords.
func (r *Rule) String() string {
	if strings.HasPrefix(r.action, "basicauth") {
		if at := strings.Index(r.text, r.action+":"); at >= 0 {
			realm, who, _ := strings.Cut(r.text[at:], ",")
			if user, _, ok := strings.Cut(who, ":"); ok {
				return r.text[:at] + realm + "," + user + ":…"
			}
		}
	}
	return r.text
}

// Harakiri returns the limit of a harakiri rule, negative for no limit; 0 for other rules.
func (r *Rule) Harakiri() time.Duration { return r.limit }

// LogVariable returns the log variable that the rule sets, empty for none.
func (r *Rule) LogVariable() string { return r.logVar }

// Alarm returns the alarm that the rule raises, empty for none, and where the request names it.
func (r *Rule) Alarm() string { return r.alarm }

// Metric returns the metric that the rule changes, empty for none, and where the request names it.
func (r *Rule) Metric() string { return r.metric }

// Compresses reports whether the rule compresses answers. That needs a compress.Handler in
// front.
func (r *Rule) Compresses() bool { return r.gzip }

// Variables returns the environ variables that the rule's condition and action read.
func (r *Rule) Variables() (condition, action []string) {
	return slices.Clone(r.vars[:r.asked]), slices.Clone(r.vars[r.asked:])
}

// Sets returns the name of the variable that an addvar rule sets, empty for other rules.
func (r *Rule) Sets() string { return r.sets }

// Least returns the shortest harakiri limit of the rules, 0 for none. It is the value for
// worker.Config.HarakiriLeast.
func Least(rules []*Rule) (least time.Duration) {
	for _, r := range rules {
		if r.limit > 0 && (least == 0 || r.limit < least) {
			least = r.limit
		}
	}
	return least
}
