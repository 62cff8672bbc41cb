package config

import (
	"strings"
	"testing"
)

// TestLogValues has values of log options that are found in public configurations. All of
// them start, and none is lost.
func TestLogValues(t *testing.T) {
	for _, line := range []string{
		"log-master = true", "log-master", "log-master = True", "master = true\nlog-master=true", "threaded-logger = true\nlogto = x",
		"log-4xx = true", "log-5xx = true", "log-slow = 1000", "log-slow = true", "log-slow = 3000 ; ms", "log-big = 1000000", "log-big = 1M", "log-zero = true",
		"log-ioerror = true", "log-sendfile = true", "disable-logging", "disable-logging = 1", "disable-logging = True", "disable-logging = false", "L = true",
		"log-date = true", "log-date", "log-date = 1", "log-date = %%Y-%%m-%%d %%H:%%M:%%S,000", "log-date = [%%d/%%b/%%Y %%H:%%M:%%S]", "log-prefix = [web]", "logdate = yes", "log-date = false",
		"logformat-strftime = true", "log-format-strftime", "log-micros = true", "log-x-forwarded-for = true", "memory-report = true", "memory-report = 1", "memory-report", "memory-report = 2", "memory-report = false",
		"logto = /tmp/%%n.log", "logto2 = /tmp/a.log", "logto = 127.0.0.1:514", "daemonize = /tmp/a.log",
		"log-maxsize = 104857600", "log-maxsize = 20M", "log-backupname = /tmp/a.log.1", "log-reopen = true", "log-truncate = true", "logfile-chmod = 644", "logfile-chown", "logfile-chown = true", "logfile-chown = www-data:www-data",
		"touch-logrotate = /run/rotate", "touch-logreopen = /tmp/.touchforlogrotate",
		"logger = stdio", "logger = stdio:", "logger = file:/tmp/a.log", "logger = default stdio", "logger = qcluster file:/tmp/q.log", "logger = file:logfile=/tmp/a.log,maxsize=20971520", "worker-logger = file:/tmp/a.log",
		"logger = staticlogger file:logfile=/tmp/static.log,backupname=/tmp/static.log.old,maxsize=1500", "logger = syslog", "logger = syslog:uwsgi1234,local6", "logger = socket:/tmp/uwsgi.logsock", "logger = socket:192.168.173.19:5050",
		"logger = rsyslog:12.34.56.78:12345,uwsgi1234", "logger = rsyslog:syslog:5140,thoughts_backend", "logger = stderr file:/dev/tty", "logger = ignore file:/dev/null\nlog-route = ignore /api/health",
		"log-syslog", "log-syslog = uwsgi", "log-syslog = true", "log-socket = 127.0.0.1:1717", "req-logger = file:/tmp/r.log", "logger-req = stdio", "req-logger = stdio", "req-logger = socket:127.0.0.1:5140",
		"log-route = applogger {", "log-route = default ^((?!\\{).)*$", "log-route = djangologger ^{.*$", "log-route = errlog (Traceback)|(HTTP/1.\\d 500)", "log-route = mylogger1 uWSGI listen queue of socket .* full",
		"log-route = mysite ^(?!... Starting uWSGI |compiled with version: |os: Linux)", "log-req-route = main .*", "log-drain = .*/health.*", "log-filter = ERROR",
		"log-encoder = nl", "log-encoder = prefix [web]", "log-encoder = format ${strftime:%%Y:%%m-%%dT%%H:%%M:%%S+%%Z} ${msg}", "log-encoder = format:applogger ${msg}", "log-encoder = gzip:secondlogger", "log-encoder = gzip",
		`log-encoder = json:default {"time":${unix}, "source":"uwsgi", "message":"${msg}"}`, "log-encoder = format %[[33m${msgnl}%[[0m", `log-req-encoder = format {"time":${unix}, "source":"uwsgi-req", ${msg}}`, "log-req-encoder = nl",
		`log-format = "address":"%(addr)", "host":"%(json_host)", "uri":"%(json_uri)", "secs":%(secs)`, `logformat = [%(ltime)] %(host) %(method) %(uri) %(status) %(msecs) ms %(rssM) MB`,
		"rsyslog-packet-size = 2048", "rsyslog-split-messages = true", "logger-list", "loggers-list = true", "log-json = true",
	} {
		t.Run(line, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\n" + line + "\n"})
			c, err := load([]string{"app.ini", "--http", ":8000"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Losses.Function)+len(c.Losses.Changed)+len(c.Losses.Unprotected) > 0 {
				t.Errorf("lost: %+v", c.Losses)
			}
			warned := strings.Join(c.Warnings, "\n")
			if slow := line == "log-slow = true"; slow != strings.Contains(warned, "log-slow") {
				t.Errorf("warnings: %q", warned)
			}
		})
	}
}

// A file logger without a path writes nowhere in uWSGI, and the server starts.
func TestFileLoggerWithoutPath(t *testing.T) {
	for _, line := range []string{"logger = file", "req-logger = file", "logger-req = file"} {
		enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\n" + line + "\n"})
		c, err := load([]string{"app.ini", "--http", ":8000"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Log.Loggers)+len(c.Log.RequestLoggers) > 0 || !strings.Contains(strings.Join(c.Warnings, "\n"), "app.ini:3: ") {
			t.Errorf("%s: %+v, warnings %q", line, c.Log, c.Warnings)
		}
	}
}
