package reactor

import "time"

// Share is how long one party may run at a time while others wait: a connection that reads, a
// long answer, accepting. The rest of its work waits for its next [Turn].
const Share = int64(250 * time.Microsecond)

// batch is how long a loop runs turns, and how long it runs posted functions, before it polls
// for events.
const batch = int64(time.Millisecond)

// keepPosts is how many posted functions a loop keeps room for.
const keepPosts = 4096

// Turn is long work on a loop, embedded in its owner. A loop runs each waiting turn once, in
// order, and polls for events before the next round. So endless work, such as an upload at full
// speed, delays others by its share only. The owner sets Fn once; all other fields belong to
// the loop.
type Turn struct {
	Fn func() // runs on the loop, with the turn no longer waiting

	next, prev *Turn
}

// Waits reports whether t waits to run.
func (t *Turn) Waits() bool { return t.next != nil }

// turns is a ring of waiting turns.
type turns struct {
	head Turn
	last Turn // while turns run: marks the end of this round
}

func (q *turns) init() { q.head.next, q.head.prev = &q.head, &q.head }

func (q *turns) empty() bool { return q.head.next == &q.head }

func (t *Turn) link(before *Turn) {
	t.prev, t.next = before.prev, before
	t.prev.next, before.prev = t, t
}

func (t *Turn) unlink() {
	t.prev.next, t.next.prev = t.next, t.prev
	t.next, t.prev = nil, nil
}

// Again queues t behind the waiting turns. It runs after the next poll for events. A turn that
// waits already keeps its place.
func (l *Loop) Again(t *Turn) {
	if !t.Waits() {
		t.link(&l.turns.head)
		l.remind()
	}
}

// Cancel takes t out of the queue. Its owner calls it before it goes away.
func (l *Loop) Cancel(t *Turn) {
	if t.Waits() {
		t.unlink()
	}
}

// Spent returns for how many nanoseconds the present event, turn or function has had the loop.
func (l *Loop) Spent() int64 { return Clock() - l.now }

// remind makes the poller report an event of the loop's own, so that the loop does not sleep
// while work waits.
func (l *Loop) remind() {
	if !l.reminded {
		l.reminded = true
		l.waker.wake()
	}
}

// chores runs posted functions, then turns. Work that they add waits for the next round. It
// reports false when the loop must end.
func (l *Loop) chores() bool {
	l.reminded = false
	ended := l.runPosted()
	if ended {
		return false
	}
	l.runTurns()
	l.tick()
	if !l.turns.empty() {
		l.remind()
	}
	return true
}

// runPosted runs posted functions in order, for at most batch. It reports true when the loop
// has been stopped and all of them have run.
func (l *Loop) runPosted() (ended bool) {
	if l.postAt < len(l.posts) {
		l.remind() // others may have been posted since those were taken
	} else {
		ended = l.takePosted()
	}
	l.clock()
	for end := l.now + batch; l.postAt < len(l.posts) && (ended || l.now < end); {
		fn := l.posts[l.postAt]
		l.posts[l.postAt] = nil
		l.postAt++
		l.protect(fn)
	}
	if l.postAt < len(l.posts) {
		l.remind()
	}
	return ended
}

// takePosted takes the waiting functions and reports whether they are the last.
func (l *Loop) takePosted() (ended bool) {
	l.postAt = 0
	if l.posts = l.posts[:0]; cap(l.posts) > keepPosts {
		l.posts = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posts, l.posted = l.posted, l.posts
	l.woken = false
	return l.stopped
}

// runTurns runs each waiting turn, for at most batch. The others keep their place.
func (l *Loop) runTurns() {
	if l.turns.empty() {
		return
	}
	last := &l.turns.last
	last.link(&l.turns.head)
	l.clock()
	for end := l.now + batch; l.turns.head.next != last && l.now < end; {
		t := l.turns.head.next
		t.unlink()
		l.protect(t.Fn)
	}
	last.unlink()
}
