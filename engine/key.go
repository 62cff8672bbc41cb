package engine

import "sync"

// Key names a value of type T that a package keeps on exchanges, for its own later use or for
// other packages. Make it once, with [NewKey], in a package variable.
type Key[T any] struct{ place int }

// mostKeys is how many keys a program may have.
const mostKeys = 64

var keys struct {
	mu    sync.Mutex
	empty [mostKeys]func(v any)
	count int
}

// NewKey makes a key. It panics beyond 64 keys: make one per package, not one per request.
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

// Of returns the value of x, zero at first. Only the loop may call it. The value is part of the
// exchange and ends with it, so it costs no allocation.
func (k Key[T]) Of(x *Exchange) *T {
	for len(x.values) <= k.place {
		x.values = append(x.values, nil)
	}
	v, ok := x.values[k.place].(*T)
	if !ok {
		v = new(T) // x keeps it for its next use
		x.values[k.place] = v
	}
	x.valued |= 1 << k.place
	return v
}

// emptyValues sets the values of x to zero for the next exchange.
func (x *Exchange) emptyValues() {
	for i, v := range x.values {
		if x.valued&(1<<i) != 0 {
			keys.empty[i](v)
		}
	}
	x.valued = 0
}
