package route

import "strings"

// tableKind names one of uWSGI's tables of rules.
type tableKind uint8

const (
	requests  tableKind = iota // before anybody answers
	failures                   // error-route: when an answer has a status
	responses                  // response-route: before its head goes out
	finals                     // final-route: after the response
	tableCount
)

var tablePrefixes = [tableCount]string{failures: "error-", responses: "response-", finals: "final-"}

// tableOf returns the table of an option's name.
func tableOf(option string) (tableKind, string) {
	for kind := failures; kind < tableCount; kind++ {
		if rest, ok := strings.CutPrefix(option, tablePrefixes[kind]); ok {
			return kind, rest
		}
	}
	return requests, option
}

// without says why a table lacks some actions.
func (k tableKind) without() string {
	switch k {
	case requests:
		return "there is no answer yet to do that with: use response-route"
	case finals:
		return "the answer has gone when final-route is followed: use route or response-route"
	}
	return "the app has answered already: use route"
}

// tables is a set of them.
type tables uint8

const (
	onRequests  tables = 1 << requests
	onResponses tables = 1<<failures | 1<<responses
	onFinals    tables = 1 << finals
	onAll              = onRequests | onResponses | onFinals
)

func (t tables) has(k tableKind) bool { return t&(1<<k) != 0 }

// actionKind is an action: the tables that allow it, and its compiler.
type actionKind struct {
	in      tables
	compile func(c *compiler, args string) error
}

var actions map[string]actionKind

func init() {
	answers := onRequests | onResponses
	actions = map[string]actionKind{
		"continue": {onAll, passes}, "last": {onAll, passes}, "goto": {onAll, goesTo}, "break": {onAll, breaks},
		"return": {answers, returns}, "break-with-status": {answers, returns},
		"redirect": {answers, redirects(302, "Moved")}, "redirect-302": {answers, redirects(302, "Moved")},
		"redirect-301": {answers, redirects(301, "Moved Permanently")}, "redirect-permanent": {answers, redirects(301, "Moved Permanently")},
		"basicauth": {onRequests, authenticates(false)}, "basicauth-next": {onRequests, authenticates(true)},
		"addheader": {answers, addsHeader}, "delheader": {answers, removesHeader}, "remheader": {answers, removesHeader},
		"setheader": {answers, setsHeader}, "addcontenttype": {answers, setsType}, "expires": {answers, expires},
		"clearheaders": {onResponses, clearsHeaders}, "resetheaders": {onResponses, clearsHeaders},
		"log": {onAll, logs}, "logvar": {onAll, logsVariable}, "gzip": {answers, compresses}, "donotlog": {onAll, isQuiet}, "harakiri": {onRequests, limits},

		"alarm": {onAll, raises}, "metricinc": {onAll, counts("inc")}, "metricdec": {onAll, counts("dec")}, "metricmul": {onAll, counts("mul")},
		"metricdiv": {onAll, counts("div")}, "metricset": {onAll, counts("set")},

		"rewrite": {onRequests, rewrites(false)}, "rewrite-last": {onRequests, rewrites(true)},
		"addvar": {onAll, addsVariable}, "setuser": {onAll, sets("REMOTE_USER")}, "setremoteuser": {onAll, sets("REMOTE_USER")},
		"setmethod": {onRequests, sets("REQUEST_METHOD")}, "seturi": {onRequests, sets("REQUEST_URI")}, "setpathinfo": {onRequests, sets("PATH_INFO")},
		"setquerystring": {onRequests, sets("QUERY_STRING")}, "setscriptname": {onRequests, sets("SCRIPT_NAME")}, "sethost": {onRequests, sets("HTTP_HOST")},
		"setremoteaddr": {onRequests, sets("REMOTE_ADDR")}, "setscheme": {onRequests, sets("UWSGI_SCHEME")}, "setapp": {onRequests, sets("UWSGI_APPID")},
		"setdocroot": {onRequests, sets("DOCUMENT_ROOT")}, "fixpathinfo": {onRequests, fixesPath}, "setmodifier1": {onRequests, zero}, "setmodifier2": {onRequests, zero},
		"+": {onAll, computes(func(a, b int64) int64 { return a + b })}, "-": {onAll, computes(func(a, b int64) int64 { return a - b })},
		"*": {onAll, computes(func(a, b int64) int64 { return a * b })}, "/": {onAll, computes(divide)},

		"http": {onRequests, passesHTTP}, "proxyhttp": {onRequests, passesHTTP}, "httpdumb": {onRequests, passesHTTP},
		"uwsgi": {onRequests, passesUwsgi}, "proxyuwsgi": {onRequests, passesUwsgi},

		"file": {answers, file(false)}, "sendfile": {answers, file(false)}, "fastfile": {answers, file(false)},
		"file-next": {answers, file(true)}, "sendfile-next": {answers, file(true)}, "fastfile-next": {answers, file(true)},
		"static": {answers, staticFile(false)}, "static-next": {answers, staticFile(true)},

		// The server itself frames bodies.
		"chunked": {answers, nothing}, "fixcl": {answers, nothing}, "forcecl": {answers, nothing}, "flush": {answers, nothing}, "donotoffload": {answers, nothing}, "offload": {answers, nothing},
	}
}
