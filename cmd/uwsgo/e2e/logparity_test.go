package e2e

import (
	le "encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/servertest"
)

// logRequests are what both servers are asked for, in this order.
var logRequests = []map[string]string{
	{"REQUEST_URI": "/t/plain?a=b", "PATH_INFO": "/t/plain", "QUERY_STRING": "a=b", "HTTP_USER_AGENT": "agent/1.0", "HTTP_REFERER": "http://from/"},
	{"REQUEST_URI": "/t/missing", "PATH_INFO": "/t/missing", "REMOTE_USER": "joe"},
	{"REQUEST_URI": "/t/broken", "PATH_INFO": "/t/broken", "HTTP_X_FORWARDED_FOR": "10.1.2.3, 10.1.2.4"},
	{"REQUEST_URI": "/t/empty", "PATH_INFO": "/t/empty", "HTTP_HOST": "other.example:81"},
	{"REQUEST_URI": "/t/big", "PATH_INFO": "/t/big", "HTTP_X_OWN": "own value"},
	{"REQUEST_URI": "/t/slow", "PATH_INFO": "/t/slow"},
	{"REQUEST_URI": "/t/print", "PATH_INFO": "/t/print", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": "3", "CONTENT_TYPE": "text/plain"},
	{"REQUEST_URI": "/t/größe", "PATH_INFO": "/t/größe"},
	{"REQUEST_URI": "/t/file/f.txt", "PATH_INFO": "/t/file/f.txt"}, // which only some have
}

// uwsgiRequest sends a request by the uwsgi protocol, whose variables are the same for
// both servers, and returns the answer.
func uwsgiRequest(addr string, vars map[string]string) (string, error) {
	all := [][2]string{{"SERVER_PROTOCOL", "HTTP/1.1"}, {"REMOTE_ADDR", "127.0.0.9"}, {"SERVER_NAME", "localhost"}, {"SERVER_PORT", "80"}}
	for _, name := range []string{"REQUEST_METHOD", "REQUEST_URI", "PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_HOST", "HTTP_USER_AGENT", "HTTP_REFERER", "REMOTE_USER", "HTTP_X_FORWARDED_FOR", "HTTP_X_OWN"} {
		value := vars[name]
		if name == "REQUEST_METHOD" && value == "" {
			value = "GET"
		}
		if name == "HTTP_HOST" && value == "" {
			value = "localhost"
		}
		if value == "" && strings.HasPrefix(name, "HTTP_") {
			continue
		}
		all = append(all, [2]string{name, value})
	}
	var packet []byte
	for _, v := range all {
		for _, text := range v {
			packet = append(le.LittleEndian.AppendUint16(packet, uint16(len(text))), text...)
		}
	}
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	head := le.LittleEndian.AppendUint16([]byte{0}, uint16(len(packet)))
	if _, err := c.Write(append(append(head, 0), packet...)); err != nil {
		return "", err
	}
	if vars["CONTENT_LENGTH"] != "" {
		_, _ = io.WriteString(c, "abc")
	}
	answer, err := io.ReadAll(c)
	if len(answer) > 0 { // uWSGI resets a connection whose body its app has not read
		err = nil
	}
	return string(answer), err
}

// logged runs a server with options and returns what is about requests and the app in
// its log files, by their names; that of standard output and error is "stderr".
func logged(t *testing.T, cmd *exec.Cmd, dir, addr string, files []string, stop syscall.Signal) map[string]string {
	t.Helper()
	p := servertest.Launch(t, cmd)
	defer servertest.KillAll(p.Mark)
	eventually(t, cmd.Path+" to serve", func() error {
		select {
		case <-p.Ended:
			t.Fatalf("%s has ended: %s", cmd.Path, p.Log)
		default:
		}
		_, err := uwsgiRequest(addr, map[string]string{"REQUEST_URI": "/ready", "PATH_INFO": "/ready"})
		return err
	})
	for _, vars := range logRequests {
		if _, err := uwsgiRequest(addr, vars); err != nil {
			t.Fatal(err)
		}
	}
	read := func() map[string]string {
		got := map[string]string{}
		for _, name := range files {
			text := p.Log.String()
			if name != "stderr" {
				b, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
				text = string(b)
			}
			got[name] = comparable(text)
		}
		return got
	}
	// Both write a moment later. What is written when they end would do, but uWSGI's
	// master may end before it has read all that its workers have said.
	last, since := read(), time.Now()
	for deadline := time.Now().Add(patience); time.Since(since) < 500*time.Millisecond && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if now := read(); !cmp.Equal(now, last) {
			last, since = now, time.Now()
		}
	}
	_ = cmd.Process.Signal(stop)
	select {
	case <-p.Ended:
	case <-time.After(patience):
		t.Errorf("%s does not end", cmd.Path)
	}
	return read()
}

