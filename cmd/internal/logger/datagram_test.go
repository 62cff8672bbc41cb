package logger

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func listenAt(t *testing.T, network, addr string) net.PacketConn {
	t.Helper()
	l, err := net.ListenPacket(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func receive(t *testing.T, l net.PacketConn) string {
	t.Helper()
	_ = l.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 64<<10)
	n, _, err := l.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

// TestDatagrams has the forms of reference uWSGI.
func TestDatagrams(t *testing.T) {
	host, _ := os.Hostname()
	const stamp = `[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d `
	for _, tt := range []struct{ name, network, logger, message, want string }{
		{"socket", "udp", "socket:ADDR", "one\n", "^one\n$"},
		{"socket_with_prefix", "udp", "socket:ADDR,app: ", "one\n", "^app: one\n$"},
		{"socket_at_a_path", "unixgram", "socket:ADDR", "one\n", "^one\n$"},
		{"socket_at_a_path_with_prefix", "unixgram", "socket:ADDR,app ", "one\n", "^app one\n$"},
		{"rsyslog", "udp", "rsyslog:ADDR", "one\n", `^<29>` + stamp + regexp.QuoteMeta(host) + ` uwsgi: one$`},
		{"rsyslog_ident", "udp", "rsyslog:ADDR,app", "one\n", `^<29>` + stamp + `app: one$`},
		{"rsyslog_priority", "udp", "rsyslog:ADDR,app,14", "one\n", `^<14>` + stamp + `app: one$`},
		{"rsyslog_at_a_path", "unixgram", "rsyslog:ADDR,app", "one\n", `^<29>` + stamp + `app: one$`},
		{"rsyslog_cuts", "udp", "rsyslog:ADDR,a_long_name_of_an_app", strings.Repeat("x", 3000) + "\n", `^<29>` + stamp + `a_long_name_of_an_app: x+$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr := "127.0.0.1:0"
			if tt.network == "unixgram" {
				addr = filepath.Join(t.TempDir(), "s")
			}
			l := listenAt(t, tt.network, addr)
			s := openConfig(t, options(t, "", "logger = "+strings.Replace(tt.logger, "ADDR", l.LocalAddr().String(), 1)))
			write(t, s, tt.message)
			got := receive(t, l)
			if !regexp.MustCompile(tt.want).MatchString(got) || strings.HasPrefix(tt.logger, "rsyslog") && len(got) > 1023 {
				t.Errorf("%d bytes: %q", len(got), got)
			}
		})
	}
}

func TestSplitMessages(t *testing.T) {
	l := listenAt(t, "udp", "127.0.0.1:0")
	c := options(t, "", "logger = rsyslog:"+l.LocalAddr().String()+",app")
	c.PacketSize, c.SplitMessages = 100, true
	s := openConfig(t, c)
	write(t, s, strings.Repeat("0123456789", 20)+"\n")
	whole := ""
	for len(whole) < 200 {
		got := receive(t, l)
		_, part, ok := strings.Cut(got, " app: ")
		if !ok || len(got) > 99 {
			t.Fatalf("%q", got)
		}
		whole += part
	}
	if whole != strings.Repeat("0123456789", 20) {
		t.Errorf("%q", whole)
	}
}

func TestLocalSyslog(t *testing.T) {
	l := listenAt(t, "unixgram", filepath.Join(t.TempDir(), "log"))
	saved := syslogPlaces
	syslogPlaces = []string{filepath.Join(t.TempDir(), "nothing"), l.LocalAddr().String()}
	t.Cleanup(func() { syslogPlaces = saved })
	for logger, want := range map[string]string{
		"syslog":           `^<30>... .. ..:..:.. uwsgi: one$`,
		"syslog:app":       `^<30>... .. ..:..:.. app: one$`,
		"syslog:a,local6":  `^<182>... .. ..:..:.. a: one$`,
		"syslog:,authpriv": `^<86>... .. ..:..:.. uwsgi: one$`,
	} {
		s := openConfig(t, options(t, "", "logger = "+logger))
		write(t, s, "one\n")
		if got := receive(t, l); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: %q", logger, got)
		}
		_ = s.Close()
	}
}

// TestSocketThatIsThereLater: lines are counted and said until somebody takes them.
func TestSocketThatIsThereLater(t *testing.T) {
	dir := t.TempDir()
	addr, log := filepath.Join(dir, "s"), filepath.Join(dir, "log")
	s := openConfig(t, options(t, dir, "logto = $DIR/log\nlogger = stdio\nreq-logger = socket:$DIR/s"))
	eventually(t, func() bool {
		return strings.Contains(read(t, log), "WARNING: logger socket:"+addr+": nobody takes what it sends yet")
	})
	write(t, s, "lost\n")
	eventually(t, func() bool {
		return s.Dropped() == 1 && strings.Contains(read(t, log), "lines for socket:"+addr+" are lost: ")
	})
	l := listenAt(t, "unixgram", addr)
	got := make(chan string, 1)
	ended := make(chan struct{})
	go func() { // takes all there is, so that nothing stands still
		defer close(ended)
		buf := make([]byte, 1000)
		for {
			n, _, err := l.ReadFrom(buf)
			if err != nil {
				return
			}
			select {
			case got <- string(buf[:n]):
			default:
			}
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	eventually(t, func() bool { // it is looked for once a second
		write(t, s, "kept\n")
		settle(s)
		return len(got) > 0
	})
	if line := <-got; line != "kept\n" {
		t.Errorf("%q", line)
	}
	eventually(t, func() bool {
		write(t, s, "more\n")
		return strings.Contains(read(t, log), "lines for socket:"+addr+" were lost: ")
	})
}
