package worker

import "time"

func (g *supervisor) recycle(time.Time) {}

func (g *supervisor) replaceNext() {
	if !g.chaining {
		return
	}
	if len(g.chain) == 0 {
		g.chaining = false
		g.pool.log("chain reloading complete")
		return
	}
	if g.spawn(g.chain[0], g.zygote) { // else once there is a place
		g.chain = g.chain[1:]
	}
}

func (c *Config) tick() time.Duration {
	if h := c.Harakiri; h > 0 {
		return min(max(h/4, 10*time.Millisecond), time.Second)
	}
	return 0
}
