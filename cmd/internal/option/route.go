package option

import (
	"slices"
	"strings"
)

// Routes reports whether the option of that name adds a rule to one of uWSGI's routing
// tables. label says that its value is the name of a place in the table, always that it is
// an action without a condition.
func Routes(name string) (routes, label, always bool) {
	_, kind, ok := strings.Cut("-"+name, "-route")
	if !ok {
		return false, false, false
	}
	switch strings.SplitN(name, "route", 2)[0] {
	case "", "error-", "response-", "final-":
	default:
		return false, false, false
	}
	switch kind {
	case "-label":
		return true, true, false
	case "-run":
		return true, false, true
	case "", "-if", "-if-not", "-uri", "-host", "-qs", "-referer", "-user-agent", "-remote-addr", "-remote-user", "-status":
		return true, false, false
	}
	return false, false, false
}

// harmless are the actions of routes that only log, count, encode or answer quicker, and
// those that choose the next rule, which is nothing where no other action is left. What any
// other action does may keep somebody out, or something in.
var harmless = []string{
	"alarm", "cache", "cache-continue", "cache-store", "cachedec", "cachediv", "cacheinc", "cachemul", "cacheset", "cachestore", "cachevar",
	"chunked", "continue", "donotlog", "donotoffload", "expires", "fixcl", "flush", "forcecl", "goto", "gzip", "last", "log", "logvar",
	"memcached", "memcached-continue", "memcached-store", "memcachedstore", "metricdec", "metricdiv", "metricinc", "metricmul", "metricset",
	"offload", "redis", "redis-continue", "redis-store", "redisstore", "setprocname", "signal", "to-file", "tofile",
}

// Harmless reports whether a rule with this action may be left out: a function is lost, and
// nothing is open that was closed.
func Harmless(action string) bool { return slices.Contains(harmless, action) }

// instead says for actions what to do in their place.
var instead = map[string]string{
	"basicauth":   "have the web server in front ask for the password, with auth_basic in nginx",
	"break":       "refuse the request in the web server in front, with return or deny in nginx",
	"redirect":    "redirect in the web server in front, with return in nginx",
	"addheader":   "add-header adds one to every response, or the web server in front does it",
	"harakiri":    "route, route-uri and route-host can have this action",
	"rewrite":     "rewrite in the web server in front, with rewrite in nginx",
	"fixpathinfo": "have the web server in front say uwsgi_modifier1 30 (nginx), which does the same",
	"static":      "serve files with static-map or check-static",
}

// Instead says what to do in place of a rule with this action.
func Instead(action string) string {
	switch action {
	case "return", "break-with-status", "access":
		action = "break"
	case "basicauth-next", "ldapauth", "ldapauth-next", "radius", "radius-next", "spnego", "spnego-next", "fcgiauth":
		action = "basicauth"
	case "redirect-302", "redirect-301", "redirect-permanent":
		action = "redirect"
	case "delheader", "remheader":
		return "rem-header takes one out of every response, or the web server in front does it"
	case "rewrite-last":
		action = "rewrite"
	case "file", "file-next", "sendfile", "sendfile-next", "fastfile", "fastfile-next", "static-next":
		action = "static"
	}
	if s := instead[action]; s != "" {
		return s
	}
	return "do it in the web server in front, or in the app"
}

// RouteText says in docs/options.md which actions are left out.
var RouteText = quoted(harmless) + " are left out, as a lost function; `harakiri` works in `route`, `route-uri` and `route-host`; " +
	"every other action, `basicauth`, `break`, `redirect` and `addheader` for four, ends the start."
