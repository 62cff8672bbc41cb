package engine

// Corks collects the output of exchanges for a moment, so that pieces of one read leave in one
// write. It belongs to a loop. Its zero value is ready to use.
//
// Call Uncork before you return to the loop: nothing else sends the collected output.
type Corks struct {
	conns []corked
}

type corked struct {
	conn *conn
	gen  uint32
}

// Cork holds back the output of x until Uncork.
func (k *Corks) Cork(x *Exchange) {
	c := x.conn
	if c == nil || c.corked || c.dead || c.broken {
		return
	}
	c.corked = true
	k.conns = append(k.conns, corked{c, c.gen})
}

// Uncork sends the collected output.
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
