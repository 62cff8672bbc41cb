package supervisor

import (
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/control"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// userHarakiri is the limit that a request has set by uwsgi.set_user_harakiri. It counts from
// that call, in addition to other limits.
type userHarakiri struct {
	id uint64 // of the request
	at int64  // its deadline on CLOCK_MONOTONIC; 0 for none
}

// within returns how long a request that began at since may run: limit, or less.
func (u userHarakiri) within(limit, since int64) int64 {
	if u.at == 0 {
		return limit
	}
	own := max(u.at-since, 1)
	if limit <= 0 || own < limit {
		return own
	}
	return limit
}

// ownEach is how often such limits are checked, and ownMost the longest limit.
const (
	ownEach = 250 * time.Millisecond
	ownMost = 1000 * time.Hour
)

// userHarakiri is the service of uwsgi.set_user_harakiri: (core, id of the request, seconds),
// where 0 seconds removes the limit.
func (g *Supervisor) userHarakiri(peer *control.Peer, args []any) (any, error) {
	var n [3]int
	for i := range n {
		if i < len(args) {
			n[i], _ = args[i].(int)
		}
	}
	core, id, seconds := n[0], n[1], n[2]
	if len(args) != len(n) || core < 0 || core >= g.config.Threads || id <= 0 || id >= shared.Finishing {
		return nil, control.Refuse("this takes a core, a request and seconds")
	}
	own := userHarakiri{id: uint64(id)}
	if seconds > 0 {
		own.at = shared.Monotonic() + int64(min(time.Duration(seconds)*time.Second, ownMost))
	}
	g.post(func() { g.judge.setOwn(peer, core, own) })
	return nil, nil
}

// setOwn notes the limit that a request has set.
func (j *judge) setOwn(peer *control.Peer, core int, own userHarakiri) {
	for _, p := range j.g.fleet.places {
		if p.alive && p.peer == peer {
			p.threads[core].own = own
		}
	}
	if j.ownTick == nil {
		j.ownTick = time.NewTicker(ownEach).C
	}
}
