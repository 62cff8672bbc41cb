package e2e

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const hello = "Hello World!"

func wantBody(t *testing.T, got answer, status int, body string) {
	t.Helper()
	if got.status != status || got.body != body {
		t.Errorf("got %d %q, want %d %q", got.status, got.body, status, body)
	}
}

func TestHello(t *testing.T) {
	e := copyExample(t, "hello")
	s := e.start(t)
	got := s.waitAnswer(t, e.http+"/", 200)
	wantBody(t, got, 200, hello)
	if ct := got.header.Get("Content-Type"); ct != "text/html" {
		t.Errorf("Content-Type = %q, want what the app said", ct)
	}
	localhost := strings.Replace(e.http, "127.0.0.1", "[::1]", 1)
	if a, err := ask("GET", localhost+"/", nil, nil); err != nil {
		t.Errorf(":port does not answer on IPv6: %v", err)
	} else {
		wantBody(t, a, 200, hello)
	}
}

func TestIniFile(t *testing.T) {
	e := copyExample(t, "ini")
	s := e.start(t)
	wantBody(t, s.waitAnswer(t, e.http+"/", 200), 200, hello)
	if n := len(readStats(t, e.stats).Workers); n != 4 {
		t.Errorf("%d workers, want the 4 of the ini file", n)
	}
}

func TestOptionsFromTheEnvironment(t *testing.T) {
	e := copyExample(t, "hello")
	cmd := command(e.dir)
	cmd.Env = append(cmd.Env, "UWSGI_HTTP="+strings.TrimPrefix(e.http, "http://"), "UWSGI_WSGI_FILE=server.py")
	wantBody(t, launch(t, cmd).waitAnswer(t, e.http+"/", 200), 200, hello)
}

func TestBehindNginxOverTCP(t *testing.T) {
	e := copyExample(t, "nginx-tcp")
	s := e.start(t)
	e.startNginx(t)
	wantBody(t, s.waitAnswer(t, e.nginx+"/", 200), 200, hello)

	a := get(t, "http://"+e.uwsgi+"/")
	if a.status != 400 || !strings.Contains(a.body, "uwsgi") {
		t.Errorf("HTTP sent to a uwsgi socket got %d %q, want 400 and a hint", a.status, a.body)
	}
	s.waitLog(t, "invalid request block size: 21573")
	s.waitLog(t, "skip")
}

func TestBehindNginxOverUnixSocket(t *testing.T) {
	e := copyExample(t, "nginx-unix")
	s := e.start(t)
	e.startNginx(t)
	wantBody(t, s.waitAnswer(t, e.nginx+"/", 200), 200, hello)
	info, err := os.Stat(e.unix)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o660 {
		t.Errorf("socket mode %o, want 660", got)
	}
}

func TestFlask(t *testing.T) {
	testenv(t)
	e := copyExample(t, "flask")
	s := e.start(t)
	wantBody(t, s.waitAnswer(t, e.http+"/", 200), 200, "Hello from Flask!")
	wantBody(t, get(t, e.http+"/user/J%C3%BCrgen%20B"), 200, `{"user":"J\u00fcrgen B"}`+"\n")
	if a := get(t, e.http+"/absent"); a.status != 404 {
		t.Errorf("an unknown path got %d, want Flask's 404", a.status)
	}
}

func TestFlaskCallable(t *testing.T) {
	testenv(t)
	e := copyExample(t, "flask-callable")
	wantBody(t, e.start(t).waitAnswer(t, e.http+"/", 200), 200, "Hello from Flask!")
}

func TestDjango(t *testing.T) {
	testenv(t)
	e := copyExample(t, "django")
	s := e.start(t)
	wantBody(t, s.waitAnswer(t, e.http+"/", 200), 200, "Hello from Django!")

	form := url.Values{"name": {"Zoë & co"}}.Encode()
	a, err := ask("POST", e.http+"/echo/", strings.NewReader(form), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	if err != nil {
		t.Fatal(err)
	}
	wantBody(t, a, 200, `{"method": "POST", "name": "Zo\u00eb & co"}`)

	a = get(t, e.http+"/admin/")
	if a.status != 302 || a.header.Get("Location") != "/admin/login/?next=/admin/" {
		t.Errorf("/admin/ got %d to %q, want the login", a.status, a.header.Get("Location"))
	}
	a = get(t, e.http+"/admin/login/")
	if a.status != 200 || !strings.Contains(a.body, "csrfmiddlewaretoken") || a.header.Get("Set-Cookie") == "" {
		t.Errorf("the login page got %d without its form or cookie", a.status)
	}
}

func TestVirtualenv(t *testing.T) {
	env := testenv(t)
	tests := []struct {
		name   string
		python string // must exist, or the case is skipped
		args   []string
	}{
		{"python_of_the_tests", filepath.Join(env, "bin", "python"), []string{"-m", "venv", "--without-pip"}},
		{"debian", "/usr/bin/python3", []string{"-m", "venv", "--without-pip"}},
		{"uv", filepath.Join(env, "bin", "uv"), []string{"venv", "--quiet", "--offline"}},
	}
	flask, err := exec.Command(filepath.Join(env, "bin", "python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := os.Stat(tt.python); err != nil {
				t.Skip("SKIP: ", err)
			}
			e := copyExample(t, "virtualenv")
			venv := filepath.Join(e.dir, "venv")
			if out, err := exec.Command(tt.python, append(tt.args, venv)...).CombinedOutput(); err != nil {
				t.Skipf("SKIP: %s makes no virtualenv: %v\n%s", tt.python, err, out)
			}
			sites, err := filepath.Glob(filepath.Join(venv, "lib", "python3*", "site-packages"))
			if err != nil || len(sites) != 1 {
				t.Fatalf("site-packages of the virtualenv: %v, %v", sites, err)
			}
			write(t, sites[0], "flask.pth", string(flask)) // in place of installing it from the network
			s := e.start(t)
			wantBody(t, s.waitAnswer(t, e.http+"/", 200), 200, venv)
		})
	}
}

