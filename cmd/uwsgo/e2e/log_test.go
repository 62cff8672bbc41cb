package e2e

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// wantLine waits for a line of the log that matches.
func (s *server) wantLine(t *testing.T, pattern string) {
	t.Helper()
	line := regexp.MustCompile("(?m)" + pattern)
	eventually(t, "a line in the log", func() error {
		if !line.MatchString(s.log.String()) {
			return fmt.Errorf("none matches %v", line)
		}
		return nil
	})
}

// sayTo sends raw over a connection of its own and reads until it is closed.
func sayTo(t *testing.T, addr, raw string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, raw)
	_, _ = io.Copy(io.Discard, c)
}

// TestLogTellsWhatWasRefused: time, peer, request, field, limit and option.
func TestLogTellsWhatWasRefused(t *testing.T) {
	addr := "127.0.0.1:" + freePort(t)
	s := start(t, shortTempDir(t), "--http-socket", addr, "--wsgi-file", root+"/docs/examples/hello/server.py", "--limit-post", "100", "--http-timeout", "1")
	s.waitAnswer(t, "http://"+addr+"/", 200)
	const when = `^\[... ... .. ..:..:.. ....\] refused request from 127\.0\.0\.1:\d+ on http `
	for name, tt := range map[string][2]string{
		"field":   {"GET /a?b HTTP/1.1\r\nHost: a\r\nX-One: \x01\r\n\r\n", `.* \(field_value, answered 400\): GET /a\?b, field X-One$`},
		"body":    {"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", `.* \(body_too_large, answered 413\): POST /b, field Content-Length, limit 100, limit-post changes it$`},
		"head":    {"GET /c HTTP/1.1\r\nHost: a\r\nCookie: " + strings.Repeat("c", 33000), `.* \(head_too_large, answered 431\): GET /c, field Cookie, limit 32768, buffer-size changes it$`},
		"late":    {"GET /d HTTP/1.1\r\nHost: a\r\n", `.* \(head_timeout, answered 408\): GET /d, limit 1s, http-timeout changes it$`},
		"escaped": {"GET /\x1b\xff HTTP/1.1\r\n\r\n", `.* \(target, answered 400\): GET /\\u001b`},
	} {
		t.Run(name, func(t *testing.T) {
			sayTo(t, addr, tt[0])
			s.wantLine(t, when+regexp.QuoteMeta(addr)+":"+tt[1])
		})
	}
	// No worker ran them, and none is named.
	s.wantLine(t, `^\[pid: 0\|app: -1\|req: -1/\d+\] 127\.0\.0\.1 .* POST /b => generated .* \(- 413\)`)
}

// TestLogCountsAsUWSGI: req: n/m is the app's requests in the worker's process and all of
// the server's; memory is the worker's.
func TestLogCountsAsUWSGI(t *testing.T) {
	addr := "127.0.0.1:" + freePort(t)
	s := start(t, shortTempDir(t), "--http-socket", addr, "--wsgi-file", root+"/docs/examples/hello/server.py", "--threads", "2")
	s.waitAnswer(t, "http://"+addr+"/", 200)
	for range 5 {
		get(t, "http://"+addr+"/n")
	}
	s.wantLine(t, `^\[pid: [1-9]\d*\|app: 0\|req: 6/6\] .* GET /n =>`)

	format := shortTempDir(t)
	addr = "127.0.0.1:" + freePort(t)
	s = start(t, format, "--http-socket", addr, "--wsgi-file", root+"/docs/examples/hello/server.py", "--log-format",
		"mem %(rss) %(rssM) %(vsz) %(vszM) %(broken)")
	s.waitAnswer(t, "http://"+addr+"/", 200)
	s.wantLine(t, `^mem [1-9]\d{6,} [1-9]\d* [1-9]\d{6,} [1-9]\d* -$`)
}
