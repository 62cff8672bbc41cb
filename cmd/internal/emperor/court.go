package emperor

import (
	"fmt"
	"slices"
	"time"
)

// Policy has the settings for all vassals.
type Policy struct {
	Throttle, MaxThrottle time.Duration // the pause before one that dies at once is started again grows by the first up to the second
	NoBlacklist           bool          // it does not grow
	Heartbeat             time.Duration // how long one with heartbeats may keep silent
	Curse                 time.Duration // how long one that is to stop may take
	Tyrant                bool          // vassals run as the owner of their file
	// AtOnce is how many may be starting at a time; 0 for any number.
	AtOnce int
}

const (
	// trial is the time after a start within which a death counts as a failure.
	trial = 10 * time.Second
	// slow is how long other vassals wait for one that is starting.
	slow = 5 * time.Second
)

// File is one configuration file as a monitor has found it.
type File struct {
	ID      string // its path
	Monitor string // what has found it
	Dir     string // where its server is started
	Name    string // as seen from there
	Mark    Mark   // of its content
	UID     int
	GID     int
	Demand  string // the address at which the first connection is waited for; empty to start at once
}

// Mark changes when a file is written, touched or replaced.
type Mark struct {
	Time     time.Time
	Dev, Ino uint64
}

// Act is a kind of order.
type Act uint8

// The acts.
const (
	Start     Act = iota // start a process
	Listen               // wait for a connection at File.Demand
	Renew                // tell it to reload
	End                  // tell it to stop
	Kill                 // kill it
	Dismissed            // it is forgotten: close what it had
)

// String names the act.
func (a Act) String() string {
	return [...]string{"start", "listen", "renew", "end", "kill", "dismissed"}[a]
}

// Order is one thing to do, now.
type Order struct {
	Act  Act
	File File
}

// state is how far a vassal has come.
type state uint8

const (
	waiting   state = iota // to be started, or to be listened for, when it is due
	listening              // its first connection starts it
	starting               // there is a process, which has not said that it is loyal
	running
	stopping
)

// Vassal is one file and its server.
type Vassal struct {
	File
	state    state
	due      time.Time // waiting: when it is; stopping: when it is killed
	gone     bool      // stopping: for good
	started  time.Time
	failures int // in a row

	// What is told of it.
	PID                     int
	Born, FirstRun          time.Time
	LastRun, CursedAt       time.Time
	Loyal, Ready, Accepting time.Time // since when; zero for not
	LastBeat                time.Time
	Respawns                int
	LastAttempt             time.Time
	FirstAttempt            time.Time
}

// Court decides. It belongs to one goroutine.
type Court struct {
	Policy
	Logf func(format string, args ...any)

	vassals map[string]*Vassal
	order   []string
	orders  []Order
	refused map[string]Mark // files that no vassal may have, of which the log tells once
	over    bool            // no vassal is started any more
}

// NewCourt makes a court without vassals.
func NewCourt(p Policy, logf func(string, ...any)) *Court {
	return &Court{Policy: p, Logf: logf, vassals: map[string]*Vassal{}, refused: map[string]Mark{}}
}

// Vassals returns all in the order in which they came.
func (c *Court) Vassals() []*Vassal {
	list := make([]*Vassal, len(c.order))
	for i, id := range c.order {
		list[i] = c.vassals[id]
	}
	return list
}

// Empty reports whether there is no vassal.
func (c *Court) Empty() bool { return len(c.order) == 0 }

// Scanned takes all files that a monitor has found.
func (c *Court) Scanned(now time.Time, monitor string, files []File) {
	if c.over {
		return
	}
	seen := map[string]bool{}
	for _, f := range files {
		f.Monitor = monitor
		v := c.vassals[f.ID]
		if v != nil && v.Monitor != monitor {
			continue // another has it
		}
		seen[f.ID] = true
		switch {
		case v == nil:
			c.add(now, f)
		case c.Tyrant && (v.UID != f.UID || v.GID != f.GID):
			if !v.gone {
				c.Logf("[emperor] !!! the owner of %s has changed. stopping the instance... !!!", v.Name)
			}
			c.dismiss(now, v)
		case v.gone:
		case v.Demand != f.Demand:
			c.Logf("[emperor] %s -> its on-demand address has changed. stopping the instance...", v.Name)
			c.dismiss(now, v)
		case v.Mark != f.Mark:
			v.File = f
			c.renew(now, v)
		}
	}
	for _, v := range c.Vassals() {
		if v.Monitor == monitor && !seen[v.ID] {
			c.dismiss(now, v)
		}
	}
}

