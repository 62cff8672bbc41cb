package main

import (
	"os"
	"strings"
	"testing"
)

// A trial goes through the chain of a start: http-to-https answers at its address, and a target
// without a scheme comes by an address that leads to the app.
func TestRouteRedirectsToHTTPS(t *testing.T) {
	const to, https, rule = "http-to-https = :8080,8443\n", "https = :8443,c.pem,k.pem\n", "route = ^/shut break:403\n"
	for _, tt := range []struct {
		name, ini, url string
		args           []string
		code           int
		says           string
	}{
		{"at_its_port", to + https + rule, "http://shop.example:8080/shut?a=1", nil, exitAnswered, "app.ini:2: http-to-https answers\n    HTTP/1.1 301 Moved Permanently\n    Location: https://shop.example:8443/shut?a=1"},
		{"at_the_only_port", to + https + rule, "http://shop.example/shut", nil, exitAnswered, "Location: https://shop.example:8443/shut"},
		{"another_method", to + https, "http://shop.example:8080/", []string{"--method", "POST"}, exitAnswered, "308 Permanent Redirect"},
		{"by_https", to + https + rule, "https://shop.example/shut", nil, exitAnswered, "route answers\n    HTTP/1.1 403"},
		{"target_alone", to + https + rule, "/shut", nil, exitAnswered, "route answers\n    HTTP/1.1 403"},
		{"target_alone_is_https", to + https, "/", nil, exitOK, "HTTPS = on"},
		{"another_plain_port", to + https + "http = :8081\n", "http://shop.example:8081/", nil, exitOK, "wsgi.url_scheme = http\n"},
		{"by_a_front_server", to + https, "http://shop.example:8080/", []string{"--var", "A=B"}, exitOK, "A = B"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			text := "[uwsgi]\n" + tt.ini + "wsgi-file = app.py\n"
			if err := os.WriteFile("app.ini", []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			code := tryRoute(append([]string{"app.ini", "--url", tt.url}, tt.args...), &out)
			if code != tt.code || !strings.Contains(out.String(), tt.says) {
				t.Errorf("exit code %d, want %d, and it has to say %q:\n%s", code, tt.code, tt.says, out.String())
			}
		})
	}
}
