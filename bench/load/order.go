package load

import "math/rand/v2"

// minOrder is the least length of an order, so that rare routes do not come at a
// regular distance.
const minOrder = 1024

// newOrder lists routes, by index, as often as their weights say, shuffled. The n-th request
// takes the route at n modulo the length. So shares are exact over each round, and the same
// seed gives every server the same requests in the same order.
func newOrder(routes []Route, seed uint64) []uint16 {
	total := 0
	for _, r := range routes {
		total += r.Weight
	}
	repeat := 1
	if len(routes) > 1 {
		repeat = (minOrder + total - 1) / total
	}
	order := make([]uint16, 0, repeat*total)
	for i, r := range routes {
		for range repeat * r.Weight {
			order = append(order, uint16(i))
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}
