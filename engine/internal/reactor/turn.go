package reactor

import "time"

// Share is how long one party may go on at a time while others wait: a
// connection that reads, a long answer, accepting. What is left waits for its
// next [Turn].
const Share = int64(250 * time.Microsecond)

// batch is how long a loop runs turns, and again how long it runs posted
// functions, before it asks the poller for events.
const batch = int64(time.Millisecond)

// keepPosts is how many posted functions a loop keeps room for.
const keepPosts = 4096

// Turn is work that goes on later on the same loop, embedded in its owner. A loop
// runs the turns that wait in order, each once, and asks the poller for events
// before it runs one again. So work that never ends, an upload at full speed for
// one, delays others by its share and no more. Fn is set once by its owner;
// everything else belongs to the loop.
type Turn struct {
	Fn func() // runs on the loop, with the turn no longer waiting

	next, prev *Turn
}

// Waits reports whether t is going to run.
func (t *Turn) Waits() bool { return t.next != nil }

// turns is a ring of those that wait.
type turns struct {
	head Turn
	last Turn // while turns run: those behind it have been added since
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

// Again has t run after those that wait already, once the poller has been asked for
// events. A turn that waits keeps its place.
func (l *Loop) Again(t *Turn) {
	if !t.Waits() {
		t.link(&l.turns.head)
		l.remind()
	}
}

// Cancel keeps t from running. An owner that is about to go calls it.
func (l *Loop) Cancel(t *Turn) {
	if t.Waits() {
		t.unlink()
	}
}

// Spent returns for how many nanoseconds the event, turn or function at hand has
// had the loop.
func (l *Loop) Spent() int64 { return Clock() - l.now }

// remind has the poller report an event of the loop's own, so that it does not
// sleep while something waits.
func (l *Loop) remind() {
	if !l.reminded {
		l.reminded = true
		l.waker.wake()
	}
}

// chores runs what waits in the loop: functions that were posted, then turns. What
// they add waits until the poller has been asked again. It reports false when the
// loop is to end.
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

// runPosted runs functions in the order of their posts, as far as time allows. It
// reports true when the loop has been stopped and all of them have run.
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

// takePosted takes the functions that wait and reports whether they are the last.
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

// runTurns runs each turn that waits now, as far as time allows; the others keep
// their place.
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