func TestMounts(t *testing.T) {
	e := copyExample(t, "mount")
	s := e.start(t)
	e.startNginx(t)
	s.waitAnswer(t, e.nginx+"/myapp", 200)
	tests := []struct {
		name string
		path string
		want string
	}{
		{"script_name_from_nginx", "/myapp/a/b", "myapp: SCRIPT_NAME=/myapp PATH_INFO=/a/b\n"},
		{"script_name_from_the_mount", "/shop/a/b", "shop: SCRIPT_NAME=/shop PATH_INFO=/a/b\n"},
		{"the_mount_itself", "/myapp", "myapp: SCRIPT_NAME=/myapp PATH_INFO=\n"},
		{"with_a_slash", "/shop/", "shop: SCRIPT_NAME=/shop PATH_INFO=/\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantBody(t, get(t, e.nginx+tt.path), 200, tt.want)
		})
	}
	t.Run("not_below_the_mount", func(t *testing.T) {
		// nginx's location is a prefix of the text, a mount one of whole segments.
		for _, path := range []string{"/shopfoo", "/myappfoo"} {
			if a := get(t, e.nginx+path); a.status != 404 {
				t.Errorf("%s got %d %q, want 404", path, a.status, a.body)
			}
		}
	})
}

func TestMountsOverHTTP(t *testing.T) {
	e := copyExample(t, "mount")
	port := freePort(t)
	s := start(t, e.dir, "--http", ":"+port, "--mount", "/myapp=server.py", "--mount", "/shop=shop:application", "--manage-script-name")
	base := "http://127.0.0.1:" + port
	wantBody(t, s.waitAnswer(t, base+"/myapp/x", 200), 200, "myapp: SCRIPT_NAME=/myapp PATH_INFO=/x\n")
	wantBody(t, get(t, base+"/shop/%7Ex"), 200, "shop: SCRIPT_NAME=/shop PATH_INFO=/~x\n")
	if a := get(t, base+"/myappfoo"); a.status != 404 {
		t.Errorf("/myappfoo got %d, want 404", a.status)
	}
}

func TestStatic(t *testing.T) {
	e := copyExample(t, "static")
	s := e.start(t)
	page := s.waitAnswer(t, e.http+"/", 200)
	types := map[string]string{
		"style.css": "text/css",
		"app.js":    "javascript", // text/ today, application/ in older tables
		"logo.png":  "image/png",
	}
	for name, want := range types {
		if !strings.Contains(page.body, "/static/"+name) {
			t.Errorf("the page does not ask for %s", name)
		}
		a := get(t, e.http+"/static/"+name)
		file, err := os.ReadFile(filepath.Join(e.dir, "static", name))
		if err != nil {
			t.Fatal(err)
		}
		if a.status != 200 || a.body != string(file) || !strings.Contains(a.header.Get("Content-Type"), want) {
			t.Errorf("%s: %d, %d bytes of %q, want 200, %d bytes of %s", name, a.status, len(a.body), a.header.Get("Content-Type"), len(file), want)
		}
		again, err := ask("GET", e.http+"/static/"+name, nil, http.Header{"If-Modified-Since": a.header["Last-Modified"]})
		if err != nil {
			t.Fatal(err)
		}
		wantBody(t, again, 304, "")
	}
	t.Run("no_way_out", func(t *testing.T) {
		for _, path := range []string{"/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py", "/static%2f..%2fserver.py"} {
			a, err := rawGet(e.http, path)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(a.body, "def application") {
				t.Errorf("%s gave away the app's source", path)
			}
		}
	})
	wantBody(t, get(t, e.http+"/static/absent.css"), 404, "not found\n")
}

// rawGet asks for a path as it stands; net/http's client would clean it.
func rawGet(base, path string) (answer, error) {
	u, err := url.Parse(base)
	if err != nil {
		return answer{}, err
	}
	u.Opaque = "//" + u.Host + path
	resp, err := client.Do(&http.Request{Method: "GET", URL: u, Host: u.Host})
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}