// add takes a new vassal.
func (c *Court) add(now time.Time, f File) {
	if c.Tyrant && (f.UID == 0 || f.GID == 0) {
		if c.refused[f.ID] != f.Mark {
			c.Logf("[emperor-tyrant] invalid permissions for vassal %s: its file belongs to user %d and group %d, and nothing runs as root: chown it to the user that is meant", f.Name, f.UID, f.GID)
			c.refused[f.ID] = f.Mark
		}
		return
	}
	delete(c.refused, f.ID)
	c.vassals[f.ID] = &Vassal{File: f, due: now, Born: f.Mark.Time, FirstRun: now}
	c.order = append(c.order, f.ID)
}

// renew makes a vassal read its changed file.
func (c *Court) renew(now time.Time, v *Vassal) {
	switch v.state {
	case waiting:
		v.due, v.failures = now, 0 // the cause may have been mended
	case listening:
		c.Logf("[emperor] updated configuration for \"on demand\" instance %s", v.Name)
	case starting:
		// What it has read is old, and it may hang or fail for that: once more.
		c.Logf("[emperor] restart the uwsgi instance %s, which was starting", v.Name)
		v.failures = 0
		c.end(now, v)
	case running:
		c.Logf("[emperor] reload the uwsgi instance %s", v.Name)
		v.Respawns++
		v.LastRun, v.Ready, v.Accepting = now, time.Time{}, time.Time{}
		c.give(Renew, v)
	case stopping:
	}
}

// dismiss stops a vassal for good.
func (c *Court) dismiss(now time.Time, v *Vassal) {
	if v.gone {
		return
	}
	v.gone = true
	switch v.state {
	case waiting, listening:
		c.forget(v)
	case starting, running:
		c.Logf("[emperor] stop the uwsgi instance %s", v.Name)
		c.end(now, v)
	case stopping:
	}
}

func (c *Court) end(now time.Time, v *Vassal) {
	v.state, v.due, v.CursedAt = stopping, now.Add(c.Curse), now
	c.give(End, v)
}

func (c *Court) forget(v *Vassal) {
	c.Logf("[emperor] removed uwsgi instance %s", v.Name)
	c.give(Dismissed, v)
	delete(c.vassals, v.ID)
	c.order = slices.DeleteFunc(c.order, func(id string) bool { return id == v.ID })
}

func (c *Court) give(a Act, v *Vassal) { c.orders = append(c.orders, Order{a, v.File}) }

// Told takes a message of a vassal.
func (c *Court) Told(now time.Time, id string, what byte) {
	v := c.vassals[id]
	if v == nil || v.state != starting && v.state != running {
		return
	}
	switch what {
	case Spawned:
		v.Ready = now
		c.Logf("[emperor] vassal %s has been spawned", v.Name)
	case Accepting:
		v.Accepting = now
		c.Logf("[emperor] vassal %s is ready to accept requests", v.Name)
	case Loyal:
		v.state, v.Loyal = running, now
		c.Logf("[emperor] vassal %s is now loyal", v.Name)
	case Heartbeat:
		v.LastBeat = now
	case Leaving:
		c.Logf("[emperor] vassal %s asks to be stopped", v.Name)
		v.failures = 0
		c.end(now, v)
	}
}

// Connected says that a client connects to the address of an on-demand vassal.
func (c *Court) Connected(now time.Time, id string) {
	if v := c.vassals[id]; v != nil && v.state == listening {
		c.start(now, v)
	}
}

func (c *Court) start(now time.Time, v *Vassal) {
	v.state, v.started, v.LastRun = starting, now, now
	v.CursedAt, v.Loyal, v.Ready, v.Accepting, v.LastBeat = time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}
	c.give(Start, v)
}

