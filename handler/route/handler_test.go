package route

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// through is what the app answers to a request that no rule has touched.
const through = "app user=none path=%s field="

// Rules and requests beside what comes of them. TestRulesAsReference of cmd/uwsgo/e2e has
// such pairs beside uWSGI's answers.
func TestRules(t *testing.T) {
	for _, tt := range []struct {
		name, rules, target string
		headers             []string
		status              int
		body                string
	}{
		{"no_match", "route = ^/private break:403", "/public", nil, 200, fmt.Sprintf(through, "/public")},
		{"break", "route = ^/private break:403", "/private/1", nil, 403, ""},
		{"anywhere", "route = private break:403", "/x/private", nil, 403, ""},
		{"case_counts", "route = ^/private break:403", "/Private", nil, 200, fmt.Sprintf(through, "/Private")},
		{"case_does_not_count", "route = (?i)^/private break:403", "/Private", nil, 403, ""},
		{"decoded_path", "route = ^/private break:403", "/%70rivate", nil, 403, ""},
		{"whole_path", "route = ^/admin$ break:403", "/admin", nil, 403, ""},
		{"newline_at_the_end_as_pcre", "route = ^/admin$ break:403", "/admin%0a", nil, 403, ""},
		{"two_newlines_at_the_end", "route = ^/admin$ break:403", "/admin%0a%0a", nil, 200, fmt.Sprintf(through, "/admin\n\n")},
		{"newline_in_a_condition", "route-if = regexp:${PATH_INFO};^/a(b|c)$ break:403", "/ac%0a", nil, 403, ""},
		{"absolute_end", `route = ^/admin\z break:403`, "/admin%0a", nil, 200, fmt.Sprintf(through, "/admin\n")},
		{"not_utf_8", "route = ^/.x break:403", "/%ffx", nil, 403, ""},
		{"empty_pattern_matches_all", "route =  break:403", "/", nil, 403, ""},
		{"uri", "route-uri = ^/%70.*q=1 break:403", "/%70?q=1", nil, 403, ""},
		{"uri_is_not_decoded", "route-uri = ^/private break:403", "/%70rivate", nil, 200, fmt.Sprintf(through, "/private")},
		{"query", "route-qs = (^|&)debug=1(&|$) break:403", "/?a=b&debug=1", nil, 403, ""},
		{"host", `route-host = ^example\.org$ break:403`, "/", nil, 403, ""},
		{"address", `route-remote-addr = ^127\.0\.0\.1$ break:403`, "/", nil, 403, ""},
		{"forwarded_address_is_not_it", `route-remote-addr = ^10\. break:403`, "/", []string{"X-Forwarded-For: 10.0.0.1", "Remote-Addr: 10.0.0.1"}, 200, fmt.Sprintf(through, "/")},
		{"no_user", "route-remote-user = ^$ break:403", "/", []string{"Remote-User: root"}, 403, ""},
		{"referer", "route-referer = evil break:403", "/", []string{"Referer: http://evil.example/"}, 403, ""},
		{"agent", "route-user-agent = (?i)bot break:403", "/", []string{"User-Agent: GoodBot"}, 403, ""},
		{"agent_that_is_not_there", "route-user-agent = ^$ break:403", "/", nil, 403, ""},
		{"always", "route-run = break:503", "/", nil, 503, ""},

		{"equal", "route-if = equal:${HTTP_X_FORWARDED_PROTO};http break:403", "/", []string{"X-Forwarded-Proto: http"}, 403, ""},
		{"equal_is_the_whole", "route-if = equal:${HTTP_X_FORWARDED_PROTO};http break:403", "/", []string{"X-Forwarded-Proto: https"}, 200, fmt.Sprintf(through, "/")},
		{"header_given_twice", "route-if = equal:${HTTP_X_A};1,2 break:403\nroute-if = contains:${HTTP_X_A};2 break:402", "/", []string{"X-A: 1", "x-a: 2"}, 402, ""},
		{"not_equal", "route-if-not = ==:${REQUEST_METHOD};POST break:403", "/", nil, 403, ""},
		{"isequal", "route-if = isequal:${HTTP_HOST};example.org break:403", "/", nil, 403, ""},
		{"eq", "route-if = eq:${SERVER_PROTOCOL};HTTP/1.1 break:403", "/", nil, 403, ""},
		{"startswith", "route-if = startswith:${PATH_INFO};/a break:403", "/abc", nil, 403, ""},
		{"startswith_longer", "route-if = startswith:${PATH_INFO};/abcd break:403", "/abc", nil, 200, fmt.Sprintf(through, "/abc")},
		{"endswith", "route-if = endswith:${PATH_INFO};.php break:403", "/x.php", nil, 403, ""},
		{"contain", "route-if = contain:${PATH_INFO};/.git/ break:403", "/x/.git/config", nil, 403, ""},
		{"contains_nothing", "route-if = contains:${PATH_INFO}; break:403", "/", nil, 403, ""},
		{"re", `route-if = re:${QUERY_STRING};id=\d+$ break:403`, "/?id=12", nil, 403, ""},
		{"empty", "route-if = empty:${HTTP_X_KEY} break:403", "/", nil, 403, ""},
		{"not_empty", "route-if-not = empty:${HTTP_X_KEY} break:403", "/", []string{"X-Key: 1"}, 403, ""},
		{"higher", "route-if = ishigher:${HTTP_X_N};5 break:403", "/", []string{"X-N: 6"}, 403, ""},
		{"higher_is_not_equal", "route-if = >:${HTTP_X_N};5 break:403", "/", []string{"X-N: 5"}, 200, fmt.Sprintf(through, "/")},
		{"higher_or_equal", "route-if = ishigherequal:${HTTP_X_N};5 break:403", "/", []string{"X-N: 5"}, 403, ""},
		{"at_least", "route-if = >=:${HTTP_X_N};5 break:403", "/", []string{"X-N: 5x"}, 403, ""},
		{"lower_than_what_is_no_number", "route-if = islower:${HTTP_X_N};5 break:403", "/", []string{"X-N: many"}, 403, ""},
		{"lower_negative", "route-if = <:${HTTP_X_N};-5 break:403", "/", []string{"X-N: -6"}, 403, ""},
		{"lower_or_equal", "route-if = islowerequal:${HTTP_X_N};5 break:403", "/", []string{"X-N: 5"}, 403, ""},
		{"at_most_a_huge_number", "route-if-not = <=:${HTTP_X_N};5 break:403", "/", []string{"X-N: 99999999999999999999999999"}, 403, ""},
		{"ipv4in", "route-if = ipv4in:${REMOTE_ADDR};127.0.0.0/8 break:403", "/", nil, 403, ""},
		{"ipv4in_one", "route-if = ipv4in:${REMOTE_ADDR};127.0.0.1 break:403", "/", nil, 403, ""},
		{"ipv4in_another", "route-if-not = ipv4in:${REMOTE_ADDR};10.0.0.0/8 break:403", "/", nil, 403, ""},
		{"ipv4in_mapped", "route-if = ipv4in:${HTTP_X_IP};10.0.0.0/8 break:403", "/", []string{"X-Ip: ::ffff:10.1.2.3"}, 403, ""},
		{"ipv4in_no_address", "route-if-not = ipv4in:${HTTP_X_IP};10.0.0.0/8 break:403", "/", []string{"X-Ip: 10.0.0.1, 10.0.0.2"}, 403, ""},
		{"ipv6in", "route-if = ipv6in:${HTTP_X_IP};2001:db8::/33 break:403", "/", []string{"X-Ip: 2001:db8::1"}, 403, ""},
		{"ipv6in_another", "route-if-not = ipv6in:${HTTP_X_IP};2001:db8::/33 break:403", "/", []string{"X-Ip: 2001:db8:8000::1"}, 403, ""},
		{"network_of_the_request_that_is_none", "route-if = ipv4in:${REMOTE_ADDR};${HTTP_X_NET} last:\nroute-run = break:403", "/", []string{"X-Net: everything"}, 500, "Internal Server Error\n"},

		{"cookie", "route-if = equal:${cookie[sid]};42 break:403", "/", []string{"Cookie: a=b;  sid=42 ; c=d"}, 403, ""},
		{"second_cookie_header", "route-if = equal:${cookie[sid]};42 break:403", "/", []string{"Cookie: a=b", "Cookie: sid=42"}, 403, ""},
		{"cookie_of_another_name", "route-if-not = empty:${cookie[id]} break:403", "/", []string{"Cookie: sid=42"}, 200, fmt.Sprintf(through, "/")},
		{"qs", "route-if = equal:${qs[b]};2 break:403", "/?a=1&b=2&b=3", nil, 403, ""},
		{"length", "route-if = empty:${CONTENT_LENGTH} break:403", "/", nil, 403, ""},

		{"return", "route-run = return:403", "/", nil, 403, "Forbidden"},
		{"break_with_status", "route-run = break-with-status:404", "/", nil, 404, "Not Found"},
		{"return_unusual", "route-run = return:599", "/", nil, 599, ""},
		{"first_one_ends", "route-run = break:401\nroute-run = break:402", "/", nil, 401, ""},
		{"last", "route = ^/health last:\nroute-run = break:403", "/health", nil, 200, fmt.Sprintf(through, "/health")},
		{"continue", "route = ^/health continue:\nroute-run = break:403", "/other", nil, 403, ""},
		{"goto", "route = ^/a goto:end\nroute-run = break:403\nroute-label = end\nroute-run = break:404", "/a", nil, 404, ""},
		{"goto_not_taken", "route = ^/a goto:end\nroute-run = break:403\nroute-label = end\nroute-run = break:404", "/b", nil, 403, ""},
		{"goto_number", "route = ^/a goto:2\nroute-run = break:403\nroute-run = break:404", "/a", nil, 404, ""},
		{"goto_by_the_request", "route = ^/(a|b)$ goto:$1\nroute-run = break:403\nroute-label = b\nroute-run = break:404", "/b", nil, 404, ""},
		{"goto_nowhere_by_the_request", "route = ^/(a|b|c)$ goto:$1\nroute-run = last:\nroute-label = b\nroute-run = break:404", "/c", nil, 500, "Internal Server Error\n"},

		{"auth_without", "route-run = basicauth:R,u:p", "/", nil, 401, "Unauthorized"},
		{"auth", "route-run = basicauth:R,u:p", "/", []string{"Authorization: Basic dTpw"}, 200, "app user=u path=/ field="},
		{"auth_scheme_in_lower_case", "route-run = basicauth:R,u:p", "/", []string{"Authorization: basic dTpw"}, 200, "app user=u path=/ field="},
		{"auth_wrong", "route-run = basicauth:R,u:p", "/", []string{"Authorization: Basic dTpx"}, 401, "Unauthorized"},
		{"auth_no_base64", "route-run = basicauth-next:R,u:p", "/", []string{"Authorization: Basic !"}, 401, "Unauthorized"},
		{"auth_other_scheme", "route-run = basicauth:R,u:p", "/", []string{"Authorization: Bearer dTpw"}, 401, "Unauthorized"},
		{"auth_given_twice", "route-run = basicauth:R,u:p", "/", []string{"Authorization: Basic dTpw", "Authorization: Basic dTpw"}, 401, "Unauthorized"},
		{"auth_password_with_comma_and_dollar", "route-run = basicauth:R,u:p,$1:${x}", "/", []string{"Authorization: Basic dTpwLCQxOiR7eH0="}, 200, "app user=u path=/ field="},
		{"auth_for_nobody", "route-run = basicauth:R,", "/", []string{"Authorization: Basic Og=="}, 401, "Unauthorized"},
		{"auth_for_nobody_after_another", "route-run = basicauth-next:R,u:p\nroute-run = basicauth:R,", "/", []string{"Authorization: Basic dTpw"}, 200, "app user=u path=/ field="},
		{"auth_user_is_no_header", "route-run = basicauth:R,u:p", "/", []string{"Remote-User: u", "Remote_User: u"}, 401, "Unauthorized"},
		{"auth_next", "route-run = basicauth-next:R,a:b\nroute-run = basicauth:R,u:p", "/", []string{"Authorization: Basic dTpw"}, 200, "app user=u path=/ field="},
		{"auth_next_without_any", "route-run = basicauth-next:R,a:b", "/", nil, 401, "Unauthorized"},
		{"user_for_later_rules", "route-run = basicauth:R,u:p\nroute-remote-user = ^u$ break:402", "/", []string{"Authorization: Basic dTpw"}, 402, ""},
		{"path_after_auth", "route-run = basicauth:R,u:p\nroute = ^/x(.)$ redirect:/$1", "/xy", []string{"Authorization: Basic dTpw"}, 302, "Moved"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := start(t, tt.rules, Options{}).get(tt.target, tt.headers...)
			if a.status != tt.status || a.body != tt.body {
				t.Errorf("got %d %q, want %d %q", a.status, a.body, tt.status, tt.body)
			}
		})
	}
}

