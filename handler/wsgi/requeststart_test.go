package wsgi

import (
	"testing"
	"time"
)

func TestWaitedBefore(t *testing.T) {
	now := time.Unix(1_700_000_000, 500_000_000)
	tests := []struct {
		name, value string
		want        time.Duration
	}{
		{"nginx", "t=1700000000.250", 250 * time.Millisecond},
		{"seconds", "1699999999", 1500 * time.Millisecond},
		{"heroku_milliseconds", "1700000000100", 400 * time.Millisecond},
		{"milliseconds_with_fraction", "1700000000100.5", 399_500 * time.Microsecond},
		{"apache_microseconds", "t=1700000000400000", 100 * time.Millisecond},
		{"nanoseconds", "1700000000499999000", time.Microsecond},
		{"more_decimals_than_count", "t=1700000000.4999999999999", time.Nanosecond},
		{"none", "", 0},
		{"to_come", "t=1700000001.000", 0},
		{"now", "t=1700000000.500", 0},
		{"the_day_before", "t=1699913600", 0},
		{"an_hour_before", "t=1699996400.500", time.Hour},
		{"no_number", "t=", 0},
		{"words", "yesterday", 0},
		{"rest", "t=1700000000.250 s", 0},
		{"negative", "t=-1700000000", 0},
		{"two_points", "1700000000.2.5", 0},
		{"too_few_digits", "17", 0},
		{"too_many_digits", "17000000004999990001", 0},
		{"beyond_int64", "9999999999999999999", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := waited([]byte(tt.value), func() time.Time { return now }); got != tt.want {
				t.Errorf("%q: %v, want %v", tt.value, got, tt.want)
			}
		})
	}
}

func FuzzRequestStart(f *testing.F) {
	for _, s := range []string{"t=1700000000.250", "1700000000100", "9999999999999999999", "t=1.", "."} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if at, ok := requestStart(value); ok && at < 0 {
			t.Errorf("%q: %d", value, at)
		}
		if d := waited(value, time.Now); d < 0 || d > mostWaited {
			t.Errorf("%q: waited %v", value, d)
		}
	})
}
