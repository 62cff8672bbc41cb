package report

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/uwsgo/uwsgo/bench/result"
)

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b, smallRun()); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.md", b.Bytes())
	if s := b.String(); strings.Contains(s, "/home/me") || strings.Contains(s, "/opt/") {
		t.Error("the page says where things lay on the machine")
	}
}

func TestMarkdownOfAnInterruptedRunSaysSo(t *testing.T) {
	run := smallRun()
	run.Complete = false
	var b strings.Builder
	if err := Markdown(&b, run); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "This run was interrupted.") {
		t.Error("nothing says that the run was interrupted")
	}
}

func TestMarkdownOfOneRoundConcludesNothing(t *testing.T) {
	var b strings.Builder
	if err := Markdown(&b, sampleRun(1)); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{" better", " worse", "<br>"} {
		for line := range strings.Lines(b.String()) {
			if strings.HasPrefix(line, "|") && strings.Contains(line, word) {
				t.Errorf("a comparison of one round: %s", line)
			}
		}
	}
	if !strings.Contains(b.String(), "Measured in 1 round only") {
		t.Error("nothing says that there was one round only")
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := Table(&b, smallRun()); err != nil {
		t.Fatal(err)
	}
	golden(t, "terminal.txt", b.Bytes())
	for name, run := range map[string]*result.Run{"five rounds": smallRun(), "one round": sampleRun(1)} {
		b.Reset()
		if err := Table(&b, run); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
		if strings.ContainsRune(b.String(), 0x1b) {
			t.Errorf("%s: a log line's escape codes reach the terminal", name)
		}
	}
}
