package engine

import "sync"

// Key names a value of type T that a package keeps on exchanges: what a layer or handler
// wants to know later, or another package to ask for. Make it once, with [NewKey], in a
// variable of the package.
type Key[T any] struct{ place int }

// mostKeys is how many keys a program may have.
const mostKeys = 64

var keys struct {
	mu    sync.Mutex
	empty [mostKeys]func(v any)
	count int
}

// NewKey makes a key. It panics when there are too many: a key is for a package, not for a
// request.
func NewKey[T any]() Key[T] {
	keys.mu.Lock()
	defer keys.mu.Unlock()
	if keys.count == mostKeys {
		panic("engine: more than 64 keys: make them in variables of a package")
	}
	k := Key[T]{keys.count}
	keys.empty[k.place] = func(v any) {
		var zero T
		*v.(*T) = zero
	}
	keys.count++
	return k
}

// Of returns the value of x, which is zero at first. It is for the loop, as x is, and goes
// with the exchange, of which it is a part: keeping it costs no allocation.
func (k Key[T]) Of(x *Exchange) *T {
	for len(x.values) <= k.place {
		x.values = append(x.values, nil)
	}
	v, ok := x.values[k.place].(*T)
	if !ok {
		v = new(T) // stays with x when that is used again
		x.values[k.place] = v
	}
	x.valued |= 1 << k.place
	return v
}

// emptyValues makes the values of x those of an exchange that begins.
func (x *Exchange) emptyValues() {
	for i, v := range x.values {
		if x.valued&(1<<i) != 0 {
			keys.empty[i](v)
		}
	}
	x.valued = 0
}
