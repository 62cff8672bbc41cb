package route

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/compress"
)

// shows answers with what the request has become, as the path says: whole, in pieces, a
// file, or not at all.
func shows(t testing.TB, dir string) engine.Handler {
	return engine.HandlerFunc(func(x *engine.Exchange) {
		r := x.Request()
		resp := x.Response()
		resp.Header = append(resp.Header, codec.Header{Name: []byte("X-App"), Value: []byte("1")})
		if status := r.Get("X-Status"); status != nil {
			resp.Status = int(number(status))
		}
		body := fmt.Appendf(nil, "%s %s%s?%s uri=%s host=%s addr=%s type=%s field=%s https=%t", r.Bytes(r.Method), r.Bytes(r.ScriptName), r.Path(), r.Bytes(r.Query),
			r.Bytes(r.Target), r.Bytes(r.Authority), x.AppendRemoteAddr(nil), r.Get("Content-Type"), r.Get("X-Field"), x.HTTPS())
		for _, v := range r.Vars {
			body = fmt.Appendf(body, " %s=%s", r.Bytes(v.Name), r.Bytes(v.Value))
		}
		switch string(r.Get("X-Way")) {
		case "pieces":
			x.Start(resp)
			x.Write(body[:5])
			x.Write(body[5:])
			x.End()
		case "file":
			f, err := os.Open(filepath.Join(dir, "own"))
			if err != nil {
				t.Error(err)
			}
			x.ReplyFile(resp, f, 0, 3)
		case "abort":
			x.Abort()
		default:
			x.Reply(resp, body)
		}
	})
}

