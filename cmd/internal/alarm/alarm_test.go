package alarm

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{"ops cmd:mail -s alarm root", ""},
		{"ops log:", ""},
		{"ops log:PREFIX", ""},
		{"ops signal:17", ""},
		{"ops mule:2", ""},
		{"ops mule:", ""},
		{"ops curl:https://example.com/hook;method=PUT;timeout=5;auth_user=a;auth_pass=b", ""},
		{"ops curl:url=http://example.com", ""},
		{"ops", "no name and what to do"},
		{"ops log", "no name and what to do"},
		{"", "no name and what to do"},
		{"ops pager:1", "no kind of alarm named pager is there: use cmd, log"},
		{"ops xmpp:me@example.com", "no messages are sent by XMPP"},
		{"ops speech:x", "nothing is spoken"},
		{"ops sentry:dsn=x", "Sentry is told nothing"},
		{"ops cmd: ", "the command is missing"},
		{"ops signal:300", "no signal of uWSGI's"},
		{"ops mule:x", "no number of a mule"},
		{"ops curl:smtp://example.com;mail_to=x", "no mail is sent"},
		{"ops curl:ftp://example.com", "must begin with http"},
		{"ops curl:http://example.com;timeout=x", "no number of seconds"},
		{"ops curl:http://example.com;what=1", `"what" is no part of it`},
	} {
		_, err := Parse(c.value)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.value, err, c.want)
		}
	}
	for _, value := range []string{"ops 5:8 ready", "ops 5 ready now"} {
		if f, err := ParseFD(value); err != nil || f.FD != 5 || !strings.HasPrefix(f.Message, "ready") {
			t.Errorf("%q: %+v, %v", value, f, err)
		}
	}
	for _, value := range []string{"ops 5", "ops x ready", "ops 5:0 ready", "ops 5:99999999 ready"} {
		if _, err := ParseFD(value); err == nil {
			t.Errorf("%q is taken", value)
		}
	}
}

// log keeps lines.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) logf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *log) wait(t *testing.T, want ...string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		slices.Sort(l.lines)
		got := strings.Join(l.lines, "\n")
		l.mu.Unlock()
		slices.Sort(want)
		if got == strings.Join(want, "\n") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the log has\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	}
}

func raiser(t *testing.T, freq time.Duration, rules []string, alarms ...string) (*Raiser, *log) {
	t.Helper()
	c, l := Config{Freq: freq, MostSize: 20, Segfault: []string{"ops"}}, &log{}
	for _, value := range alarms {
		a, err := Parse(value)
		if err != nil {
			t.Fatal(err)
		}
		c.Alarms = append(c.Alarms, a)
	}
	for _, value := range rules {
		text, not := strings.CutPrefix(value, "not ")
		rule, err := ParseLog(text)
		if err != nil {
			t.Fatal(err)
		}
		rule.Not = not
		c.Logs = append(c.Logs, rule)
	}
	r := New(c, Hands{
		Logf:   l.logf,
		Signal: func(n int) { l.logf("signal %d", n) },
		Mule:   func(n int, m []byte) error { l.logf("mule %d gets %s", n, m); return nil },
		Run: func(_ context.Context, command string, stdin *os.File) error {
			m, err := io.ReadAll(stdin)
			l.logf("%s reads %s", command, m)
			return err
		},
	})
	t.Cleanup(r.Close)
	return r, l
}

func TestLines(t *testing.T) {
	r, l := raiser(t, time.Hour, []string{"not ops harmless", "ops error", "ops,other error"}, "ops log:", "other log:to other")
	for _, line := range []string{
		"all is well", "error 1", "error 1\n", "a harmless error", "[uwsgi-alarm] error 2", "ALARM: error 3",
		"Sat Nov 28 12:00:00 2026 - ALARM: error 4", `{"time":"x","source":"uwsgo","message":"ALARM: error 5"}`,
		"DAMN ! worker 1 (pid: 5) died, killed by signal 11 :(", "DAMN ! worker 1 (pid: 5) died, killed by signal 9 :(", "killed by signal 11",
	} {
		r.Line([]byte(line))
		time.Sleep(time.Millisecond) // each alarm has a goroutine of its own
	}
	l.wait(t, "ALARM: error 1", "ALARM: to other error 1", "ALARM: DAMN ! worker 1 (pid")
}

func TestKinds(t *testing.T) {
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		user, password, _ := q.BasicAuth()
		got <- fmt.Sprint(q.Method, " ", user, " ", password, " ", string(body))
		if q.URL.Path == "/bad" {
			w.WriteHeader(500)
		}
	}))
	defer server.Close()
	r, l := raiser(t, 0, nil, "ops log:", "sig signal:7", "mule mule:2", "run cmd:page", "web curl:"+server.URL+";auth_user=a;auth_pass=b", "bad curl:"+server.URL+"/bad;method=PUT")
	var want []string
	for _, c := range [][2]string{{"sig", "signal 7"}, {"mule", "mule 2 gets a message"}, {"run", "page reads a message"}, {"ops", "ALARM: a message"}} {
		if !r.Raise(c[0], []byte("a message\n")) {
			t.Errorf("there is no %s", c[0])
		}
		want = append(want, c[1])
		l.wait(t, want...)
	}
	r.Raise("web", []byte("a message that is too long for an alarm"))
	if text := <-got; text != "POST a b a message that is to" {
		t.Errorf("the server got %q", text)
	}
	r.Raise("bad", []byte("x"))
	if text := <-got; text != "PUT   x" {
		t.Errorf("the server got %q", text)
	}
	l.wait(t, append(want, "[uwsgi-alarm] bad: the answer is 500 Internal Server Error")...)
	if r.Raise("none", nil) || (*Raiser)(nil).Raise("ops", nil) {
		t.Error("an alarm that is not there is raised")
	}
}

// What cannot be done in time is dropped, and whoever raises it never waits.
func TestStorm(t *testing.T) {
	c, l := Config{Alarms: []Alarm{{"ops", "cmd", "slow"}}}, &log{}
	r := New(c, Hands{Logf: l.logf, Run: func(ctx context.Context, _ string, _ *os.File) error { <-ctx.Done(); return ctx.Err() }})
	for i := range 10 * mostWaiting {
		r.Raise("ops", fmt.Appendf(nil, "message %d", i))
	}
	r.Close()
	if len(l.lines) != 1 || !strings.Contains(l.lines[0], "[uwsgi-alarm] ops: 1 messages are dropped") {
		t.Errorf("the log has %q", l.lines)
	}
}
