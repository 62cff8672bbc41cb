package worker

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	const µs = time.Microsecond
	for _, tt := range []struct {
		name    string
		each    time.Duration // between answers
		waiting int
		want    time.Duration
	}{
		{"nobody_waits", 100 * µs, 0, 0},
		{"too_few_wait", 100 * µs, 2, 0},
		{"some_wait", 100 * µs, 8, 200 * µs},
		{"many_wait", 100 * µs, 60, 300 * µs},
		{"fast_app", 10 * µs, 60, 0},
		{"slow_app", time.Millisecond, 60, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p pace
			now := int64(time.Second)
			p.since = now
			for range paceWindow {
				now += int64(tt.each)
				p.answered(now)
			}
			if got := p.gather(tt.waiting); got != tt.want {
				t.Errorf("gather for %v, want %v", got, tt.want)
			}
		})
	}
	var fresh pace
	if d := fresh.gather(100); d != 0 {
		t.Errorf("gathers for %v before anything is known", d)
	}
}
