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
	if !strings.Contains(b.String(), "A quick look: 1 round of 3 s.") {
		t.Error("nothing says that there was one round only")
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := Table(&b, smallRun()); err != nil {
		t.Fatal(err)
	}
	golden(t, "terminal.txt", b.Bytes())
	for name, run := range map[string]*result.Run{"five rounds": smallRun(), "one round": sampleRun(1), "everything": sampleRun(7)} {
		for _, width := range []int{80, 100, 160} {
			if name == "everything" && width > leastWidth {
				continue // it takes a second
			}
			b.Reset()
			if err := terminal(&b, run, width); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
					t.Errorf("%s: %d columns of %d: %s", name, n, width, line)
				}
			}
			if strings.ContainsRune(b.String(), 0x1b) {
				t.Errorf("%s: a log line's escape codes reach the terminal", name)
			}
		}
	}
}

// Headings are whole, and stand apart from each other and above their figures.
func TestTableHeadings(t *testing.T) {
	run := runOf(server("uwsgo", "", "rate", 20, 21, 20, 21, 20, 20, 21), server("uwsgi", "", "rate", 9, 9, 9, 9, 9, 9, 9))
	w := &run.Workloads[0]
	w.Metrics, w.Chart = []string{"rate", "cpu", "p99"}, []string{"rate", "cpu", "crowd"}
	for _, width := range []int{80, 100, 160} {
		var b strings.Builder
		if err := terminal(&b, run, width); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(b.String(), "\n")
		title, unit, figure := []rune(lines[1]), []rune(lines[2]), []rune(lines[3])
		for heading, below := range map[string]string{"throughput": "req/s", "CPU": "µs/req", "memory for the crowd": "MiB"} {
			at := strings.Index(string(title), heading)
			if at < 2 || string(title[at-2:at]) != "  " {
				t.Errorf("%d columns: %q is cut or has no space before it: %s", width, heading, string(title))
				continue
			}
			end := at + len(heading)
			if got := string(unit[:min(end, len(unit))]); !strings.HasSuffix(got, "  "+below) {
				t.Errorf("%d columns: below %q is %q", width, heading, got)
			}
			if figure[end-1] == ' ' {
				t.Errorf("%d columns: no figure ends below %q: %s", width, heading, string(figure))
			}
		}
	}
}
