package logger

import (
	"strings"
	"testing"
)

func TestParseSpec(t *testing.T) {
	for _, tt := range []struct {
		name, give string
		want       Spec
		err        string // part of it
	}{
		{"stdio", "stdio", Spec{"", "stdio", ""}, ""},
		{"stdio_with_colon", "stdio:", Spec{"", "stdio", ""}, ""},
		{"named", "applogger stdio", Spec{"applogger", "stdio", ""}, ""},
		{"file", "file:/var/log/a.log", Spec{"", "file", "/var/log/a.log"}, ""},
		{"named_file", "cron file:/var/log/a b.log", Spec{"cron", "file", "/var/log/a b.log"}, ""},
		{"file_with_blank", "file:/var/log/a b.log", Spec{"", "file", "/var/log/a b.log"}, ""},
		{"file_with_keys", "file:logfile=/a,maxsize=20m,backupname=/b", Spec{"", "file", "logfile=/a,maxsize=20m,backupname=/b"}, ""},
		{"file_without_path", "file:", Spec{}, "needs a path"},
		{"file_without_logfile", "file:maxsize=1", Spec{}, "needs a path"},
		{"file_with_wrong_key", "file:logfile=/a,max=1", Spec{}, `no key "max"`},
		{"file_with_wrong_size", "file:logfile=/a,maxsize=much", Spec{}, "no number of bytes"},
		{"fd", "fd:2", Spec{"", "fd", "2"}, ""},
		{"fd_without_number", "fd:err", Spec{}, "number of a descriptor"},
		{"socket_udp", "socket:10.0.0.1:5140", Spec{"", "socket", "10.0.0.1:5140"}, ""},
		{"socket_udp_with_prefix", "socket:localhost:5140,app: ", Spec{"", "socket", "localhost:5140,app: "}, ""},
		{"socket_ipv6", "socket:[::1]:5140", Spec{"", "socket", "[::1]:5140"}, ""},
		{"socket_unix", "socket:/run/log.sock,x", Spec{"", "socket", "/run/log.sock,x"}, ""},
		{"socket_abstract", "socket:@log", Spec{"", "socket", "@log"}, ""},
		{"socket_without_port", "socket:localhost:", Spec{}, "needs an address"},
		{"socket_without_address", "socket", Spec{}, "needs an address"},
		{"syslog", "syslog", Spec{"", "syslog", ""}, ""},
		{"syslog_ident", "syslog:app", Spec{"", "syslog", "app"}, ""},
		{"syslog_facility", "syslog:app,local6", Spec{"", "syslog", "app,local6"}, ""},
		{"syslog_facility_of_c", "syslog:app,LOG_USER", Spec{"", "syslog", "app,LOG_USER"}, ""},
		{"syslog_wrong_facility", "syslog:app,local9", Spec{}, "no facility"},
		{"rsyslog", "rsyslog:loghost", Spec{"", "rsyslog", "loghost"}, ""},
		{"rsyslog_port_ident", "rsyslog:syslog:5140,thoughts_backend", Spec{"", "rsyslog", "syslog:5140,thoughts_backend"}, ""},
		{"rsyslog_priority", "rsyslog:127.0.0.1:514,app,14", Spec{"", "rsyslog", "127.0.0.1:514,app,14"}, ""},
		{"rsyslog_wrong_priority", "rsyslog:127.0.0.1:514,app,high", Spec{}, "no priority"},
		{"rsyslog_path", "rsyslog:/dev/log,app", Spec{"", "rsyslog", "/dev/log,app"}, ""},
		{"rsyslog_without_address", "rsyslog:", Spec{}, "needs an address"},
		{"redis", "redislog:127.0.0.1:6379,publish x", Spec{}, "does not log to Redis: have a log shipper"},
		{"named_redis", "r redislog:127.0.0.1:6379", Spec{}, "does not log to Redis"},
		{"mongodb", "mongodblog", Spec{}, "does not log to MongoDB"},
		{"zeromq", "zeromq:tcp://127.0.0.1:1", Spec{}, "does not log to ZeroMQ"},
		{"graylog", "graylog2:1.2.3.4:1,x", Spec{}, "Graylog"},
		{"journal", "systemd", Spec{}, "logger = stdio"},
		{"command", "pipe:cat", Spec{}, "| command"},
		{"unknown", "filee:/a", Spec{}, `"filee" is no kind of logger`},
		{"name_with_dash", "my-log file:/a", Spec{}, "a name of letters and digits"},
		{"empty", "", Spec{}, "no kind of logger"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseSpec(tt.give)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q in it", err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %#v, %v", got, err)
			}
		})
	}
}

func TestParseSize(t *testing.T) {
	for give, want := range map[string]int64{"0": 0, "20971520": 20971520, "20m": 20 << 20, "2G": 2 << 30, "64kb": 64 << 10, " 5 ": 5} {
		if got, err := parseSize(give); err != nil || got != want {
			t.Errorf("%q: %d, %v", give, got, err)
		}
	}
	for _, give := range []string{"", "m", "-1", "1x", "99999999999999999999", "9999999999g"} {
		if got, err := parseSize(give); err == nil {
			t.Errorf("%q is taken for %d", give, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"stdio", "a file:logfile=/x,maxsize=1k", "rsyslog:h:1,i,3", "syslog:a,local1", "socket:[::1]:3,x", "json:a {${msg}}", "a ^(?!x)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) { // none of them panics
		_, _ = ParseSpec(value)
		_, _ = ParseEncoder(value)
		_, _ = ParseRoute(value)
	})
}
