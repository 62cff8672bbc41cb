package chaos

import (
	"testing"

	"github.com/uwsgo/uwsgo/bench/load"
)

// TestSettle sees to it that the scenarios would notice what they look for.
func TestSettle(t *testing.T) {
	killed := allowed{killed: func() []int { return []int{7} }}
	for _, tt := range []struct {
		name   string
		kind   string
		status int
		ran    *ran
		may    allowed
		fault  bool
	}{
		{"right", "", 200, &ran{[]int{1}, []int{1}}, allowed{}, false},
		{"run_twice", "", 200, &ran{[]int{1, 2}, []int{1, 2}}, allowed{}, true},
		{"answered_unrun", "", 200, nil, allowed{}, true},
		{"answered_before_its_end", "", 200, &ran{[]int{1}, nil}, allowed{}, true},
		{"answer_of_another", load.KindBody, 200, &ran{[]int{1}, []int{1}}, allowed{}, true},
		{"lost", load.KindTimeout, 0, nil, allowed{}, true},
		{"connection_refused", load.KindConnect, 0, nil, allowed{}, true},
		{"connection_closed", load.KindUnannounced, 0, nil, allowed{}, true},
		{"502_unasked_for", load.KindStatus, 502, nil, allowed{}, true},
		{"502_of_a_killed_worker", load.KindStatus, 502, &ran{[]int{7}, nil}, killed, false},
		{"502_on_the_way_to_a_killed_worker", load.KindStatus, 502, nil, killed, false},
		{"502_of_another_worker", load.KindStatus, 502, &ran{[]int{8}, nil}, killed, true},
		{"502_and_run_again", load.KindStatus, 502, &ran{[]int{7, 8}, []int{8}}, killed, true},
		{"cut_by_the_end_of_its_worker", load.KindClosedEarly, 200, &ran{[]int{7}, nil}, killed, false},
		{"cut_though_its_worker_lives", load.KindClosedEarly, 200, &ran{[]int{8}, nil}, killed, true},
		{"cut_unasked_for", load.KindClosedEarly, 200, &ran{[]int{7}, nil}, allowed{}, true},
		{"503_unrun", load.KindStatus, 503, nil, allowed{refusals: true}, false},
		{"503_and_run", load.KindStatus, 503, &ran{[]int{1}, nil}, allowed{refusals: true}, true},
		{"504_of_one_that_hangs", load.KindStatus, 504, &ran{[]int{1}, nil}, allowed{hangs: true}, false},
		{"504_of_one_that_waited", load.KindStatus, 504, nil, allowed{hangs: true}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			notes := map[key]*ran{{"/x", "0000000003"}: tt.ran}
			if tt.ran == nil {
				notes = nil
			}
			a := settle([]load.Outcome{{Number: 3, Route: "/x", Kind: tt.kind, Status: tt.status}}, notes, tt.may)
			if got := len(a.faults) > 0; got != tt.fault || a.asked != 1 {
				t.Errorf("%d asked, faults %v", a.asked, a.faults)
			}
		})
	}
}