// Of every answer of a rule the whole head.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, rules, target string
		want                string // status line, then headers
	}{
		{"break", "route-run = break:403", "/", "403 Forbidden|Content-Length: 0|Content-Type: text/plain"},
		{"break_with_a_reason", "route-run = break:403 Go away", "/", "403 Go away|Content-Length: 0|Content-Type: text/plain"},
		{"return", "route-run = return:403", "/", "403 Forbidden|Content-Length: 9|Content-Type: text/plain"},
		{"redirect", "route = ^/a(.*) redirect:https://${HTTP_HOST}/b$1", "/a/c", "302 Found|Content-Length: 5|Location: https://example.org/b/c"},
		{"redirect_302", "route-run = redirect-302:/x", "/", "302 Found|Content-Length: 5|Location: /x"},
		{"redirect_301", "route-run = redirect-301:/x", "/", "301 Moved Permanently|Content-Length: 17|Location: /x"},
		{"to_https", "route-run = redirect-permanent:https://${HTTP_HOST}${REQUEST_URI}", "/a%20b?c=d", "301 Moved Permanently|Content-Length: 17|Location: https://example.org/a%20b?c=d"},
		{"query", "route-run = redirect:/x?${QUERY_STRING}", "/?a=1&b", "302 Found|Content-Length: 5|Location: /x?a=1&b"},
		{"all_of_the_match", "route = b. redirect:/$0$0", "/abc", "302 Found|Content-Length: 5|Location: /bcbc"},
		{"group_that_is_not_there", "route = ^/(a) redirect:/$1$2", "/a", "302 Found|Content-Length: 5|Location: /a"},
		{"group_that_did_not_match", "route = ^/(x)?a redirect:/$1b", "/a", "302 Found|Content-Length: 5|Location: /b"},
		{"group_of_a_condition", "route-if = regexp:${QUERY_STRING};id=(.) redirect:/$1", "/?id=7", "302 Found|Content-Length: 5|Location: /7"},
		{"groups_without_a_pattern", "route-run = redirect:/$1x", "/", "302 Found|Content-Length: 5|Location: /x"},
		{"dollars", "route = ^/ redirect:/a$$b$x$", "/", "302 Found|Content-Length: 5|Location: /a$$b$x"},
		{"what_a_variable_holds_is_no_variable", "route-run = redirect:/${QUERY_STRING}", "/?$1${HTTP_HOST}", "302 Found|Content-Length: 5|Location: /$1${HTTP_HOST}"},
		{"what_a_group_holds_is_no_variable", "route = ^/(.*) redirect:/x$1", "/$%7BHTTP_AUTHORIZATION%7D", "302 Found|Content-Length: 5|Location: /x${HTTP_AUTHORIZATION}"},
		{"auth", "route-run = basicauth:My realm,u:p", "/", `401 Authorization Required|Content-Length: 12|Www-Authenticate: Basic realm="My realm"`},
		{"auth_with_quotes", `route-run = basicauth:My "realm",u:p`, "/", `401 Authorization Required|Content-Length: 12|Www-Authenticate: Basic realm="My \"realm\""`},
		{"headers_of_refusals", "route-run = addheader:X-A: b\nroute-run = break:403", "/", "403 Forbidden|Content-Length: 0|Content-Type: text/plain|X-A: b"},
		{"add", "route = ^/static/ addheader:Content-Security-Policy: sandbox", "/static/x", "200 OK|Content-Length: 35|Content-Security-Policy: sandbox|X-App: 1|X-Limit: 0s"},
		{"add_where_it_is_not_for", "route = ^/static/ addheader:Content-Security-Policy: sandbox", "/x", "200 OK|Content-Length: 28|X-App: 1|X-Limit: 0s"},
		{"add_beside", "route-run = addheader:X-App: 2", "/", "200 OK|Content-Length: 27|X-App: 1|X-App: 2|X-Limit: 0s"},
		{"add_in_place", "route-run = remheader:x-app\nroute-run = addheader:X-App: 2", "/", "200 OK|Content-Length: 27|X-App: 2|X-Limit: 0s"},
		{"add_variables", "route = ^/(.) addheader:X-B: ${upper[REQUEST_METHOD]}-$1-${lower[HTTP_HOST]}-${hex[QUERY_STRING]}-${base64[QUERY_STRING]}", "/a?Jo", "200 OK|Content-Length: 28|X-App: 1|X-B: GET-a-example.org-4A6F-Sm8=|X-Limit: 0s"},
		{"delheader", "route-run = delheader:X-Limit", "/", "200 OK|Content-Length: 27|X-App: 1"},
		{"limit", "route = ^/slow harakiri:300", "/slow", "200 OK|Content-Length: 31|X-App: 1|X-Limit: 5m0s"},
		{"last_limit_holds", "route-run = harakiri:300\nroute-run = harakiri:7\nroute = ^/x harakiri:1", "/", "200 OK|Content-Length: 27|X-App: 1|X-Limit: 7s"},
		{"limit_after_last", "route-run = harakiri:300\nroute-run = last:\nroute-run = harakiri:7", "/", "200 OK|Content-Length: 27|X-App: 1|X-Limit: 5m0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := start(t, tt.rules, Options{}).get(tt.target)
			a.header.Del("Date")
			a.header.Del("Connection")
			var b bytes.Buffer
			_ = a.header.Write(&b)
			got := a.reason
			for line := range strings.Lines(b.String()) {
				got += "|" + strings.TrimSpace(line)
			}
			if got = fmt.Sprintf("%d %s", a.status, got[min(len(got), 0):]); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// No header can be slipped in by what a client sends.
func TestInjection(t *testing.T) {
	for _, tt := range []struct{ name, rules, target string }{
		{"redirect", "route = ^/(.*) redirect:https://x/$1", "/a%0d%0aSet-Cookie:%20a=b"},
		{"redirect_lf", "route = ^/ redirect:https://x${PATH_INFO}", "/a%0aSet-Cookie:%20a=b"},
		{"redirect_escape", "route = ^/ redirect:https://x${PATH_INFO}", "/a%1b[0m"},
		{"add", "route = ^/ addheader:X-A: ${PATH_INFO}", "/a%0d%0aSet-Cookie:%20a=b"},
		{"add_group", "route = ^/((?s).*) addheader:X-A: $1", "/a%0aSet-Cookie:%20a=b"},
		{"add_changed", "route = ^/ addheader:X-A: ${upper[PATH_INFO]}", "/a%0dSet-Cookie:%20a=b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, tt.rules, Options{})
			a := r.get(tt.target)
			if a.status != 500 || a.header.Get("Set-Cookie") != "" || strings.Contains(a.body, "app") {
				t.Errorf("got %d %v %q", a.status, a.header, a.body)
			}
			if log := r.logged(); !strings.Contains(log, "route: the request is refused: header ") {
				t.Errorf("the log says %q", log)
			}
		})
	}
}

// After a break without a status the client gets nothing, and the server goes on.
func TestNoAnswer(t *testing.T) {
	r := start(t, "route = ^/gone break:", Options{})
	if a := r.get("/gone"); a.status != 0 {
		t.Errorf("over HTTP: %+v", a)
	}
	if a := r.packet(0, "REQUEST_METHOD=GET", "PATH_INFO=/gone"); a.status != 0 {
		t.Errorf("over uwsgi: %+v", a)
	}
	if a := r.get("/"); a.status != 200 {
		t.Errorf("then: %+v", a)
	}
}

// Over uwsgi the front server says who asks for what.
func TestPackets(t *testing.T) {
	for _, tt := range []struct {
		name, rules string
		modifier    byte
		vars        []string
		status      int
	}{
		{"address", `route-remote-addr = ^10\.1\. break:403`, 0, []string{"REMOTE_ADDR=10.1.2.3"}, 403},
		{"address_of_the_peer_is_not_it", `route-remote-addr = ^127\. break:403`, 0, nil, 200},
		{"https", "route-if-not = equal:${HTTPS};on break:403", 0, []string{"HTTPS=on"}, 200},
		{"scheme_of_nginx", "route-if = equal:${REQUEST_SCHEME};http break:403", 0, []string{"REQUEST_SCHEME=http"}, 403},
		{"any_variable", "route-if = equal:${my_var};1 break:403", 0, []string{"my_var=1"}, 403},
		{"last_of_two", "route-if = equal:${X};2 break:403", 0, []string{"X=1", "X=2"}, 403},
		{"header", "route-if = equal:${HTTP_X_A};1 break:403", 0, []string{"HTTP_X_A=1"}, 403},
		{"header_in_lower_case_is_another", "route-if = equal:${HTTP_X_A};1 break:403", 0, []string{"HTTP_x_a=1"}, 200},
		{"path", "route = ^/a$ break:403", 0, []string{"SCRIPT_NAME=/s", "PATH_INFO=/a"}, 403},
		{"path_before_it_is_cut", "route = ^/s/a$ break:403", 30, []string{"SCRIPT_NAME=/s", "PATH_INFO=/s/a"}, 403},
		{"script", "route-if = equal:${SCRIPT_NAME};/s break:403", 0, []string{"SCRIPT_NAME=/s", "PATH_INFO=/a"}, 403},
		{"user_of_the_front_server", "route-run = basicauth:R,u:p", 0, []string{"REMOTE_USER=bob"}, 200},
		{"no_user_of_the_front_server", "route-run = basicauth:R,u:p", 0, []string{"REMOTE_USER="}, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if a := start(t, tt.rules, Options{}).packet(tt.modifier, append(tt.vars, "REQUEST_METHOD=GET")...); a.status != tt.status {
				t.Errorf("got %+v, want %d", a, tt.status)
			}
		})
	}
	r := start(t, "route-run = basicauth:R,u:p", Options{})
	a := r.packet(0, "REQUEST_METHOD=GET", "REMOTE_USER=", "HTTP_X_FIELD=f", "PATH_INFO=/p", "HTTP_AUTHORIZATION=Basic dTpw")
	if want := "app user=u path=/p field=f"; a.body != want {
		t.Errorf("got %q, want %q", a.body, want)
	}
}

