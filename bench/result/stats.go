package result

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

// Spread is the median of some values between the least and the greatest.
type Spread struct {
	Median, Min, Max float64
	N                int // how many values; 0: the others mean nothing
}

// SpreadOf gives the spread of the values of a metric over the rounds.
func SpreadOf(values map[int]float64) Spread {
	sorted := slices.Sorted(maps.Values(values))
	if len(sorted) == 0 {
		return Spread{}
	}
	return Spread{median(sorted), sorted[0], sorted[len(sorted)-1], len(sorted)}
}

// Verdict says what may be concluded from a comparison.
type Verdict int

// The verdicts of a comparison of one server with another.
const (
	Unknown      Verdict = iota // too few rounds, or a value that no ratio can be made of
	NoDifference                // the interval of the ratio holds 1
	Better
	Worse
)

func (v Verdict) String() string {
	return [...]string{"unknown", "no difference", "better", "worse"}[v]
}

// Ratio compares a metric of two servers: the median of the ratios, and the interval that
// contains it with the confidence Coverage.
type Ratio struct {
	Value, Low, High float64
	Verdict          Verdict
	Why              string // the verdict is Unknown, in a few words; may be empty
}

func (r Ratio) String() string {
	switch r.Verdict {
	case Unknown:
		return "–"
	case NoDifference:
		return "no difference"
	default:
		return fmt.Sprintf("%.2f× (%.2f–%.2f)", r.Value, r.Low, r.High)
	}
}

const (
	// MinRounds is how many rounds a verdict needs. With fewer the order of two
	// equal servers would often be the same in every round by chance: with 5 that
	// happens once in 16.
	MinRounds = 5
	// Confidence of the intervals, given enough rounds. It is 99 % rather than 95 %, because a
	// report has many comparisons and some would be wrong by chance.
	Confidence = 0.99
	resamples  = 10_000
)

// Coverage is the confidence of the interval of n rounds. An interval of a median reaches at
// most from the least to the greatest value. Both lie on the same side of the true one in 1 of
// 2^(n-1) cases.
func Coverage(n int) float64 {
	return max(0, min(Confidence, 1-math.Pow(2, 1-float64(n))))
}

// SameRounds tells whether two servers have values of the same rounds. One that
// could not be measured in some of them would be judged by its good ones.
func SameRounds(a, b map[int]float64) bool {
	return maps.EqualFunc(a, b, func(float64, float64) bool { return true })
}

// Compare compares a with b, both measured in the same rounds. Each round gives one ratio, so a
// slow moment of the machine affects both of its sides. The interval is the percentile
// bootstrap over rounds, and at least as wide as the order statistics that contain the median
// with the confidence Coverage. The same values always give the same interval.
func Compare(m Metric, a, b map[int]float64) Ratio {
	if len(a) == 0 || len(b) == 0 {
		return Ratio{Why: "not measured"}
	}
	if !SameRounds(a, b) {
		return Ratio{Why: "not the same rounds"}
	}
	var ratios []float64
	for _, round := range slices.Sorted(maps.Keys(a)) {
		if b[round] <= 0 || a[round] <= 0 {
			return Ratio{Why: "a value of zero"}
		}
		ratios = append(ratios, a[round]/b[round])
	}
	sorted := slices.Sorted(slices.Values(ratios))
	i := outer(len(sorted))
	draw := resampler(sorted)
	if i == 0 {
		draw = nil // no draw lies outside the least and the greatest value
	}
	r := conclude(len(ratios), median(sorted), draw)
	switch {
	case r.Why != "":
	case i == 0:
		r.Low, r.High = sorted[0], sorted[len(sorted)-1]
	default:
		r.Low, r.High = min(r.Low, sorted[i]), max(r.High, sorted[len(sorted)-1-i])
	}
	return r.judge(m)
}

// outer tells how many of n sorted values may be left out at either end, so that
// the others still hold the median with the confidence Coverage. The bootstrap of
// eight rounds and more leaves out too many: 99 % would be 96 %.
func outer(n int) int {
	// chance that at most i of n values lie below the median, from the binomial
	// distribution.
	one := math.Pow(2, -float64(n))
	chance := one
	for i := 0; ; i++ {
		one *= float64(n-i) / float64(i+1) // of exactly i+1
		chance += one
		if i+1 > n/2 || 1-2*chance < Coverage(n) {
			return i
		}
	}
}

// CompareRuns compares the values of a newer run with those of an older one. Their rounds are
// independent.
func CompareRuns(m Metric, newer, older map[int]float64) Ratio {
	a, b := slices.Sorted(maps.Values(newer)), slices.Sorted(maps.Values(older))
	if len(a) == 0 || len(b) == 0 {
		return Ratio{Why: "not measured"}
	}
	if a[0] <= 0 || b[0] <= 0 {
		return Ratio{Why: "a value of zero"}
	}
	drawA, drawB := resampler(a), resampler(b)
	return conclude(min(len(a), len(b)), median(a)/median(b), func(rng *rand.Rand) float64 {
		return drawA(rng) / drawB(rng)
	}).judge(m)
}

// conclude finds the interval of a ratio from draws, if there is a function for
// them. It gives no verdict, or says why there can be none.
func conclude(rounds int, value float64, draw func(*rand.Rand) float64) Ratio {
	if math.IsNaN(value) || math.IsInf(value, 0) || value == 0 { // of values near the limits of a float
		return Ratio{Why: "no ratio of such values"}
	}
	if rounds < MinRounds {
		return Ratio{Value: value, Why: "too few rounds"}
	}
	if draw == nil {
		return Ratio{Value: value}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	draws := make([]float64, resamples)
	for i := range draws {
		draws[i] = draw(rng)
	}
	slices.Sort(draws)
	tail := int(float64(resamples) * (1 - Confidence) / 2)
	return Ratio{Value: value, Low: draws[tail], High: draws[resamples-1-tail]}
}

// judge adds the verdict, unless there is a reason against any.
func (r Ratio) judge(m Metric) Ratio {
	switch {
	case r.Why != "":
	case r.Low <= 1 && 1 <= r.High:
		r.Verdict = NoDifference
	case (r.Low > 1) == m.Higher:
		r.Verdict = Better
	default:
		r.Verdict = Worse
	}
	return r
}

// resampler gives a function for the median of as many values drawn from sorted
// ones, with replacement. It counts how often each is drawn, which finds the middle
// without sorting.
func resampler(sorted []float64) func(*rand.Rand) float64 {
	n := len(sorted)
	counts := make([]int, n)
	return func(rng *rand.Rand) float64 {
		clear(counts)
		for range n {
			counts[rng.IntN(n)]++
		}
		lower, seen, i := 0.0, 0, 0
		for ; ; i++ {
			if seen += counts[i]; seen >= (n+1)/2 {
				lower = sorted[i]
				break
			}
		}
		if n%2 == 1 {
			return lower
		}
		for seen < n/2+1 {
			i++
			seen += counts[i]
		}
		return (lower + sorted[i]) / 2
	}
}

// median gives the middle of sorted values, and 0 of none.
func median(sorted []float64) float64 {
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
