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
	"addheader":   "route-run with addheader adds one to every response, as add-header does",
	"harakiri":    "route, route-if and their kin can have this action",
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
		return "route-run with remheader takes one out of every response, as rem-header does"
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

// Variable reports whether requests over HTTP have a variable of that name, or a uwsgi
// packet usually has it.
func Variable(name string) bool {
	return strings.HasPrefix(name, "HTTP_") || strings.HasPrefix(name, "UWSGI_") || slices.Contains(variables, name)
}

var variables = []string{
	"REQUEST_METHOD", "REQUEST_URI", "REQUEST_SCHEME", "PATH_INFO", "SCRIPT_NAME", "QUERY_STRING", "SERVER_PROTOCOL", "SERVER_NAME", "SERVER_PORT", "SERVER_ADDR",
	"REMOTE_ADDR", "REMOTE_PORT", "REMOTE_USER", "HTTPS", "CONTENT_TYPE", "CONTENT_LENGTH", "DOCUMENT_ROOT", "DOCUMENT_URI",
}

// RouteText says in docs/options.md which actions are left out.
var RouteText = "in `route…` " + quoted([]string{
	"addheader", "basicauth", "basicauth-next", "break", "break-with-status", "continue", "delheader", "donotlog", "goto", "harakiri", "last", "log",
	"redirect", "redirect-301", "redirect-302", "redirect-permanent", "remheader", "return",
}) + " work, as [routing.md](routing.md) says; there and in the other tables " + quoted(harmless) + " are left out where they do not work, as a lost function; every other action, `rewrite`, `addvar` and `setuser` for three, ends the start."
