package config

import (
	"fmt"
	"strings"
	"testing"
)

// Lines as they stand in public configurations.
func TestFileOptions(t *testing.T) {
	enter(t, map[string]string{"app.ini": `[uwsgi]
module = shop
socket = :3031
static-map = /static=/app/static
static-map = /media=/app/media
static-expires = /* 86400
static-expires-uri = /static/.*\.[a-f0-9]{12,}\.(css|js|png|jpg|jpeg|gif|ico|woff|ttf) 315360000
static-expires-uri = /media/.* 604800
static-expires-type = text/html=3600
static-expires-type-mtime = text/css=1h
static-gzip-all = True
static-gzip-ext = .css
static-gzip = \.js$
mime-file = /etc/nginx/mime.types
static-cache-paths = 86400
static-cache-paths-name = staticpaths
offload-threads = %k
check-static-docroot = true
static-immutable = true
x-sendfile = /srv/a
x-accel-redirect = /p=/srv/b
static-fallback = /=/srv/dist/index.html
`})
	c, err := load([]string{"app.ini"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range c.Expires {
		what := e.Type
		if e.Pattern != nil {
			what = e.Pattern.String()
		}
		got = append(got, fmt.Sprint(e.By, what, " ", int(e.After.Seconds()), " ", e.Modified))
	}
	want := `0/* 86400 false|2/static/.*\.[a-f0-9]{12,}\.(css|js|png|jpg|jpeg|gif|ico|woff|ttf) 315360000 false|2/media/.* 604800 false|3text/html 3600 false|3text/css 3600 true`
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	s := c.Siblings
	if !s.All || len(s.Ends) != 1 || len(s.Patterns) != 1 || len(c.MimeFiles) != 1 || c.DiskThreads == 0 || !c.DocRoot || c.Immutable == nil ||
		len(c.XSendfile) != 1 || len(c.XAccel) != 1 || len(c.Fallbacks) != 1 {
		t.Errorf("got %+v", c.FileConfig)
	}
	if len(c.Losses.Function) > 0 {
		t.Errorf("lost: %v", c.Losses.Function)
	}
	for line, want := range map[string]string{
		"static-expires = .*":             `".*" is not of the form PATTERN SECONDS`,
		"static-expires = (?!a) 60":       "which have no (?!",
		"static-expires-type = text/html": `"text/html" is not of the form TYPE=SECONDS`,
		"static-expires = a b":            "b",
		"static-gzip = [":                 "missing closing ]",
		"x-accel-redirect = /p":           "is not of the form /prefix=directory",
		"static-fallback = /=":            "names no file for the path",
	} {
		enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\nsocket = :3031\n" + line + "\n"})
		if _, err := load([]string{"app.ini"}, nil); err == nil || !strings.Contains(err.Error(), "app.ini:4") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
