package e2e

import (
	"net/http"
	"testing"
)

// An app behind a front server by HTTP sees the client; beside it nobody can play one.
func TestTrustedProxy(t *testing.T) {
	testenv(t)
	dir := t.TempDir()
	write(t, dir, "app.py", `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTPS", "HTTP_HOST", "SERVER_PORT", "SCRIPT_NAME", "PATH_INFO", "HTTP_X_FORWARDED_FOR")
    return [" ".join(str(environ.get(n, "-")) for n in names).encode()]
`)
	headers := http.Header{
		"X-Forwarded-For": {"198.51.100.9, 192.0.2.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"shop.example"},
		"X-Forwarded-Port": {"443"}, "X-Forwarded-Prefix": {"/shop"},
	}
	for _, tt := range []struct{ name, trusted, want string }{
		{"from_the_proxy", "192.0.2.128/25, loopback", "192.0.2.1 https on shop.example 443 /shop /a 198.51.100.9, 192.0.2.1"},
		{"from_anybody", "192.0.2.0/24", "127.0.0.1 http - HOST PORT  /a -"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			port := freePort(t)
			s := start(t, dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "app.py", "--trusted-proxy", tt.trusted,
				"--trusted-proxy-headers", "X-Forwarded-For X-Forwarded-Proto,X-Forwarded-Host, X-Forwarded-Port, X-Forwarded-Prefix", "--log-x-forwarded-for", "--log-format", "client %(addr)")
			s.waitLog(t, "is ready")
			got, err := ask("GET", "http://127.0.0.1:"+port+"/a", nil, headers)
			want := tt.want
			if tt.name == "from_anybody" {
				want = "127.0.0.1 http - 127.0.0.1:" + port + " " + port + "  /a -"
			}
			if err != nil || got.body != want {
				t.Errorf("got %q, %v, want %q", got.body, err, want)
			}
			client := "192.0.2.1"
			if tt.name == "from_anybody" {
				client = "127.0.0.1"
			}
			s.waitLog(t, "client "+client)
		})
	}
}
