package engine

// Corks collects the output of exchanges for a moment, so that pieces which come together go out
// together. It belongs to a loop, and its zero value is ready.
//
// Whoever corks uncorks before it returns to the loop: nothing else sends what waits.
type Corks struct {
	conns []corked
}

type corked struct {
	conn *conn
	gen  uint32
}

// Cork has what is written to x wait for Uncork.
func (k *Corks) Cork(x *Exchange) {
	c := x.conn
	if c == nil || c.corked || c.dead || c.broken {
		return
	}
	c.corked = true
	k.conns = append(k.conns, corked{c, c.gen})
}

// Uncork sends what waits.
func (k *Corks) Uncork() {
	for i, one := range k.conns {
		k.conns[i] = corked{}
		one.uncork()
	}
	k.conns = k.conns[:0]
}

func (one corked) uncork() {
	c := one.conn
	if c.gen != one.gen || c.dead {
		return
	}
	defer c.contain()
	c.uncork()
	if !c.dead {
		c.weigh()
	}
}
