package option

import (
	"slices"
	"strings"
)

// Routes reports whether the option of that name adds a rule to one of uWSGI's routing
// tables, so that it has actions.
func Routes(name string) bool {
	table, kind, ok := strings.Cut("-"+name, "-route")
	return ok && slices.Contains([]string{"", "-error", "-response", "-final"}, table) && kind != "-label" && (kind == "" || kind[0] == '-')
}

// harmless are the actions of routes that only log, count, encode or answer quicker. What any
// other action does may keep somebody out, or something in: cachevar sets what a rule behind may ask for,
// and a goto with a condition that is not there leads past a rule, or to one.
var harmless = []string{
	"cache", "cache-continue", "cache-store", "cachedec", "cachediv", "cacheinc", "cachemul", "cacheset", "cachestore",
	"chunked", "donotlog", "donotoffload", "expires", "fixcl", "flush", "forcecl", "gzip", "log", "logvar",
	"memcached", "memcached-continue", "memcached-store", "memcachedstore",
	"offload", "redis", "redis-continue", "redis-store", "redisstore", "setprocname", "signal", "to-file", "tofile",
}

// Harmless reports whether a rule with this action may be left out: a function is lost, and
// nothing is open that was closed.
func Harmless(action string) bool { return slices.Contains(harmless, action) }

// instead says for actions what to do in their place.
var instead = map[string]string{
	"basicauth":      "route, route-if and their kin can have this action",
	"ldapauth":       "have the web server in front ask for the password, with auth_basic in nginx",
	"break":          "refuse the request in the web server in front, with return or deny in nginx",
	"access":         "route-if-not with ipv4in and break:403 does the same",
	"harakiri":       "route, route-if and their kin can have this action",
	"http":           "route, route-if and their kin can pass requests on, and CONNECT is for no server",
	"uwsgi":          "route, route-if and their kin can pass requests on",
	"fastcgi":        "requests go on by http or uwsgi: PHP-FPM needs a web server in front, with fastcgi_pass in nginx",
	"send":           "an answer is not put together of pieces: file answers with a file, return with a status",
	"chdir":          "a worker does not change its folder for a request: the option chdir sets it for all",
	"sethome":        "a worker has one virtualenv: start one server for each",
	"setfile":        "apps are loaded at the start: mount = /path=file.py, and setapp:/path",
	"rpc":            "rules do not call functions of RPC: do it in the app, with uwsgi.rpc or the function itself",
	"template":       "bodies are not filled in: do it in the app",
	"hash":           "an upstream has balance=hash: upstream = app=10.0.0.1:80,10.0.0.2:80 hash=header:X-User",
	"disableheaders": "an answer always has a head: leave the rule out",
	"goon":           "uWSGI has no such action: a rule that does not answer goes on by itself",
}

// Instead says what to do in place of a rule with this action.
func Instead(action string) string {
	switch action {
	case "return", "break-with-status":
		action = "break"
	case "basicauth-next":
		action = "basicauth"
	case "ldapauth-next", "radius", "radius-next", "spnego", "spnego-next", "fcgiauth":
		action = "ldapauth"
	case "httpdumb", "proxyhttp", "httpconnect", "proxyhttpconnect":
		action = "http"
	case "proxyuwsgi":
		action = "uwsgi"
	case "send-crnl":
		action = "send"
	case "call", "rpcret", "rpcblob", "rpcnext", "rpcraw", "rpcvar", "symcall", "symcall-next":
		action = "rpc"
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
var RouteText = "[routing.md](routing.md) has those that work; " + quoted(harmless) + " are left out where they do not work, as a lost function; every other action, `fastcgi` and `send` for two, ends the start."