// Died says that the process of a vassal has ended, or could not be started. how is for the log.
func (c *Court) Died(now time.Time, id, how string) {
	v := c.vassals[id]
	if v == nil {
		return
	}
	v.PID = 0
	asked := v.state == stopping
	if asked && v.gone || c.over {
		c.forget(v)
		return
	}
	v.state, v.due = waiting, now
	if asked {
		if v.Demand != "" {
			c.Logf("[emperor] %s -> back to \"on demand\" mode", v.Name)
		}
		return
	}
	v.Respawns++
	if !v.Loyal.IsZero() && now.Sub(v.started) >= trial {
		v.failures = 0
		c.Logf("[emperor] vassal %s has ended: %s", v.Name, how)
		return
	}
	if v.failures++; v.failures == 1 {
		v.FirstAttempt = now
	}
	v.LastAttempt = now
	pause := c.pause(v)
	v.due = now.Add(pause)
	if v.failures == 2 {
		c.Logf("[emperor] unloyal bad behaving vassal found: %s throttling it...", v.Name)
	}
	again := "started again at once"
	if pause > 0 {
		again = fmt.Sprintf("started again in %v, or when its file is touched", pause)
	}
	c.Logf("[emperor] vassal %s has ended soon after its start: %s: %s", v.Name, how, again)
}

// pause is how long a vassal that has failed waits.
func (c *Court) pause(v *Vassal) time.Duration {
	if c.NoBlacklist {
		return time.Second
	}
	return min(time.Duration(v.failures-1)*c.Throttle, max(c.Throttle, c.MaxThrottle))
}

// ReloadAll makes all vassals reload.
func (c *Court) ReloadAll(now time.Time) {
	for _, v := range c.Vassals() {
		c.renew(now, v)
	}
}

// Bury stops all for good.
func (c *Court) Bury(now time.Time) {
	c.over = true
	for _, v := range c.Vassals() {
		c.dismiss(now, v)
	}
}

// Insist sets the time at which stopping vassals are killed.
func (c *Court) Insist(at time.Time) {
	for _, v := range c.vassals {
		if v.state == stopping && v.due.After(at) {
			v.due = at
		}
	}
}

// Orders returns the orders that are due, and when to ask again; a zero time means not before
// something happens.
func (c *Court) Orders(now time.Time) (list []Order, next time.Time) {
	later := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	beginning := 0
	for _, v := range c.vassals {
		if v.state == starting && now.Sub(v.started) < slow {
			beginning++
			if c.AtOnce > 0 {
				later(v.started.Add(slow))
			}
		}
	}
	for _, v := range c.Vassals() {
		switch v.state {
		case waiting:
			switch {
			case v.due.After(now):
				later(v.due)
			case v.Demand != "":
				v.state = listening
				c.give(Listen, v)
			case c.AtOnce == 0 || beginning < c.AtOnce:
				beginning++
				c.start(now, v)
			}
		case stopping:
			if !v.due.After(now) {
				c.Logf("[emperor] vassal %s does not stop: killing it", v.Name)
				v.due = now.Add(c.Curse)
				c.give(Kill, v)
			}
			later(v.due)
		case starting, running:
			if v.LastBeat.IsZero() || c.Heartbeat == 0 {
				break
			}
			if end := v.LastBeat.Add(c.Policy.Heartbeat); end.After(now) {
				later(end)
				break
			}
			c.Logf("[emperor] vassal %s sent no heartbeat in last %d seconds, brutally respawning it...", v.Name, int(c.Heartbeat.Seconds()))
			v.LastBeat = time.Time{}
			c.give(Kill, v)
		case listening:
		}
	}
	list, c.orders = c.orders, nil
	return list, next
}

// Failed says that an order has failed: a process was not started, or an address not bound.
func (c *Court) Failed(now time.Time, id string, err error) {
	if v := c.vassals[id]; v != nil {
		c.Died(now, id, err.Error())
	}
}

// Started takes the process id of a vassal.
func (c *Court) Started(id string, pid int) {
	if v := c.vassals[id]; v != nil {
		v.PID = pid
	}
}
