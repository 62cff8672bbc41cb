package policy

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	var b Backoff
	for i, c := range []struct{ age, want time.Duration }{
		{0, 0}, // one death may be an accident
		{time.Second, time.Second},
		{0, 2 * time.Second},
		{9 * time.Second, 4 * time.Second},
		{10 * time.Second, 0}, // it has lived
		{time.Hour, 0},
		{0, 0},
		{0, time.Second},
	} {
		if got := b.Died(c.age); got != c.want {
			t.Errorf("death %d after %v: wait %v, want %v", i, c.age, got, c.want)
		}
	}
	for range 100 {
		if wait := b.Died(0); wait > time.Minute {
			t.Fatalf("a wait of %v", wait)
		}
	}
}