func TestChanges(t *testing.T) {
	const rest = " uri=/a?q=1 host=example.org addr=127.0.0.1 type= field= https=false"
	for _, tt := range []struct{ name, rules, target, want string }{
		{"rewrite", "route = ^/(.*) rewrite:/b/$1", "/a?q=1", "GET /b/a?q=1" + rest},
		{"rewrite_with_a_query", "route = ^/(.*) rewrite:/b?p=$1", "/a?q=1", "GET /b?p=a&q=1" + rest},
		{"rewrite_decodes", "route = ^/ rewrite:/b%20c", "/a?q=1", "GET /b c?q=1" + rest},
		{"rewrite_and_later_rules", "route = ^/a rewrite:/b\nroute = ^/b rewrite:/c", "/a?q=1", "GET /c?q=1" + rest},
		{"rewrite_last", "route = ^/a rewrite-last:/b\nroute = ^/b rewrite:/c", "/a?q=1", "GET /b?q=1" + rest},
		{"path", "route-run = setpathinfo:/x${QUERY_STRING}", "/a?q=1", "GET /xq=1?q=1" + rest},
		{"query", "route-run = setquerystring:z=2", "/a?q=1", "GET /a?z=2" + rest},
		{"script", "route-run = setscriptname:/s", "/a?q=1", "GET /s/a?q=1" + rest},
		{"fixpathinfo", "route-run = setscriptname:/a\nroute-run = fixpathinfo:", "/a/b?q=1", "GET /a/b?q=1 uri=/a/b?q=1 host=example.org addr=127.0.0.1 type= field= https=false"},
		{"method", "route-run = setmethod:POST", "/a?q=1", "POST /a?q=1" + rest},
		{"uri", "route-run = seturi:/z?y", "/a?q=1", "GET /a?q=1 uri=/z?y host=example.org addr=127.0.0.1 type= field= https=false"},
		{"host", "route-run = sethost:h\nroute-host = ^h$ setmethod:PUT", "/a?q=1", "PUT /a?q=1 uri=/a?q=1 host=h addr=127.0.0.1 type= field= https=false"},
		{"address", "route-run = setremoteaddr:10.0.0.1\nroute-remote-addr = ^10 setmethod:PUT", "/a?q=1", "PUT /a?q=1 uri=/a?q=1 host=example.org addr=10.0.0.1 type= field= https=false"},
		{"scheme", "route-run = setscheme:https", "/a?q=1", "GET /a?q=1 uri=/a?q=1 host=example.org addr=127.0.0.1 type= field= https=true UWSGI_SCHEME=https"},
		{"user", "route-run = setuser:jane:x\nroute-remote-user = ^jane$ setmethod:PUT", "/a?q=1", "PUT /a?q=1" + rest + " REMOTE_USER=jane"},
		{"variable", "route = ^/(.) addvar:A=$1${QUERY_STRING}\nroute-if = equal:${A};aq=1 setmethod:PUT", "/a?q=1", "PUT /a?q=1" + rest + " A=aq=1"},
		{"variable_twice", "route-run = addvar:A=1\nroute-run = addvar:A=2", "/a?q=1", "GET /a?q=1" + rest + " A=2"},
		{"field", "route-run = addvar:HTTP_X_FIELD=f\nroute-run = addvar:CONTENT_TYPE=t", "/a?q=1", "GET /a?q=1 uri=/a?q=1 host=example.org addr=127.0.0.1 type=t field=f https=false"},
		{"path_as_a_variable", "route-run = addvar:PATH_INFO=/b", "/a?q=1", "GET /b?q=1" + rest},
		{"sums", "route-run = addvar:N=5\nroute-run = +:N,${qs[q]}\nroute-run = *:N,7\nroute-run = -:N\nroute-run = /:N,2", "/a?q=1", "GET /a?q=1" + rest + " N=20"},
		{"by_zero", "route-run = addvar:N=5\nroute-run = /:N,0", "/a?q=1", "GET /a?q=1" + rest + " N=0"},
		{"app", "route-run = setapp:/shop", "/a?q=1", "GET /a?q=1" + rest + " UWSGI_APPID=/shop"},
		{"python", "route-run = setmodifier1:0\nroute-run = flush:\nroute-run = donotoffload:", "/a?q=1", "GET /a?q=1" + rest},

		{"control_characters", "route-run = rewrite:/x?${PATH_INFO}", "/%0a", "500 Internal Server Error\n"},
		{"method_that_is_none", "route-run = setmethod:${qs[q]}", "/a?q=(", "500 Internal Server Error\n"},
		{"scheme_that_is_none", "route-run = setscheme:${qs[q]}", "/a?q=ftp", "500 Internal Server Error\n"},
		{"field_injection", "route-run = addvar:HTTP_X_FIELD=${PATH_INFO}", "/a%0d%0aX:%20y", "500 Internal Server Error\n"},
		{"sum_of_nothing", "route-run = +:N", "/a", "500 Internal Server Error\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := startFor(t, tt.rules, shows(t, "")).get(tt.target)
			got := a.body
			if a.status != 200 {
				got = fmt.Sprint(a.status, " ", got)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// startFor is start with another handler behind the rules.
func startFor(t testing.TB, ini string, next engine.Handler) *rig {
	t.Helper()
	r := &rig{t: t}
	h, err := New(next, Options{Rules: parse(t, ini), Logf: r.logf})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, r, h)
}

// The tables for answers see each kind of answer once, and may put another in its place.
func TestAnswerTables(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"own": "own", "404.html": "<p>nothing"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, rules string
		status      string
		want        string // status, then headers that rules have to do with; "…" is what the app says
	}{
		{"nothing", "response-route-status = 404 addheader:X-A: b", "200", "200 X-App=1 …"},
		{"add", "response-route-run = addheader:X-A: b${uwsgi[status]}", "201", "201 X-A=b201 X-App=1 …"},
		{"remove", "response-route-run = remheader:x-app", "200", "200 …"},
		{"set", "response-route-run = setheader:X-App: 2", "200", "200 X-App=2 …"},
		{"of_the_request_too", "route-run = addheader:X-A: a\nresponse-route-run = addheader:X-A: b", "200", "200 X-A=a X-A=b X-App=1 …"},
		{"status", "error-route-status = 404 redirect:/new", "404", "302 Location=/new Moved"},
		{"status_of_another", "error-route-status = 404 redirect:/new", "500", "500 X-App=1 …"},
		{"page", "error-route-status = 404 file:filename=" + dir + "/404.html,status=404 Not Found", "404", "404 Content-Type=text/html <p>nothing"},
		{"page_of_the_request", "route-run = return:404\nerror-route-status = 404 file:filename=" + dir + "/404.html,status=404 Not Found", "200", "404 Content-Type=text/html <p>nothing"},
		{"no_page", "error-route-status = 404 file:filename=" + dir + "/none", "404", "500 Content-Type=text/plain Internal Server Error\n"},
		{"no_page_next", "error-route-status = 404 file-next:filename=" + dir + "/none", "404", "404 X-App=1 …"},
		{"type_by_name", "error-route-status = 404 file:filename=" + dir + "/404.html,mime=1,content_type=text/x", "404", "200 Content-Type=text/html <p>nothing"},
		{"error_then_response", "error-route-status = 404 redirect:/new\nresponse-route-status = 302 addheader:X-A: b", "404", "302 Location=/new X-A=b Moved"},
		{"response_takes_the_error's_place", "error-route-status = 404 redirect:/new\nresponse-route-status = 302 return:403", "404", "403 Content-Type=text/plain Forbidden"},
		{"headers_of_the_request_stay", "route-run = addheader:X-A: a\nerror-route-status = 404 return:403", "404", "403 Content-Type=text/plain X-A=a Forbidden"},
		{"last", "response-route-run = last:\nresponse-route-run = return:403", "200", "200 X-App=1 …"},
		{"goto", "response-route = ^/a goto:end\nresponse-route-run = return:403\nresponse-route-label = end\nresponse-route-run = addheader:X-A: b", "200", "200 X-A=b X-App=1 …"},
		{"clear", "response-route-run = clearheaders:203 Fine", "200", "203 …"},
		{"failure", "response-route-run = addheader:X-A: ${PATH_INFO}\n", "bad", "500 Content-Type=text/plain Internal Server Error\n"},
		{"expires", "response-route-run = expires:unix=0,value=60", "200", "200 Expires=Thu, 01 Jan 1970 00:01:00 GMT X-App=1 …"},
	} {
		r := startFor(t, tt.rules, shows(t, dir))
		for _, way := range []string{"whole", "pieces", "file", "abort"} {
			target, status := "/a", tt.status
			if status == "bad" {
				target, status = "/a%0db", "200"
			}
			a := r.get(target, "X-Way: "+way, "X-Status: "+status)
			got := fmt.Sprint(a.status)
			for _, name := range []string{"Content-Type", "Expires", "Location", "X-A", "X-App"} {
				for _, v := range a.header.Values(name) {
					got += " " + name + "=" + v
				}
			}
			body := a.body
			if strings.HasPrefix(body, "GET /") || body == "own" {
				body = "…"
			}
			if way == "abort" {
				if a.status < 300 && tt.name != "clear" && tt.name != "type_by_name" {
					t.Errorf("%s, %s: %s %q", tt.name, way, got, body)
				}
				continue
			}
			if got += " " + body; got != tt.want {
				t.Errorf("%s, %s:\ngot  %s\nwant %s", tt.name, way, got, tt.want)
			}
		}
	}
}

// A 500 of the engine's own goes by the rules, too.
func TestAbortIsAnAnswer(t *testing.T) {
	r := startFor(t, "error-route-status = 500 redirect:/sorry", shows(t, ""))
	if a := r.get("/", "X-Way: abort"); a.status != 302 || a.header.Get("Location") != "/sorry" {
		t.Errorf("%+v", a)
	}
}

func TestFinalTable(t *testing.T) {
	r := startFor(t, "final-route-status = 404 log:${REQUEST_METHOD} ${PATH_INFO} ${uwsgi[status]} ${uwsgi[rsize]}\nfinal-route-status = 404 donotlog:\nfinal-route-run = break:\nfinal-route-run = log:never", shows(t, ""))
	r.get("/a", "X-Status: 404")
	r.get("/b")
	deadline := time.Now().Add(60 * time.Second)
	for {
		r.mu.Lock()
		got := fmt.Sprint(r.quiet)
		r.mu.Unlock()
		if got == "[true false]" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("quiet: %s", got)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := r.logged(); !strings.HasPrefix(got, "GET /a 404 ") || strings.Contains(got, "never") || strings.Contains(got, "\n") {
		t.Errorf("the log says %q", got)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.css"), []byte("css"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, rules, target, want string }{
		{"static", "route = ^/s/(.*) static:" + dir + "/$1", "/s/a.css", "200 text/css css"},
		{"static_that_is_not_there", "route = ^/s/(.*) static:" + dir + "/$1", "/s/b.css", "404 text/plain Not Found\n"},
		{"static_next", "route = ^/s/(.*) static-next:" + dir + "/$1\nroute-run = return:403", "/s/b.css", "403 text/plain Forbidden"},
		{"out_of_the_folder", "route = ^/s/(.*) static:" + dir + "/x/$1", "/s/../a.css", "500 text/plain Internal Server Error\n"},
		{"out_of_the_folder_next", "route = ^/s/(.*) static-next:" + dir + "/x/$1", "/s/../a.css", "500 text/plain Internal Server Error\n"},
		{"folder", "route-run = static:" + dir, "/", "404 text/plain Not Found\n"},
		{"file", "route = ^/s/(.*) file:filename=" + dir + "/$1,status=203 Fine", "/s/a.css", "203 text/html css"},
		{"file_with_a_type", "route = ^/s/(.*) sendfile:filename=" + dir + "/$1,content_type=text/x", "/s/a.css", "200 text/x css"},
		{"file_by_name", "route = ^/s/(.*) fastfile:filename=" + dir + "/$1,mime=1", "/s/a.css", "200 text/css css"},
		{"file_next", "route = ^/s/(.*) file-next:filename=" + dir + "/$1\nroute-run = return:403", "/s/none", "403 text/plain Forbidden"},
		{"headers", "route-run = addheader:X-A: b\nroute-run = static:" + dir + "/a.css", "/", "200 text/css css"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := startFor(t, tt.rules, shows(t, "")).get(tt.target)
			if got := fmt.Sprint(a.status, " ", a.header.Get("Content-Type"), " ", a.body); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if tt.name == "headers" && a.header.Get("X-A") != "b" {
				t.Errorf("%+v", a)
			}
		})
	}
	a := startFor(t, "route-run = static:"+dir+"/a.css", shows(t, "")).get("/", "Range: bytes=1-1")
	if a.status != 206 || a.body != "s" {
		t.Errorf("a part: %+v", a)
	}
}

// With a mountpoint rules see, and change, what the app gets.
func TestChangesBelowAMountpoint(t *testing.T) {
	paths := func(r *codec.Request) (script, path []byte) {
		if rest, ok := bytes.CutPrefix(r.Path(), []byte("/shop")); ok {
			return []byte("/shop"), rest
		}
		return nil, r.Path()
	}
	h, err := New(shows(t, ""), Options{Rules: parse(t, "route = ^/old$ rewrite:/new"), Paths: paths})
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, &rig{t: t}, h)
	if a := r.get("/shop/old"); !strings.HasPrefix(a.body, "GET /shop/new?") {
		t.Errorf("%+v", a)
	}
}

// Rules raise alarms and count, in every table. What cannot be counted refuses the request.
func TestAlarmsAndMetrics(t *testing.T) {
	said := make(chan string, 16)
	r := start(t, "route = ^/one/(\\w+) alarm:ops $1 came\nroute = ^/one metricinc:orders.$0\nroute-run = metricset:last,${qs[n]}\nfinal-route-run = metricdiv:open,2\nresponse-route = ^/one alarm:$0 answered", Options{
		Alarm: func(name string, message []byte) bool {
			said <- "alarm " + name + ": " + string(message)
			return false
		},
		Metric: func(name, how string, by int64) bool {
			said <- fmt.Sprint(how, " ", name, " ", by)
			return by != 13
		},
	})
	for _, tt := range []struct {
		target string
		status int
		want   string
	}{
		{"/one/x?n=-7y", 200, "alarm ops: x came|inc orders./one 1|set last -7|alarm /one: answered|div open 2"},
		{"/two", 200, "set last 0|div open 2"},
		{"/two?n=13", 500, "set last 13|div open 2"},
	} {
		a := r.get(tt.target)
		var got []string
		for range strings.Count(tt.want, "|") + 1 {
			select {
			case s := <-said:
				got = append(got, s)
			case <-time.After(30 * time.Second):
				t.Fatalf("%s: no more than %q", tt.target, got)
			}
		}
		if a.status != tt.status || strings.Join(got, "|") != tt.want {
			t.Errorf("%s: %d, %q, want %d, %s", tt.target, a.status, got, tt.status, tt.want)
		}
	}
	if log := r.logged(); !strings.Contains(log, `the configuration has no metric "last" that can be changed by 13`) {
		t.Errorf("the log has %q", log)
	}
}

// A rule has the log told of what it knows, and compresses where the client takes it.
func TestLogVariablesAndGzip(t *testing.T) {
	r := &rig{t: t}
	rules := parse(t, "route = ^/(\\w+) logvar:first=$1\nroute-run = logvar:mime=${mime[PATH_INFO]}\nroute = \\.css$ gzip:")
	rules = append(rules, parse(t, "response-route-uri = later gzip:")...)
	routed, err := New(engine.HandlerFunc(func(x *engine.Exchange) {
		r.logf("%s %s", LogVariable(x, "first"), LogVariable(x, "mime"))
		if LogVariable(x, "none") != nil {
			r.logf("a variable that no rule sets is there")
		}
		app(x)
	}), Options{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, r, compress.New(routed, compress.Options{OnlyMarked: true}))
	for target, want := range map[string]string{"/site" + strings.Repeat("s", 500) + ".css": "gzip", "/later" + strings.Repeat("s", 500): "gzip", "/other.png": ""} {
		if got := r.get(target, "Accept-Encoding: gzip").header.Get("Content-Encoding"); got != want {
			t.Errorf("%s: Content-Encoding %q", target, got)
		}
		if got := r.get(target).header.Get("Content-Encoding"); got != "" {
			t.Errorf("%s, and the client takes none: %q", target, got)
		}
	}
	if got := r.logged(); !strings.Contains(got, "ss text/css") || !strings.Contains(got, "other image/png") || strings.Contains(got, "no rule sets") {
		t.Errorf("the log has %q", got)
	}
	for _, rule := range []string{"logvar:a", "logvar:=b"} {
		if _, err := Parse("route-run", rule); err == nil {
			t.Errorf("%s compiles", rule)
		}
	}
}
