package engine

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// budget counts and bounds the memory and descriptors that all connections of a server hold.
// Any goroutine may use it.
type budget struct {
	maxMemory int64
	maxFiles  int64 // connections and files together

	memory atomic.Int64 // bytes: heads, bodies, further requests, output
	peak   atomic.Int64 // the highest memory since giveBack last ran
	files  atomic.Int64 // open files of bodies and answers
	full   atomic.Bool  // an acceptor waits for a descriptor

	giving atomic.Bool  // giveBack is due to run
	given  atomic.Int64 // when it last ran
	said   [saidCount]atomic.Int64
}

// Bounds that save memory once half of it is held.
const (
	tightBody = 4 << 10 // a larger body goes to its file
	holdStep  = 64 << 10
)

// hold counts n bytes more, or fewer when n is negative.
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

// memoryFull reports whether connections hold all the memory they may.
func (b *budget) memoryFull() bool { return b.memory.Load() >= b.maxMemory }

// memoryTight reports whether connections hold half of it and should save memory.
func (b *budget) memoryTight() bool { return b.memory.Load() >= b.maxMemory/2 }

// Memory goes back to the system when at least giveAbove was held and three quarters of it are
// free again. The Go runtime alone would take minutes.
const (
	giveAbove = 32 << 20
	giveDelay = time.Second
	giveEach  = 10 * time.Second
)

var started = time.Now()

// giveBack collects freed buffers and returns their memory to the system. It takes about 0.1 s
// of CPU per gigabyte, on a goroutine of its own.
func (b *budget) giveBack() {
	if b.memory.Load() < b.peak.Load()/4 {
		runtime.GC() // FreeOSMemory runs a second one, which frees the pools
		debug.FreeOSMemory()
		b.peak.Store(b.memory.Load())
	}
	b.given.Store(int64(time.Since(started)))
	b.giving.Store(false)
}

// Warnings that are logged at most once every sayEach.
const (
	sayMemory = iota
	sayFiles
	sayTempDir
	sayNoSpace
	saidCount
)

const sayEach = 10 * time.Second

// maySay reports whether a warning of that kind is due again.
func (b *budget) maySay(what int) bool {
	now := int64(time.Since(started)) + 1
	last := b.said[what].Load()
	return (last == 0 || now-last > int64(sayEach)) && b.said[what].CompareAndSwap(last, now)
}

// takeFile counts one more file, or reports false when there are too many. An eighth of the
// descriptors is for files alone. Files leave an eighth of the rest to connections, so uploads
// never keep new clients out.
func (s *Server) takeFile() bool {
	share := s.maxFiles / 8
	if n := s.files.Add(1); n <= share || n+s.conns.Load() <= s.maxFiles-share {
		return true
	}
	s.giveFile()
	if s.maySay(sayFiles) {
		s.opt.Logf("connections and files use all %d descriptors they may: requests that need a file get 503; raise the limit on open files (ulimit -n)", s.maxFiles)
	}
	return false
}

// giveFile counts one file less.
func (s *Server) giveFile() {
	s.files.Add(-1)
	if s.full.Load() {
		s.roomAgain()
	}
}

// noRoom reports whether connections hold all the memory they may, so that new requests are
// refused.
func (s *Server) noRoom() bool {
	if !s.memoryFull() {
		return false
	}
	if s.maySay(sayMemory) {
		s.opt.Logf("connections hold all %d MiB of memory they may (MaxMemory, limit-buffers): new requests get 503 (%d connections are open)", s.maxMemory>>20, s.conns.Load())
	}
	return true
}

// Reserve counts n bytes that a handler holds for x outside its response. Call free once, on
// any goroutine. Reserve returns nil when the server would hold more than half of its memory:
// then do without.
func (x *Exchange) Reserve(n int64) (free func()) {
	s := x.loop.srv
	if s.memory.Load()+n > s.maxMemory/2 {
		return nil
	}
	s.hold(n)
	return func() { s.hold(-n) }
}

// hold counts bytes of a connection. It touches the shared counter once per holdStep.
func (l *loop) hold(n int) {
	l.weight += n
	if l.weight >= holdStep || l.weight <= -holdStep {
		l.srv.hold(int64(l.weight))
		l.weight = 0
	}
}

// weigh counts the bytes that the connection holds now.
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
		n += tlsWeight + c.tls.wire.held()
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
