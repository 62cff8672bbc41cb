package worker

import "testing"

func TestExpectedWait(t *testing.T) {
	const each = 10 * ms
	tests := []struct {
		name string
		do   func(f *flow) (now int64)
		want int64
	}{
		{"nobody_waits", func(f *flow) int64 { f.begin(0); return 0 }, 0},
		{"first_that_waits", func(f *flow) int64 { f.begin(0); f.begin(0); return 0 }, 0},
		{"measured", func(f *flow) int64 { return steady(f, each, 3*flowWindow) }, 18 * each},
		{"answers_stop_coming", func(f *flow) int64 { return steady(f, each, flowWindow) + 4000*ms }, 18 * 4000 * ms / 2},
		{"never_an_answer", func(f *flow) int64 {
			for range 6 {
				f.begin(0)
			}
			return 1000 * ms
		}, 4 * 1000 * ms / 2},
		{"gone_ones_count_no_more", func(f *flow) int64 {
			now := steady(f, each, 2*flowWindow)
			for range 15 {
				f.uncount(now, false)
			}
			return now
		}, 3 * each},
		{"slow_before_it_was_idle", func(f *flow) int64 {
			now := steady(f, 1000*each, 2*flowWindow)
			for f.active > 0 {
				f.uncount(now, true)
			}
			for range 10 {
				f.begin(now + each)
			}
			return now + each
		}, 0},
		{"idle_again", func(f *flow) int64 {
			now := steady(f, each, flowWindow)
			for f.active > 0 {
				now += each
				f.uncount(now, true)
			}
			return now
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &flow{servers: 2}
			if got := f.expect(tt.do(f)); got != tt.want {
				t.Errorf("expect = %d ms, want %d ms", got/ms, tt.want/ms)
			}
		})
	}
}

// steady has 20 requests at a time, of which one ends each so many nanoseconds and
// another takes its place.
func steady(f *flow, each int64, ends int) (now int64) {
	for range 20 {
		f.begin(0)
	}
	for range ends {
		now += each
		f.uncount(now, true)
		f.begin(now)
	}
	return now
}
