package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

const routedApp = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-App", "1")])
    return [("app %s %s" % (environ.get("REMOTE_USER"), environ["PATH_INFO"])).encode()]
`

// Rules, and what the reference uWSGI 2.0.31 answers (built with PCRE): its status, the
// headers that rules have to do with, and the body. Where there is a uWSGI with routing
// (UWSGO_ROUTING_UWSGI names one) it is asked as well.
var routed = []struct {
	rules, target, header string
	want                  string // "none" where no answer comes
}{
	{"route = ^/a break:403", "/a", "", "403 text/plain"},
	{"route = ^/a break:403 Forbidden", "/a", "", "403 text/plain"},
	{"route = ^/a break:", "/a", "", "none"},
	{"route = ^/a break:403", "/A", "", "200 text/plain app None /A"},
	{"route = a$ break:403", "/ba%0a", "", "403 text/plain"},
	{"route = ^/a$ break:403", "/ab", "", "200 text/plain app None /ab"},
	{"route = ^/a return:403", "/a", "", "403 text/plain Forbidden"},
	{"route = ^/a break-with-status:404", "/a", "", "404 text/plain Not Found"},
	{"route = ^/a(.*) redirect:https://h/$1?${QUERY_STRING}", "/a/x?q=1", "", "302 Location=https://h//x?q=1 Moved"},
	{"route = ^/ redirect-302:/x", "/", "", "302 Location=/x Moved"},
	{"route = ^/ redirect-301:/x", "/", "", "301 Location=/x Moved Permanently"},
	{"route-if = equal:${HTTP_X_FORWARDED_PROTO};http redirect-permanent:https://${HTTP_HOST}${REQUEST_URI}", "/a?b", "X-Forwarded-Proto: http", "301 Location=https://h.example/a?b Moved Permanently"},
	{"route-if = equal:${HTTP_X_FORWARDED_PROTO};http redirect-permanent:https://${HTTP_HOST}${REQUEST_URI}", "/a", "X-Forwarded-Proto: https", "200 text/plain app None /a"},
	{"route = ^/ redirect:/a$$b$x$1$", "/", "", "302 Location=/a$$b$x Moved"},
	{"route = ^/(x)?a redirect:/$1b$2", "/a", "", "302 Location=/b Moved"},
	{"route-if = regexp:${QUERY_STRING};id=(.) redirect:/$1", "/?id=7", "", "302 Location=/7 Moved"},
	{"route-run = redirect:/${cookie[b]}${qs[c]}", "/?a=1&c=2&c=3", "Cookie: a=1; b=5 ; b=6", "302 Location=/52 Moved"},
	{"route-run = redirect:/${hex[QUERY_STRING]}${base64[QUERY_STRING]}", "/?Jo", "", "302 Location=/4A6FSm8= Moved"},
	{"route-run = redirect:/${REMOTE_ADDR}${HTTP_X_NONE}${SCRIPT_NAME}${REQUEST_METHOD}${SERVER_PROTOCOL}", "/", "", "302 Location=/127.0.0.1GETHTTP/1.1 Moved"},
	{"route-uri = ^/.61 break:403", "/%61", "", "403 text/plain"},
	{"route-uri = ^/a break:403", "/%61", "", "200 text/plain app None /a"},
	{"route-qs = b=1 break:403", "/?a&b=1", "", "403 text/plain"},
	{`route-host = ^h\.example$ break:403`, "/", "", "403 text/plain"},
	{`route-remote-addr = ^127\. break:403`, "/", "", "403 text/plain"},
	{"route-remote-user = ^$ break:403", "/", "", "403 text/plain"},
	{"route-referer = evil break:403", "/", "Referer: http://evil/", "403 text/plain"},
	{"route-user-agent = Bot break:403", "/", "User-Agent: aBot", "403 text/plain"},
	{"route-if = startswith:${PATH_INFO};/a break:403", "/ab", "", "403 text/plain"},
	{"route-if = endswith:${PATH_INFO};b break:403", "/ab", "", "403 text/plain"},
	{"route-if = contains:${PATH_INFO};.git break:403", "/x/.git/y", "", "403 text/plain"},
	{"route-if-not = isequal:${REQUEST_METHOD};POST break:403", "/", "", "403 text/plain"},
	{"route-if = ==:${REQUEST_METHOD};GET break:403", "/", "", "403 text/plain"},
	{"route-if = empty:${HTTP_X_KEY} break:403", "/", "", "403 text/plain"},
	{"route-if-not = empty:${HTTP_X_KEY} break:403", "/", "X-Key: 1", "403 text/plain"},
	{"route-if = ishigher:${HTTP_X_N};5 break:403", "/", "X-N: 6x", "403 text/plain"},
	{"route-if = ishigher:${HTTP_X_N};5 break:403", "/", "X-N: 5", "200 text/plain app None /"},
	{"route-if = >=:${HTTP_X_N};5 break:403", "/", "X-N: 5", "403 text/plain"},
	{"route-if = islower:${HTTP_X_N};5 break:403", "/", "", "403 text/plain"},
	{"route-if = islowerequal:${HTTP_X_N};-5 break:403", "/", "X-N: -5", "403 text/plain"},
	{"route-if = ipv4in:${REMOTE_ADDR};127.0.0.0/8 break:403", "/", "", "403 text/plain"},
	{"route-if-not = ipv4in:${REMOTE_ADDR};10.0.0.0/8 break:403", "/", "", "403 text/plain"},
	{"route-if = ipv6in:${HTTP_X_IP};2001:db8::/33 break:403", "/", "X-Ip: 2001:db8::1", "403 text/plain"},
	{"route-if = ipv6in:${HTTP_X_IP};2001:db8::/33 break:403", "/", "X-Ip: 2001:db8:8000::1", "200 text/plain app None /"},
	{"route = ^/h last:\nroute-run = break:403", "/h", "", "200 text/plain app None /h"},
	{"route = ^/h continue:\nroute-run = break:403", "/x", "", "403 text/plain"},
	{"route = ^/a goto:end\nroute-run = break:403\nroute-label = end\nroute-run = return:404", "/a", "", "404 text/plain Not Found"},
	{"route = ^/a goto:end\nroute-run = break:403\nroute-label = end\nroute-run = return:404", "/b", "", "403 text/plain"},
	{"route = ^/a goto:2\nroute-run = break:403\nroute-run = return:404", "/a", "", "404 text/plain Not Found"},
	{"route = ^/s addheader:X-A: b${QUERY_STRING}", "/s?c", "", "200 text/plain X-A=bc app None /s"},
	{"route = ^/s addheader:X-A: b", "/t", "", "200 text/plain app None /t"},
	{"route-run = addheader:X-A: b\nroute-run = break:403", "/", "", "403 text/plain X-A=b"},
	{"route-run = remheader:content-type", "/", "", "200 app None /"},
	{"route-run = delheader:Content-Type", "/", "", "200 app None /"},
	{"route-run = basicauth:My realm,u:p", "/", "", `401 WWW-Authenticate=Basic realm="My realm" Unauthorized`},
	{"route-run = basicauth:R,u:p", "/", "Authorization: Basic dTpw", "200 text/plain app u /"},
	{"route-run = basicauth:R,u:p", "/", "Authorization: Basic dTpx", `401 WWW-Authenticate=Basic realm="R" Unauthorized`},
	{"route-run = basicauth:R,u:p,$1:${x}", "/", "Authorization: Basic dTpwLCQxOiR7eH0=", "200 text/plain app u /"},
	{"route-run = basicauth-next:R,a:b\nroute-run = basicauth:R,u:p", "/", "Authorization: Basic dTpw", "200 text/plain app u /"},
	{"route-run = basicauth-next:R,a:b", "/", "Authorization: Basic dTpw", "200 text/plain app None /"},
	{"route-run = basicauth-next:R,a:b", "/", "", `401 WWW-Authenticate=Basic realm="R" Unauthorized`},
	{"route-run = basicauth:R,", "/", "Authorization: Basic dTpw", `401 WWW-Authenticate=Basic realm="R" Unauthorized`},
	{"route-run = basicauth:R,users", "/", "Authorization: Basic Y3J5cHQ6c2VjcmV0", "200 text/plain app crypt /"},
	{"route-run = basicauth:R,users", "/", "Authorization: Basic c2hhOnNlY3JldA==", "200 text/plain app sha /"},
	{"route-run = basicauth:R,users", "/", "Authorization: Basic c2hhOnNlY3JlVA==", `401 WWW-Authenticate=Basic realm="R" Unauthorized`},
	{"route-run = basicauth:R,u:p\nroute-remote-user = ^u$ return:404", "/", "Authorization: Basic dTpw", "404 text/plain Not Found"},
}

// rawAsk sends bytes and tells of the answer what rules have to do with.
func rawAsk(network, addr, request string) (string, error) {
	c, err := net.Dial(network, addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		return "", err
	}
	b := bufio.NewReader(c)
	if _, err := b.Peek(1); errors.Is(err, io.EOF) {
		return "none", nil
	}
	resp, err := http.ReadResponse(b, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	got := fmt.Sprint(resp.StatusCode)
	if ct := resp.Header.Get("Content-Type"); ct != "" {
		got += " " + ct
	}
	for _, name := range []string{"Location", "WWW-Authenticate", "X-A"} {
		for _, v := range resp.Header.Values(name) {
			got += " " + name + "=" + v
		}
	}
	return strings.TrimSpace(got + " " + string(body)), err
}

// Each row has a server of its own, and gets what uWSGI answers.
func TestRulesAsReference(t *testing.T) {
	type shape struct {
		name string
		cmd  func(dir, port string) *exec.Cmd
	}
	shapes := []shape{{"uwsgo", func(dir, port string) *exec.Cmd { return command(dir, "--http-socket", "127.0.0.1:"+port, "rules.ini") }}}
	if reference := os.Getenv("UWSGO_ROUTING_UWSGI"); reference != "" {
		shapes = append(shapes, shape{"uwsgi", func(dir, port string) *exec.Cmd {
			cmd := exec.Command(reference, "--http-socket", "127.0.0.1:"+port, "--die-on-term", "--ini", "rules.ini")
			cmd.Dir = dir
			return cmd
		}})
	}
	for i, tt := range routed {
		for _, shape := range shapes {
			t.Run(fmt.Sprintf("%d/%s", i, shape.name), func(t *testing.T) {
				t.Parallel()
				dir := shortTempDir(t)
				write(t, dir, "app.py", routedApp)
				write(t, dir, "users", "crypt:abNANd1rDfiNc\nsha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
				// A file of its own, as uWSGI takes a comma or $( for its own in some places.
				write(t, dir, "rules.ini", "[uwsgi]\nwsgi-file = app.py\n"+tt.rules+"\n")
				port := freePort(t)
				cmd := shape.cmd(dir, port)
				cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					_ = cmd.Process.Kill()
					_ = cmd.Wait()
				})
				request := "GET " + tt.target + " HTTP/1.1\r\nHost: h.example\r\nConnection: close\r\n"
				if tt.header != "" {
					request += tt.header + "\r\n"
				}
				var got string
				eventually(t, "an answer", func() (err error) {
					got, err = rawAsk("tcp", "127.0.0.1:"+port, request+"\r\n")
					return err
				})
				if got != tt.want {
					t.Errorf("%s\n%s %s\ngot  %s\nwant %s", tt.rules, tt.target, tt.header, got, tt.want)
				}
			})
		}
	}
}

// One server with rules of every kind, over HTTP and uwsgi: they hold for files and the
// app, the user reaches app and log, and no client can pass for one.
func TestRouting(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", routedApp)
	write(t, dir, "users", "jane:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n")
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, files, "a.css", "css")
	write(t, files, "secret.css", "secret")
	port, sock := freePort(t), filepath.Join(dir, "u.sock")
	write(t, dir, "app.ini", "[uwsgi]\nhttp = 127.0.0.1:"+port+"\nsocket = u.sock\nwsgi-file = app.py\nstatic-map = /files=files\nready-path = /-/ready\nadd-header = X-All: 1\n"+
		"route = ^/files/secret break:403\nroute = ^/files/ addheader:Content-Security-Policy: sandbox\nroute = ^/quiet donotlog:\n"+
		"route = ^/admin basicauth:Admin,users\nroute = ^/admin log:admin ${REMOTE_USER} asks for ${PATH_INFO}\nroute-if = equal:${HTTP_X_FORWARDED_PROTO};http redirect-permanent:https://${HTTP_HOST}${REQUEST_URI}\n"+
		"route = ^/gone break:\n")
	s := start(t, dir, "app.ini")
	base := "http://127.0.0.1:" + port
	s.waitAnswer(t, base+"/", 200)
	jane := "Basic amFuZTpzZWNyZXQ=" // secret
	for _, tt := range []struct {
		path, header, value string
		status              int
		body                string
	}{
		{"/", "", "", 200, "app None /"},
		{"/files/a.css", "", "", 200, "css"},
		{"/files/secret.css", "", "", 403, ""},
		{"/-/ready", "X-Forwarded-Proto", "http", 200, "ready\n"},
		{"/admin", "", "", 401, "Unauthorized"},
		{"/admin", "Remote-User", "jane", 401, "Unauthorized"},
		{"/admin", "Authorization", "Basic amFuZTpTZWNyZXQ=", 401, "Unauthorized"},
		{"/admin/x", "Authorization", jane, 200, "app jane /admin/x"},
		{"/admin/y", "Authorization", jane, 200, "app jane /admin/y"},
		{"/other", "Authorization", jane, 200, "app None /other"},
		{"/quiet", "", "", 200, "app None /quiet"},
	} {
		h := http.Header{}
		if tt.header != "" {
			h.Set(tt.header, tt.value)
		}
		a, err := ask(http.MethodGet, base+tt.path, nil, h)
		if err != nil {
			t.Fatal(err)
		}
		if a.status != tt.status || a.body != tt.body || a.header.Get("X-All") != "1" {
			t.Errorf("%s %s: %+v", tt.path, tt.header, a)
		}
		if got, want := a.header.Get("Content-Security-Policy"), strings.HasPrefix(tt.path, "/files/a"); (got == "sandbox") != want {
			t.Errorf("%s: Content-Security-Policy %q", tt.path, got)
		}
	}
	s.waitLog(t, "admin jane asks for /admin/x")
	s.waitLog(t, " (jane) {")
	if log := s.log.String(); strings.Contains(log, "GET /quiet") || strings.Contains(log, "secret =>") || strings.Contains(log, "amFuZTpz") {
		t.Errorf("the log has what it should not:\n%s", log)
	}
	for _, tt := range []struct{ vars, want string }{
		{"PATH_INFO=/ HTTP_X_FORWARDED_PROTO=http HTTP_HOST=h REQUEST_URI=/a", "301 Location=https://h/a Moved Permanently"},
		{"PATH_INFO=/admin REMOTE_USER=", `401 WWW-Authenticate=Basic realm="Admin" Unauthorized`},
		{"PATH_INFO=/admin REMOTE_USER=front", "200 text/plain app front /admin"},
		{"PATH_INFO=/files/secret.css", "403 text/plain"},
		{"PATH_INFO=/gone", "none"},
		{"PATH_INFO=/", "200 text/plain app None /"},
	} {
		var vars []uwsgi.Var
		for v := range strings.FieldsSeq("REQUEST_METHOD=GET " + tt.vars) {
			name, value, _ := strings.Cut(v, "=")
			vars = append(vars, uwsgi.Var{Name: name, Value: value})
		}
		packet, err := uwsgi.AppendPacket(nil, 0, 0, vars)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := rawAsk("unix", sock, string(packet)); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.vars, got, err, tt.want)
		}
	}
}

// With manage-script-name rules see the path that the app gets, as in uWSGI.
func TestRoutingOfMounts(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", routedApp)
	port := freePort(t)
	write(t, dir, "app.ini", "[uwsgi]\nhttp = 127.0.0.1:"+port+"\nmount = /shop=app.py\nmanage-script-name = true\nroute = ^/admin return:403\nroute-if = equal:${SCRIPT_NAME};/shop addheader:X-A: shop\n")
	s := start(t, dir, "app.ini")
	base := "http://127.0.0.1:" + port
	if a := s.waitAnswer(t, base+"/shop/x", 200); a.header.Get("X-A") != "shop" || a.body != "app None /x" {
		t.Errorf("%+v", a)
	}
	if a := get(t, base+"/shop/admin"); a.status != 403 {
		t.Errorf("%+v", a)
	}
}

// Rules that cannot be followed end the start.
func TestRulesThatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		name, rules string
		says        []string
	}{
		{"look_ahead", "route = ^/(?!static) break:403", []string{"app.ini:4: route", "(?!", "route-if-not"}},
		{"label", "route-run = goto:nowhere", []string{"app.ini:4: route-run", `there is no label "nowhere"`}},
		{"no_file", "route = ^/ basicauth:R,none", []string{"app.ini:4: route", "none"}},
		{"hash", "route = ^/ basicauth:R,users", []string{"app.ini:4: route", "users: line 1", "htpasswd -B"}},
		{"cache", "route-if = incache:down break:503", []string{"app.ini:4: route-if: break", "incache"}},
		{"variable", "route-if = equal:${REMOTE_ADR};1.2.3.4 break:403", []string{"app.ini:4: route-if", "REMOTE_ADR"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			write(t, dir, "users", "jane:plaintext\n")
			write(t, dir, "app.ini", "[uwsgi]\nhttp = 127.0.0.1:"+freePort(t)+"\nwsgi-file = app.py\n"+tt.rules+"\n")
			cmd := command(dir, "app.ini")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != exitConfig {
				t.Errorf("exit: %v", err)
			}
			for _, want := range tt.says {
				if !strings.Contains(string(out), want) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
			if strings.Contains(string(out), "plaintext") {
				t.Errorf("it tells the hash:\n%s", out)
			}
		})
	}
}
