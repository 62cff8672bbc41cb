package result

import (
	"fmt"
	"maps"
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

// Ratio compares a metric of one server with that of another: the median of the
// ratios, and the interval that holds it with the confidence Confidence.
type Ratio struct {
	Value, Low, High float64
	Verdict          Verdict
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
	// Confidence of the intervals. 99 % rather than 95 %: a report holds many
	// comparisons, and some would be wrong by chance.
	Confidence = 0.99
	resamples  = 10_000
)

// Compare compares a with b, both measured in the same rounds. Each round gives
// one ratio, so what slows the machine for a while weighs on both sides of it;
// the interval is the percentile bootstrap over rounds. The same values always
// give the same interval.
func Compare(m Metric, a, b map[int]float64) Ratio {
	var ratios []float64
	for _, round := range slices.Sorted(maps.Keys(a)) {
		if base, ok := b[round]; ok {
			if base <= 0 || a[round] <= 0 {
				return Ratio{}
			}
			ratios = append(ratios, a[round]/base)
		}
	}
	return conclude(m, len(ratios), median(slices.Sorted(slices.Values(ratios))), func(rng *rand.Rand) float64 {
		return resample(rng, ratios)
	})
}

// CompareRuns compares the values of a newer run with those of an older one,
// whose rounds have nothing to do with each other.
func CompareRuns(m Metric, newer, older map[int]float64) Ratio {
	a, b := slices.Sorted(maps.Values(newer)), slices.Sorted(maps.Values(older))
	if len(a) == 0 || len(b) == 0 || a[0] <= 0 || b[0] <= 0 {
		return Ratio{}
	}
	return conclude(m, min(len(a), len(b)), median(a)/median(b), func(rng *rand.Rand) float64 {
		return resample(rng, a) / resample(rng, b)
	})
}

func conclude(m Metric, rounds int, value float64, draw func(*rand.Rand) float64) Ratio {
	if rounds < MinRounds {
		return Ratio{Value: value}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	draws := make([]float64, resamples)
	for i := range draws {
		draws[i] = draw(rng)
	}
	slices.Sort(draws)
	tail := int(float64(resamples) * (1 - Confidence) / 2)
	r := Ratio{Value: value, Low: draws[tail], High: draws[resamples-1-tail]}
	switch {
	case r.Low <= 1 && 1 <= r.High:
		r.Verdict = NoDifference
	case (r.Low > 1) == m.Higher:
		r.Verdict = Better
	default:
		r.Verdict = Worse
	}
	return r
}

// resample gives the median of as many values drawn from values, with replacement.
func resample(rng *rand.Rand, values []float64) float64 {
	drawn := make([]float64, len(values))
	for i := range drawn {
		drawn[i] = values[rng.IntN(len(values))]
	}
	slices.Sort(drawn)
	return median(drawn)
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
