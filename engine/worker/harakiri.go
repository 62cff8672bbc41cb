package worker

import (
	"fmt"
	"time"
)

// harakiri looks for requests that have run for too long. The loop that one belongs
// to answers its client, then the process is killed; what else it had fails as with
// any death.
func (g *supervisor) harakiri() {
	limit := int64(g.pool.config.Harakiri)
	now := monotonic()
	if limit <= 0 {
		return
	}
	for _, c := range g.cores() {
		id, since := g.shared.claim(c.index)
		if id == 0 || now-since < limit || c.process.killing.Swap(true) {
			continue
		}
		c.process.worker.harakiri.Add(1)
		started := time.Now().Add(-time.Duration(now - since))
		port := g.ports[0]
		if id < finishing {
			port = g.ports[min(int(id>>loopShift), len(g.ports)-1)]
		}
		if port.loop.Post(func() { port.harakiri(c, uint32(id), id < finishing, started) }) != nil {
			g.fault(c)
		}
	}
}

// cores returns those of living processes.
func (g *supervisor) cores() (list []*Core) {
	for _, p := range g.places {
		if p.alive && !p.is(Dead) {
			list = append(list, p.cores...)
		}
	}
	return list
}

// harakiri fails a late request and has its worker killed. The request that is
// named may have ended just now; a worker that hangs after its answer has none.
func (p *Port) harakiri(c *Core, id uint32, unanswered bool, started time.Time) {
	w := c.process
	what := "-"
	var s *slot
	var since, asked int64
	if unanswered {
		var current uint64
		current, since = p.sup.shared.claim(c.index)
		if s = p.slot(id); s == nil || s.state < slotSent || current != uint64(id) {
			w.killing.Store(false)
			w.worker.harakiri.Add(^uint64(0))
			return
		}
		asked = s.askedAt
		if d, ok := s.client.(Describer); ok {
			what = d.Describe()
		}
	}
	log := p.pool.log
	log(fmt.Sprintf("*** HARAKIRI ON WORKER %d (pid: %d, try: 1, graceful: no) ***", w.worker.number, w.pid.Load()))
	log(fmt.Sprintf("HARAKIRI !!! worker %d status !!!", w.worker.number))
	log(fmt.Sprintf("HARAKIRI [core %d] %s since %d", c.id, what, started.Unix()))
	log(fmt.Sprintf("HARAKIRI !!! end of worker %d status !!!", w.worker.number))
	log(fmt.Sprintf("HARAKIRI triggered by worker %d core %d !!!", w.worker.number, c.id))
	if s != nil && s.client != nil {
		client := s.client
		s.client, s.body = nil, nil // the slot goes with the process
		p.waited = time.Duration(since - p.clock - asked)
		client.Fail(ErrHarakiri)
	}
	p.sup.fault(c)
}
