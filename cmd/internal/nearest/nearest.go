// Package nearest finds the name that a misspelled one probably means.
package nearest

// Name returns the candidate that name probably means; "" if none is close. Of equally close ones
// it takes the first.
func Name(name string, candidates []string) string {
	limit := 1
	switch {
	case len(name) > 64:
		return ""
	case len(name) > 10:
		limit = 3
	case len(name) > 6:
		limit = 2
	}
	best, bestAt := "", limit+1
	for _, candidate := range candidates {
		if at := distance(name, candidate, bestAt); at < bestAt {
			best, bestAt = candidate, at
		}
	}
	return best
}

// Within reports whether at most so many slips turn one name into the other.
func Within(a, b string, slips int) bool { return distance(a, b, slips) <= slips }

// distance returns the number of insertions, deletions, replacements and swaps of neighbours that
// turn a into b. It may return limit+1 for anything beyond limit.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	var rows [3][128]int // names are far shorter; longer ones are cut off
	a, b = a[:min(len(a), 120)], b[:min(len(b), 120)]
	before, last, now := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}
