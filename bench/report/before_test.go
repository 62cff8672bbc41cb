package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/bench/result"
)

func TestBefore(t *testing.T) {
	var b bytes.Buffer
	if err := Before(&b, sampleRun(7), "uwsgi-socket", "granian"); err != nil {
		t.Fatal(err)
	}
	golden(t, "before.md", b.Bytes())
	for _, names := range [][2]string{{"nobody", "unit"}, {"uwsgo", "nobody"}} {
		if err := Before(&b, smallRun(), names[0], names[1]); err == nil || !strings.Contains(err.Error(), "nobody") {
			t.Errorf("%v: got %v", names, err)
		}
	}
	if err := Before(&b, &result.Run{}, "a", "b"); err == nil {
		t.Error("a run without figures has a table")
	}
}
