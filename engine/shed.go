package engine

import "github.com/uwsgo/uwsgo/engine/internal/reactor"

// When connections hold all the memory they may, unfinished heads must not keep complete
// requests out: a client that sends heads byte by byte could block the server. So a loop lets a
// newcomer in and refuses its oldest unfinished heads instead.

// shedMost bounds the heads that are refused in one turn.
const shedMost = 64

// shedding is the state of that on one loop.
type shedding struct {
	turn       reactor.Turn // l.shed
	unfinished int          // connections with an unfinished head
	owed       int          // newcomers that were let in
}

// noRoom reports whether a new request, or the beginning of one, must be refused.
func (l *loop) noRoom() bool {
	if !l.srv.memoryFull() {
		return false
	}
	if l.heads.owed < l.heads.unfinished {
		l.heads.owed++
		l.Again(&l.heads.turn)
		return false
	}
	return l.srv.noRoom()
}

// shed refuses the oldest unfinished heads, as many as newcomers were let in.
func (l *loop) shed() {
	n := min(l.heads.owed, shedMost)
	l.heads.owed = 0
	for _, c := range l.oldest(n) {
		if !c.dead && c.partial {
			c.giveWay()
		}
	}
	_ = l.srv.noRoom() // for its warning
}

// oldest returns the n connections with the oldest unfinished heads.
func (l *loop) oldest(n int) []*conn {
	var found []*conn
	for _, c := range l.conns {
		if !c.partial || c.x == nil {
			continue
		}
		at := len(found)
		for at > 0 && c.x.started < found[at-1].x.started {
			at--
		}
		if at == n {
			continue
		}
		if len(found) < n {
			found = append(found, nil)
		}
		copy(found[at+1:], found[at:])
		found[at] = c
	}
	return found
}

// giveWay refuses the unfinished head of c.
func (c *conn) giveWay() {
	defer c.contain()
	c.keepHead()
	c.refuse(errBusy)
	if !c.dead {
		c.weigh()
	}
}
