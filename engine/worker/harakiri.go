package worker

import (
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/supervisor"
)

// harakiri fails a late request, unless it has just ended, and tells the supervisor. A worker
// that hangs after its answer has no request.
func (p *Port) harakiri(c *Core, claim supervisor.Claim, age time.Duration) {
	what := "-"
	if id, since := p.plane.shared.Claim(c.index); id != claim.ID || since != claim.Since {
		return
	}
	var client Client
	var waited time.Duration
	if id := uint32(claim.ID); claim.ID < finishing {
		s := p.slot(id)
		if s == nil || s.state < slotSent || claim.Since < s.sentAt+p.clock {
			return
		}
		if client = s.client; client != nil {
			what = p.describe(client)
			waited = time.Duration(claim.Since - p.clock - s.askedAt)
			p.Cancel(id) // the slot is vacated with the process
		}
	}
	c.process.Worker.Harakiri.Add(1)
	p.plane.sup.Confess(c.process, c.id, what, age)
	if client != nil {
		p.waited = waited
		p.tellFail(client, ErrHarakiri)
	}
}
