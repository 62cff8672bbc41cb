package main

import "testing"

func TestMoreProcs(t *testing.T) {
	tests := []struct {
		name   string
		more   bool
		events uint64 // in a tenth of a second
		loops  int
		want   bool
	}{
		{"idle", true, 0, 1, true},
		{"some", true, 800, 1, true},
		{"busy", true, 1_200, 1, false},
		{"busy_for_one_loop_of_two", true, 1_200, 2, true},
		{"busy_still", false, 1_200, 1, false},
		{"between_stays_with_more", true, 900, 1, true},
		{"between_stays_without", false, 900, 1, false},
		{"quiet_again", false, 400, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := moreProcs(tt.more, tt.events, tt.loops); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
