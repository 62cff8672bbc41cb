package engine

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// budget is what the connections of a server hold together, and may hold: memory and
// descriptors. Any goroutine may use it.
type budget struct {
	maxMemory int64
	maxFiles  int64 // connections and files together

	memory atomic.Int64 // bytes: heads, bodies, further requests, output
	peak   atomic.Int64 // the most that memory has been since it was last given back
	files  atomic.Int64 // open files of bodies and answers
	full   atomic.Bool  // an acceptor waits for a descriptor

	giving atomic.Bool  // giveBack is going to run
	given  atomic.Int64 // when it last ran
	said   [saidCount]atomic.Int64
}

// Bounds of what one body or connection adds once half of the memory is held.
const (
	tightBody = 4 << 10 // a larger body goes to its file
	holdStep  = 64 << 10
)

// hold counts n bytes more, or less where n is negative.
func (b *budget) hold(n int64) {
	now := b.memory.Add(n)
	switch peak := b.peak.Load(); {
	case now > peak:
		b.peak.Store(now)
	case n < 0 && peak >= giveAbove && now < peak/4 && b.giving.CompareAndSwap(false, true):
		wait := giveDelay
		if last := b.given.Load(); last != 0 {
			wait = max(wait, giveEach-(time.Since(started)-time.Duration(last)))
		}
		time.AfterFunc(wait, b.giveBack)
	}
}

// memoryFull reports whether all the memory that may be held is.
func (b *budget) memoryFull() bool { return b.memory.Load() >= b.maxMemory }

// memoryTight reports whether half of it is, so that it should be saved.
func (b *budget) memoryTight() bool { return b.memory.Load() >= b.maxMemory/2 }

// When memory is given back to the system: a while after so much has been held, and
// most of it let go. The runtime by itself would take minutes.
const (
	giveAbove = 32 << 20
	giveDelay = time.Second
	giveEach  = 10 * time.Second
)

var started = time.Now()

// giveBack frees what buffers have left behind and returns it to the system. It takes
// some 0.1 s of CPU for a gigabyte, on a goroutine of its own.
func (b *budget) giveBack() {
	if b.memory.Load() < b.peak.Load()/4 {
		runtime.GC() // what pools keep is free after a second one
		debug.FreeOSMemory()
		b.peak.Store(b.memory.Load())
	}
	b.given.Store(int64(time.Since(started)))
	b.giving.Store(false)
}

// What is said to the operator at most once in a while.
const (
	sayMemory = iota
	sayFiles
	sayTempDir
	sayNoSpace
	saidCount
)

const sayEach = 10 * time.Second

// maySay reports whether it is time to say something of that kind again.
func (b *budget) maySay(what int) bool {
	now := int64(time.Since(started)) + 1
	last := b.said[what].Load()
	return (last == 0 || now-last > int64(sayEach)) && b.said[what].CompareAndSwap(last, now)
}

// takeFile counts one file more, unless that would be too many: an eighth of the
// descriptors is for files alone, and of the rest they leave an eighth, so that new
// connections are accepted, and served or refused, beside uploads that take all they can.
func (s *Server) takeFile() bool {
	share := s.maxFiles / 8
	if n := s.files.Add(1); n <= share || n+s.conns.Load() <= s.maxFiles-share {
		return true
	}
	s.giveFile()
	if s.maySay(sayFiles) {
		s.opt.Logf("connections and files take the %d descriptors that they may: requests that need a file are answered 503: raise the limit on open files (ulimit -n)", s.maxFiles)
	}
	return false
}

// giveFile takes note that a file has been closed.
func (s *Server) giveFile() {
	s.files.Add(-1)
	if s.full.Load() {
		s.roomAgain()
	}
}

// noRoom reports whether a new request has to be refused, as the connections hold all
// the memory that they may.
func (s *Server) noRoom() bool {
	if !s.memoryFull() {
		return false
	}
	if s.maySay(sayMemory) {
		s.opt.Logf("connections hold all %d MiB of memory that they may: new requests are answered 503 (%d connections are open)", s.maxMemory>>20, s.conns.Load())
	}
	return true
}

// Reserve counts n bytes that a handler is going to hold for x elsewhere than in its
// response, and returns what gives them back: call that once, on any goroutine. It returns
// nil where so much would be more than half of what may be held: then do without.
func (x *Exchange) Reserve(n int64) (free func()) {
	s := x.loop.srv
	if s.memory.Load()+n > s.maxMemory/2 {
		return nil
	}
	s.hold(n)
	return func() { s.hold(-n) }
}

// hold counts bytes of a connection. What loops share is touched once for many of them.
func (l *loop) hold(n int) {
	l.weight += n
	if l.weight >= holdStep || l.weight <= -holdStep {
		l.srv.hold(int64(l.weight))
		l.weight = 0
	}
}

// weigh counts what the connection holds now.
func (c *conn) weigh() {
	n := 0
	if c.in != nil {
		n += cap(c.in.B)
	}
	if c.out != nil {
		n += cap(c.out.B)
	}
	if c.x != nil {
		n += cap(c.x.head)
	}
	if c.tls != nil && !c.dead {
		n += tlsWeight + c.tls.pending()
	}
	if n != c.weight {
		c.loop.hold(n - c.weight)
		c.weight = n
	}
	if partial := c.in != nil && c.read == readHead && !c.closing && !c.dead; partial != c.partial {
		c.partial = partial
		if partial {
			c.loop.heads.unfinished++
		} else {
			c.loop.heads.unfinished--
		}
	}
}
