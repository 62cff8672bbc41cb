package result

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func rounds(values ...float64) map[int]float64 {
	m := map[int]float64{}
	for i, v := range values {
		m[i+1] = v
	}
	return m
}

func TestCompare(t *testing.T) {
	lower, higher := Metric{Name: "cpu"}, Metric{Name: "rate", Higher: true}
	tests := []struct {
		name   string
		metric Metric
		a, b   map[int]float64
		want   Verdict
		value  float64
	}{
		{"less_is_better", lower, rounds(10, 11, 10, 12, 10), rounds(20, 22, 20, 24, 20), Better, 0.5},
		{"more_is_better", higher, rounds(30, 33, 30, 36, 30), rounds(20, 22, 20, 24, 20), Better, 1.5},
		{"more_is_worse", lower, rounds(30, 33, 30, 36, 30), rounds(20, 22, 20, 24, 20), Worse, 1.5},
		{"crosses_one", lower, rounds(10, 11, 9, 12, 10), rounds(10, 10, 10, 10, 10), NoDifference, 1},
		{"drift_cancels_out", lower, rounds(10, 20, 40, 80, 160), rounds(11, 22, 44, 88, 176), Better, 1 / 1.1},
		{"one_round_against_four", lower, rounds(9, 9, 9, 9, 11), rounds(10, 10, 10, 10, 10), NoDifference, 0.9},
		{"too_few_rounds", lower, rounds(10, 11, 10, 12), rounds(20, 22, 20, 24), Unknown, 0.5},
		{"measured_only_where_it_was_good", lower, map[int]float64{1: 10, 2: 10, 3: 10, 4: 10, 5: 10}, rounds(20, 20, 20, 20, 20, 20), Unknown, 0},
		{"other_rounds", lower, rounds(10, 10, 10, 10, 10), map[int]float64{2: 20, 3: 20, 4: 20, 5: 20, 6: 20}, Unknown, 0},
		{"larger_than_a_float", lower, rounds(1e308, 1e308, 1e308, 1e308, 1e308), rounds(1e-308, 1e-308, 1e-308, 1e-308, 1e-308), Unknown, 0},
		{"nothing_to_divide_by", lower, rounds(1, 1, 1, 1, 1), rounds(0, 1, 1, 1, 1), Unknown, 0},
		{"not_measured", lower, nil, nil, Unknown, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Compare(tt.metric, tt.a, tt.b)
			if (got.Verdict == Unknown) != (got.Why != "") {
				t.Errorf("%v because of %q", got.Verdict, got.Why)
			}
			if got.Verdict != tt.want || got.Value < tt.value*0.999 || got.Value > tt.value*1.001 {
				t.Errorf("got %+v, want %v with %.3f", got, tt.want, tt.value)
			}
			if again := Compare(tt.metric, tt.a, tt.b); again != got {
				t.Errorf("the same values gave %+v and then %+v", got, again)
			}
		})
	}
}

// Two servers that are the same must seldom be told apart, or nobody could
// believe the report where it tells two apart.
func TestCompareSeldomTellsEqualServersApart(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{5, 7, 10} {
		wrong := 0
		const tries = 200
		for range tries {
			a, b := map[int]float64{}, map[int]float64{}
			for i := range n {
				a[i], b[i] = 100+5*rng.NormFloat64(), 100+5*rng.NormFloat64()
			}
			if v := Compare(Metric{}, a, b).Verdict; v != NoDifference {
				wrong++
			}
		}
		if wrong > tries/8 { // by chance 1 in 16 with five rounds, fewer with more
			t.Errorf("%d rounds: %d of %d pairs of equal servers were told apart", n, wrong, tries)
		}
	}
}

func TestCompareRunsNeedsNoCommonRounds(t *testing.T) {
	older := map[int]float64{1: 20, 2: 21, 3: 20, 4: 22, 5: 21}
	newer := map[int]float64{6: 30, 7: 31, 8: 30, 9: 33, 10: 31, 11: 31}
	if r := CompareRuns(Metric{Name: "cpu"}, newer, older); r.Verdict != Worse || r.Low < 1.3 {
		t.Errorf("half as much again is %+v", r)
	}
	if r := CompareRuns(Metric{Name: "cpu"}, older, older); r.Verdict != NoDifference {
		t.Errorf("the same values are %+v", r)
	}
}

func TestSpreadOf(t *testing.T) {
	tests := []struct {
		name string
		give map[int]float64
		want Spread
	}{
		{"none", nil, Spread{}},
		{"odd", rounds(9, 1, 5), Spread{5, 1, 9, 3}},
		{"even", rounds(4, 1, 2, 100), Spread{3, 1, 100, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := SpreadOf(tt.give); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestCoverage(t *testing.T) {
	for n, want := range map[int]float64{0: 0, 1: 0, 2: 0.5, 5: 0.9375, 6: 0.96875, 7: 0.984375, 8: 0.99, 100: 0.99} {
		if got := Coverage(n); got != want {
			t.Errorf("%d rounds: %g, want %g", n, got, want)
		}
	}
}

// What the report says of its intervals must hold for any number of rounds.
func TestIntervalsHoldTheMedianAsOftenAsTheySay(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{5, 7, 8, 9, 12} {
		const tries = 300
		missed := 0
		for range tries {
			a, b := map[int]float64{}, map[int]float64{}
			for i := range n {
				a[i], b[i] = 2*math.Exp(rng.NormFloat64()), 1
			}
			if r := Compare(Metric{}, a, b); r.Low > 2 || r.High < 2 {
				missed++
			}
		}
		wrong := (1 - Coverage(n)) * tries
		if limit := wrong + 3*math.Sqrt(wrong); float64(missed) > limit {
			t.Errorf("%d rounds: %d of %d intervals missed the median, at most %.0f may", n, missed, tries, limit)
		}
	}
}

// The middle that is counted is the one that sorting finds.
func TestResampler(t *testing.T) {
	for n := 1; n <= 12; n++ {
		sorted := make([]float64, n)
		for i := range sorted {
			sorted[i] = float64(i * i)
		}
		draw := resampler(sorted)
		counted, plain := rand.New(rand.NewPCG(3, 4)), rand.New(rand.NewPCG(3, 4))
		for range 200 {
			drawn := make([]float64, n)
			for i := range drawn {
				drawn[i] = sorted[plain.IntN(n)]
			}
			slices.Sort(drawn)
			if got, want := draw(counted), median(drawn); got != want {
				t.Fatalf("of %v: %g, want %g", drawn, got, want)
			}
		}
	}
}