// Rules see the PATH_INFO that the app gets.
func TestPaths(t *testing.T) {
	o := Options{Paths: func(r *codec.Request) (script, path []byte) { return r.Path()[:4], r.Path()[4:] }}
	r := start(t, "route = ^/admin basicauth:${SCRIPT_NAME},u:p\nroute-run = addheader:X-Script: ${SCRIPT_NAME}", o)
	if a := r.get("/app/admin"); a.status != 401 {
		t.Errorf("got %+v", a)
	}
	if a := r.get("/app/other"); a.status != 200 || a.header.Get("X-Script") != "/app" {
		t.Errorf("got %+v", a)
	}
}

func TestLogs(t *testing.T) {
	r := start(t, "route = ^/(a.*) log:asked for $1 by ${REMOTE_ADDR}\nroute = ^/quiet donotlog:", Options{})
	r.get("/abc")
	r.get("/quiet")
	if got := r.logged(); got != "asked for abc by 127.0.0.1" {
		t.Errorf("the log says %q", got)
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		r.mu.Lock()
		got := fmt.Sprint(r.quiet)
		r.mu.Unlock()
		if got == "[false true]" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("quiet: %s", got)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestWhatCannotBeARule(t *testing.T) {
	for _, tt := range []struct{ name, rule, want string }{
		{"no_action", "route = ^/x", `"^/x" is not of the form REGEX ACTION:ARGUMENTS`},
		{"no_colon", "route = ^/x break", `"^/x break" is not of the form REGEX ACTION:ARGUMENTS`},
		{"run_without_colon", "route-run = break", `"break" is not of the form ACTION:ARGUMENTS`},
		{"look_ahead", "route = ^/.*(?!static) break:403", "invalid or unsupported Perl syntax: `(?!`"},
		{"look_behind", "route = ^/(?<=a)b break:403", "`(?<=a)b`"},
		{"back_reference", `route = ^/(a)\1 break:403`, "invalid escape sequence: `\\1`"},
		{"possessive", "route = ^/a++ break:403", "invalid nested repetition operator: `++`"},
		{"atomic", "route = (?>a) break:403", "`(?>`"},
		{"look_ahead_in_a_condition", "route-if = regexp:${PATH_INFO};.*(?!/a) break:403", "regexp: error parsing regexp: invalid or unsupported Perl syntax: `(?!`"},
		{"condition_without_colon", "route-if = x break:403", `"x" is not of the form CONDITION:ARGUMENTS`},
		{"unknown_condition", "route-if = isempty:x break:403", `"isempty" is not a condition`},
		{"half_a_condition", "route-if = equal:${X} break:403", `equal: "${X}" is not of the form A;B`},
		{"no_network", "route-if = ipv4in:${REMOTE_ADDR};10.0/8 break:403", `ipv4in: "10.0/8" is not a network`},
		{"network_too_long", "route-if = ipv4in:${REMOTE_ADDR};10.0.0.0/33 break:403", "is not a network"},
		{"network_of_the_other_kind", "route-if = ipv4in:${REMOTE_ADDR};::1/128 break:403", "of the other kind"},
		{"status", "route-run = break:no", `"no" does not begin with a status`},
		{"status_too_low", "route-run = break:100", `"100" does not begin with a status`},
		{"status_too_long", "route-run = break:4030", `does not begin with a status`},
		{"reason", "route-run = break:403 a\x01b", "reason"},
		{"return_without", "route-run = return:", `does not begin with a status`},
		{"redirect_without", "route-run = redirect:", "it needs an address"},
		{"redirect_with_a_newline", "route-run = redirect:/a\nb", "header Location"},
		{"no_header", "route-run = addheader:X-A", `"X-A" is not of the form Name: value`},
		{"name_of_a_header", "route-run = addheader:X A: b", "header name"},
		{"name_by_the_request", "route-run = addheader:${X}: b", "is not of the form Name: value"},
		{"length", "route-run = addheader:Content-Length: 5", "is set by the server"},
		{"rem_length", "route-run = remheader:Content-Length", "is set by the server"},
		{"rem_nothing", "route-run = remheader:", "header name"},
		{"basicauth_without_comma", "route-run = basicauth:secret", "basicauth is not of the form REALM,USER:PASSWORD"},
		{"realm", "route-run = basicauth:a\x01,u:p", "realm"},
		{"harakiri_without", "route-run = harakiri:", "harakiri needs seconds"},
		{"harakiri", "route-run = harakiri:long", `"long" is not a number`},
		{"unknown_function", "route-run = log:${geoip[country]}", `${geoip[country]}: "geoip" is not known`},
		{"variable_in_a_variable", "route = ^/(.) log:${qs[$1]}", `"$1" is not the name`},
		{"no_variable", "route-run = log:${}", "${}: the name is missing"},
		{"odd_variable", "route-run = log:${a-b}", "${a-b}: it is not the name"},
		{"open_variable", "route-run = log:${HTTP_HOST", "has a ${ that does not end"},
		{"open_bracket", "route-run = log:${qs[a}", "the ] is missing"},
		{"time", "route-run = log:${time[hours]}", "there are time[unix]"},
		{"worker", "route-run = log:${uwsgi[wid]}", "before a worker is chosen"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			option, value, _ := strings.Cut(tt.rule, " = ")
			_, err := Parse(option, value)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if _, ok := errors.AsType[*UnsupportedError](err); ok {
				t.Errorf("it is no rule of uWSGI's, so it must not be one that can be left out")
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
}

func TestWhatIsMissing(t *testing.T) {
	for rule, want := range map[string]string{
		"route = ^/ send:x":                      "send: action send is not supported",
		"route = ^/(?!x) cache:key=x":            "cache: action cache is not supported",
		"route-if = lord:a break:503":            "break: condition lord asks a legion, and there is none",
		"route-if = incache:key=${X} redirect:/": "redirect: condition incache asks a cache, and there is none",
	} {
		option, value, _ := strings.Cut(rule, " = ")
		_, err := Parse(option, value)
		var missing *UnsupportedError
		if !errors.As(err, &missing) || missing.Action+": "+missing.Error() != want {
			t.Errorf("%s: got %v, want %s", rule, err, want)
		}
	}
}

func TestWhatNewRefuses(t *testing.T) {
	for rules, want := range map[string]string{
		"route-run = goto:end":                                                  `route-run: goto: there is no label "end"`,
		"route-label = a\nroute-run = goto:a":                                   "goto:a goes back",
		"route-run = goto:0":                                                    "goto:0 goes back",
		"route-label = a\nroute-run = goto:a\nroute-label = a":                  "goto:a goes back",
		"route = ^/ basicauth:R,/no/such/file":                                  "/no/such/file",
		"route = ^/ basicauth:R,/":                                              "not a regular file",
		"route-run = last:\nroute-if = equal:a;b goto:x\nroute-run = break:403": `route-if: goto: there is no label "x"`,
	} {
		r := start(t, "", Options{})
		if _, err := New(nil, Options{Rules: parse(r.t, rules), Pool: new(engine.Pool)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", rules, err, want)
		}
	}
	if _, err := New(nil, Options{Rules: parse(t, "route = ^/ basicauth:R,file")}); err == nil || !strings.Contains(err.Error(), "Options.Pool") {
		t.Errorf("without a pool: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"^/x(.) redirect:/$1${HTTP_HOST}", "equal:${X};y break:403", "re:${qs[a]};b$ goto:$0", "ipv4in:1.2.3.4;${X} addheader:a: ${httptime[5]}", "^/ basicauth:R,a:b",
	} {
		for _, option := range []string{"route", "route-if", "route-run"} {
			f.Add(option, seed)
		}
	}
	f.Fuzz(func(t *testing.T, option, value string) {
		r, err := Parse(option, value)
		if (r == nil) == (err == nil) {
			t.Fatalf("%v, %v", r, err)
		}
	})
}

// Rules answer when the head has come: who is refused need not send a body first, and is not
// asked for one.
func TestRulesDoNotWaitForTheBody(t *testing.T) {
	r := start(t, "route = ^/no return:403\nroute = ^/in basicauth:realm,user:right\nroute = ^/to redirect:http://example.org/\n", Options{})
	const fields = " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n"
	for path, want := range map[string]int{"/no": 403, "/in": 401, "/to": 302} {
		if got := r.talk(r.http, "POST", "POST "+path+fields); got.status != want {
			t.Errorf("%s over HTTP: %d, want %d", path, got.status, want)
		}
		if got := r.packet(0, "REQUEST_METHOD=POST", "REQUEST_URI="+path, "PATH_INFO="+path, "CONTENT_LENGTH=100"); got.status != want {
			t.Errorf("%s over uwsgi: %d, want %d", path, got.status, want)
		}
	}
}
