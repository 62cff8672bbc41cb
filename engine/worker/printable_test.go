package worker

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// No line of the log has anything that a terminal acts on, whatever the wire or an app put
// into it: the request that is late, the place where it hangs, the reason why no app loads.
func TestLogLinesArePrintable(t *testing.T) {
	evil := "/x\nDAMN ! \x1b[31m\xff\u009b\\"
	r := start(t, Config{Apps: []App{app(t, paths)}, Harakiri: time.Minute}, 1)
	c := &call{method: "GET" + evil}
	block(r, c)
	c.late()
	if c.wait(); !errors.Is(c.err, ErrHarakiri) {
		t.Fatalf("got %v, want %v", c.err, ErrHarakiri)
	}
	r.waitLog(`GET/x\u000aDAMN ! \u001b[31m\u00ff\u009b\\ /wait since`)
	r.waitLog("HARAKIRI triggered by worker 1 core 0 !!!")
	config := Config{Apps: []App{app(t, "raise RuntimeError('a\\n\\x1b[31m\\x9bb')\n")}}
	other := newRig(t, &config, 1)
	config.NeedApp = false
	var err error
	if other.pool, err = Start(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	other.waitLog("unable to load app 0")
	for _, line := range append(r.logged(), other.logged()...) {
		if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("a line of the log: %q", line)
		}
	}
}
