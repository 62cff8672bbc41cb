// Package apps holds the WSGI apps that every measured server runs, and finds their right
// answers without a server.
package apps

import (
	"embed"
	"os"
)

//go:embed *.py templates
var files embed.FS

// The apps, by file name. In each the callable is application.
const (
	// Hello uses no framework. GET / gives "Hello World!", /json 1 KB that depends
	// on the request's headers, /large 100 KiB, /mega 1 MiB, /stream 100 KiB in
	// 20 pieces without Content-Length; /sleep waits 50 ms and /burn uses 30 ms of
	// processor time first. POST /upload gives the length and CRC-32 of the body.
	Hello = "hello.py"
	// Flask and Django give a page of about 10 KB at GET /: a table from an inheriting
	// template, with values to escape.
	Flask  = "flask_app.py"
	Django = "django_app.py"
)

// Headers are 20 request headers such as a browser behind a load balancer sends,
// names and values, for /json.
var Headers = [20][2]string{
	{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
	{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
	{"Accept-Language", "en-GB,en;q=0.8,de;q=0.5,fr;q=0.3"},
	{"Accept-Encoding", "gzip, deflate, br, zstd"},
	{"Referer", "https://shop.example/orders?page=3&sort=price"},
	{"Cookie", "session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; csrftoken=c9f0f895fb98ab9159f51fd0297e236d"},
	{"Authorization", "Bearer 45c48cce2e2d7fbdea1afc51c7c6ad26"},
	{"Cache-Control", "max-age=0"},
	{"Pragma", "no-cache"},
	{"If-None-Match", `"d3d9446802a44259755d38e6d163e820"`},
	{"If-Modified-Since", "Tue, 03 Nov 2026 08:12:31 GMT"},
	{"Origin", "https://shop.example"},
	{"Dnt", "1"},
	{"Upgrade-Insecure-Requests", "1"},
	{"Sec-Fetch-Dest", "document"},
	{"Sec-Fetch-Mode", "navigate"},
	{"Sec-Fetch-Site", "same-origin"},
	{"Priority", "u=0, i"},
	{"X-Request-Id", "6512bd43-d9ca-4a6e-8d2b-02c20ad4d76f"},
	{"X-Real-Ip", "203.0.113.9"},
}

// Requirements are the packages, at the measured versions, that an app imports.
func Requirements(app string) []string {
	switch app {
	case Flask:
		return []string{
			"Flask==3.1.3", "Werkzeug==3.1.9", "Jinja2==3.1.6", "MarkupSafe==3.0.4",
			"itsdangerous==2.2.0", "blinker==1.9.0", "click==8.5.1",
		}
	case Django:
		return []string{"Django==5.2.19", "asgiref==3.13.0", "sqlparse==0.6.1"}
	default:
		return nil
	}
}

// WriteTo copies all apps into dir, which must exist and hold none of them.
func WriteTo(dir string) error {
	return os.CopyFS(dir, files)
}