// What differs from run to run, or by what the servers are.
var changing = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`pid: \d+`), "pid: P"},
	{regexp.MustCompile(`\b1[6-9]\d{14}\b`), "MICROS"},
	{regexp.MustCompile(`\b1[6-9]\d{11}\b`), "MILLIS"},
	{regexp.MustCompile(`\b1[6-9]\d{8}\b`), "UNIX"},
	{regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d 20\d\d`), "CTIME"},
	{regexp.MustCompile(`\d\d/[A-Z][a-z]{2}/20\d\d:\d\d:\d\d:\d\d [+-]\d{4}`), "LTIME"},
	{regexp.MustCompile(`20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d`), "ISO"},
	{regexp.MustCompile(`\d+ (msecs|micros)`), "N $1"},
	{regexp.MustCompile(`T=[\d.]+`), "T=N"},
	{regexp.MustCompile(`(via sendfile.*) \d+ headers`), "$1 N headers"},
	{regexp.MustCompile(`headers in \d+ bytes \(\d+ switches`), "headers in N bytes (N switches"},
	{regexp.MustCompile(`(usage: )\d+ bytes/\d+MB`), "${1}N bytes/NMB"},
}

// comparable takes from a log what both servers have to say.
func comparable(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "/t/") && !strings.Contains(line, "APP") || strings.Contains(line, "added mapping") {
			continue
		}
		for _, c := range changing {
			line = c.pattern.ReplaceAllString(line, c.by)
		}
		b.WriteString(line)
	}
	return b.String()
}

func sortLines(logs map[string]string) {
	for name, text := range logs {
		lines := strings.SplitAfter(text, "\n")
		slices.Sort(lines)
		logs[name] = strings.Join(lines, "")
	}
}

// TestLogAsUWSGI compares the logs of both servers line by line. What differs by intention
// has its place in docs/compatibility.md and is no case here.
func TestLogAsUWSGI(t *testing.T) {
	uwsgi := os.Getenv("UWSGO_REFERENCE") // such as one with PCRE
	if uwsgi == "" {
		uwsgi = filepath.Join(testenv(t), "bin", "uwsgi")
	}
	if _, err := os.Stat(uwsgi); err != nil {
		t.Skip("SKIP: no reference uWSGI: run make testenv")
	}
	help, err := exec.Command(uwsgi, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	const all = "stderr"
	for _, tt := range []struct {
		name    string
		options string
		files   []string
	}{
		{"default", "", []string{all}},
		{"logto", "logto = DIR/log", []string{"log", all}},
		{"micros", "log-micros = true", []string{all}},
		{"memory_report", "memory-report = true", []string{all}},
		{"forwarded", "log-x-forwarded-for = true", []string{all}},
		{"off", "disable-logging = true\nlogto = DIR/log", []string{"log"}}, // what the app prints is there
		{"only_4xx", "disable-logging = true\nlog-4xx = true", []string{all}},
		{"only_5xx", "disable-logging = true\nlog-5xx = true", []string{all}},
		{"only_slow", "disable-logging = true\nlog-slow = 250", []string{all}},
		{"only_big", "disable-logging = true\nlog-big = 100000", []string{all}},
		{"only_bigger", "disable-logging = true\nlog-big = 100001", []string{all}},
		{"only_zero", "disable-logging = true\nlog-zero = true", []string{all}},
		{"only_sendfile", "disable-logging = true\nlog-sendfile = true\nstatic-map = /t/file=DIR", []string{all}},
		{"files", "static-map = /t/file=DIR", []string{all}},
		{"several_conditions", "disable-logging = true\nlog-zero = true\nlog-4xx = true\nlog-slow = 250", []string{all}},
		{"condition_without_effect", "log-4xx = true", []string{all}},
		{
			"format_of_clients", `log-format = %%(addr) - %%(user) [%%(ltime)] "%%(method) %%(uri) %%(proto)" %%(status) %%(rsize) "%%(referer)" "%%(uagent)" %%(host)`,
			[]string{all},
		},
		{"format_of_numbers", `log-format = %%(uri) %%(status) %%(rsize) %%(cl) %%(vars) %%(pktsize) %%(modifier1) %%(modifier2) %%(core) %%(wid) %%(headers) %%(werr) %%(rerr) %%(ioerr)`, []string{all}},
		{"format_of_times", `log-format = %%(uri) T=%%(micros) T=%%(msecs) T=%%(secs) %%(time) %%(tmsecs) %%(tmicros) %%(epoch) %%(ctime) %%(ltime) %%(ftime)`, []string{all}},
		{"format_of_variables", `log-format = %%(uri) %%(var.HTTP_X_OWN) %%(var.HTTP_HOST) %%(var.NOTHING) %%(var.REQUEST_METHOD) %%(var.PATH_INFO) %%(nothing)`, []string{all}},
		{"format_as_a_date", "log-format = %%(uri) [%%(ftime)]\nlog-date = %%Y-%%m-%%d %%H:%%M:%%S\nlogformat-strftime = true", []string{all}},
		{"format_with_text", `log-format = 100% %%(uri) %% (x) ) "quoted"`, []string{all}},
		{"json_format", `log-format = {"uri": "%%(uri)", "status": %%(status), "agent": "%%(uagent)"}`, []string{all}},
		{"log_master", "log-master = true", []string{all}},
		{"logger", "logger = file:DIR/a", []string{"a"}},
		{"loggers", "logger = file:DIR/a\nlogger = file:DIR/b\nreq-logger = file:DIR/r", []string{"a", "b", "r"}},
		{"logger_with_keys", "req-logger = file:logfile=DIR/r,maxsize=1000000,backupname=DIR/r.1", []string{"r", all}},
		{"named", "logto = DIR/log\nlogger = x file:DIR/x", []string{"log", "x"}},
		{"routes", "logto = DIR/log\nlogger = ok file:DIR/ok\nlogger = app file:DIR/app\nlog-route = ok HTTP/1.\\d 200\nlog-route = app APP", []string{"log", "ok", "app"}},
		{"request_routes", "logto = DIR/log\nlogger = ok file:DIR/ok\nlog-req-route = ok 200", []string{"log", "ok"}},
		{"drain", "log-drain = /t/(big|slow)\nlog-drain = ^APP", []string{all}},
		{"filter", "log-filter = /t/big\nlog-filter = two", []string{all}},
		{"encoder_prefix", "log-encoder = prefix [web]", []string{all}},
		{"encoder_format", "log-encoder = format ${unix} ${micros} ${strftime:%%Y-%%m-%%dT%%H:%%M:%%S} <${msg}> ${nothing}\nlog-encoder = nl", []string{all}},
		{"encoder_json", `log-encoder = json {"unix":${unix}, "msg":"${msg}"}` + "\nlog-encoder = nl", []string{all}},
		{"encoder_suffix", "log-encoder = format ${msg}\nlog-encoder = suffix  END\nlog-encoder = nl", []string{all}},
		{"request_encoder", "req-logger = stdio\nlog-req-encoder = format R ${msgnl}\nlog-encoder = format L ${msgnl}", []string{all}},
		{"request_encoder_without_logger", "log-req-encoder = prefix NO", []string{all}},
		{
			"json_recipe", "logger = default stdio\nlogger = applogger stdio\nlog-route = applogger {\nlog-route = default ^((?!\\{).)*$\n" +
				"log-encoder = json:default {\"time\":${unix}, \"source\":\"uwsgi\", \"message\":\"${msg}\"}\nlog-encoder = format:applogger ${msg}\nlog-encoder = nl\n" +
				"logger-req = stdio\nlog-format = \"address\":\"%%(addr)\", \"uri\":\"%%(uri)\", \"status\":%%(status)\n" +
				"log-req-encoder = format {\"time\":${unix}, \"source\":\"uwsgi-req\", ${msg}}\nlog-req-encoder = nl",
			[]string{all},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(tt.options, "-route") || strings.Contains(tt.options, "log-drain") || strings.Contains(tt.options, "log-filter") {
				if !strings.Contains(string(help), "--log-route") {
					t.Skip("SKIP: this uWSGI was made without PCRE and has no patterns")
				}
			}
			t.Parallel()
			serve := func(program string, stop syscall.Signal) map[string]string {
				dir := shortTempDir(t)
				addr := "127.0.0.1:" + freePort(t)
				ini := fmt.Sprintf("[uwsgi]\nsocket = %s\nwsgi-file = %s\nmaster = true\nprocesses = 1\nneed-app = true\n%s\n",
					addr, filepath.Join(root, "cmd/uwsgo/e2e/testdata/logged.py"), strings.ReplaceAll(tt.options, "DIR", dir))
				write(t, dir, "app.ini", ini)
				write(t, dir, "f.txt", strings.Repeat("file", 10_000))
				cmd := servertest.Command(program, dir, testenv(t), "--ini", "app.ini")
				return logged(t, cmd, dir, addr, tt.files, stop)
			}
			theirs, ours := serve(uwsgi, syscall.SIGQUIT), serve(binary, syscall.SIGTERM)
			// Lines of requests come by a way of their own: within 20 ms what was printed comes first.
			sortLines(theirs)
			sortLines(ours)
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Errorf("uWSGI (-), uwsgo (+):\n%s", diff)
			}
			total := 0
			for _, text := range theirs {
				total += len(text)
			}
			if total == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}

// TestLogOverHTTPAsUWSGI: also what uWSGI counts of a request that has come over HTTP.
func TestLogOverHTTPAsUWSGI(t *testing.T) {
	uwsgi := filepath.Join(testenv(t), "bin", "uwsgi")
	if _, err := os.Stat(uwsgi); err != nil {
		t.Skip("SKIP: no reference uWSGI: run make testenv")
	}
	lines := func(program string, stop syscall.Signal) string {
		dir, addr := shortTempDir(t), "127.0.0.1:"+freePort(t)
		p := servertest.Launch(t, servertest.Command(program, dir, testenv(t), "--http-socket", addr, "--wsgi-file",
			filepath.Join(root, "cmd/uwsgo/e2e/testdata/logged.py"), "--master", "--logto", "log", "--log-x-forwarded-for"))
		defer servertest.KillAll(p.Mark)
		eventually(t, program+" to serve", func() error {
			_, err := ask("GET", "http://"+addr+"/ready", nil, nil)
			return err
		})
		for _, request := range []string{ // 1.0, as then both close
			"GET /t/plain?a=b HTTP/1.0\r\nHost: a.example\r\nUser-Agent: a\r\n\r\n",
			"GET /t/missing HTTP/1.0\r\nHost: a.example\r\nX-Own: own\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n\r\n",
			"POST /t/print HTTP/1.0\r\nHost: a.example\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc",
		} {
			sayTo(t, addr, request)
		}
		has(t, filepath.Join(dir, "log"), "POST /t/print => generated")
		_ = p.Cmd.Process.Signal(stop)
		<-p.Ended
		b, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{"log": regexp.MustCompile(`req: \d+/\d+`).ReplaceAllString(comparable(string(b)), "req: N/N")}
		sortLines(got) // of what comes within 20 ms, that which was printed comes first
		return got["log"]
	}
	// The port has as many digits: freePort gives no others.
	if diff := cmp.Diff(lines(uwsgi, syscall.SIGQUIT), lines(binary, syscall.SIGTERM)); diff != "" {
		t.Errorf("uWSGI (-), uwsgo (+):\n%s", diff)
	}
}
