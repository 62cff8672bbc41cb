package engine

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine/internal/printable"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// What a zero value in [Options] stands for.
const (
	DefaultHeadTimeout  = 30 * time.Second
	DefaultBodyTimeout  = 60 * time.Second
	DefaultIdleTimeout  = 125 * time.Second // longer than front servers keep an idle connection, which is 60 s in nginx and AWS
	DefaultWriteTimeout = 60 * time.Second
	DefaultBodyMemory   = 64 << 10
	DefaultSharedBodies = 8 << 20 // what uwsgo and handler/wsgi's Run set
)

// DrainedBelow is how many bytes of a response may be left to send when
// [Watcher].Drained is called.
const DrainedBelow = 256 << 10

// Bounds that are not options.
const (
	outputHigh     = 1 << 20   // a streamed response may be this far ahead of its client
	pipelineMax    = 64 << 10  // bytes of further requests read while one is being answered
	acceptLast     = 4096      // connections accepted when accepting ends: the usual backlog
	writeStep      = 256 << 10 // bytes of an answer sent before other connections have their turn
	acceptShare    = 4 * reactor.Share
	smallBody      = 32 << 10 // a body up to this size is copied behind its head, for one write
	reserveFiles   = 128      // descriptors kept for workers and logs
	leastMemory    = 32 << 20 // MaxMemory's default is between these
	mostMemory     = 512 << 20
	lingerTime     = 2 * time.Second
	drainIdle      = 500 * time.Millisecond // for a last request on a kept connection while draining
	lingerBytes    = 256 << 10
	lingerBody     = 64 << 20              // the same for a body that no handler wants,
	lingerBodyTime = 30 * time.Second      // for so long, with no silence of lingerTime
	skipMost       = 256 << 10             // more of a body is not skipped to keep a connection
	watchAfter     = 50 * time.Millisecond // see conn.watch
)

// Options configures a [Server]. The zero value is a good server. Options must not change after
// [New].
type Options struct {
	// Loops is the number of event loops. 0 means one for every eight processors: a loop
	// carries tens of thousands of requests a second, and workers need the other processors.
	Loops int
	// MaxConns is how many connections may be open at a time, over all loops. At the limit the
	// server stops accepting, and new clients wait in the kernel's backlog. 0, or more than
	// descriptors allow, means as many as they allow: see ReserveFiles.
	MaxConns int
	// ReserveFiles is how many of the process's descriptors are reserved for workers, logs and the
	// handler's own files. Connections, body files and answer files share the rest: an eighth is for
	// files alone, an eighth for connections alone. A request that needs a file gets 503 when none is
	// left. 0 means 128.
	ReserveFiles int
	// MaxMemory bounds the bytes that all connections hold together: heads, bodies, pipelined
	// requests and waiting output. From half of it on bodies go to files earlier. Beyond it new
	// requests get 503, and the server reads nothing ahead. 0 means an eighth of the memory
	// that the process may use, within 32 MiB and 512 MiB.
	MaxMemory int64
	maxFiles  int // connections and files

	// Limits bounds request heads and bodies.
	Limits codec.Limits
	// Policy decides which header fields reach handlers.
	Policy codec.Policy
	// BodyMemory is the largest request body, in bytes, that stays in memory. A larger one goes to an
	// unlinked file in TempDir.
	BodyMemory int
	// SharedBodies is the largest request body, in bytes, that lies in memory which worker processes
	// map: see [Server.SharedBodies]. Only bodies above 16 KiB go there. 0 turns it off. All such
	// bodies together take at most a quarter of MaxMemory, and at most 128 MiB. BodyMemory and TempDir
	// count when that memory is full, and on systems other than Linux.
	SharedBodies int
	// TempDir is the folder for large bodies. Empty means os.TempDir(), which reads TMPDIR. If no file
	// can be written there, Linux keeps such bodies in memory, within MaxMemory.
	TempDir string

	// DiskThreads is how many goroutines wait for disks in place of the loops. They store
	// bodies that exceed BodyMemory and SharedBodies; the loop reads no more of such a body
	// meanwhile. They also read files that are not in the page cache. When their queue is full
	// the loop stores the body itself. 0 means 8.
	DiskThreads int

	// HeadTimeout bounds the time to a complete head. It starts with the request's first byte, or for
	// a connection's first request when the connection is accepted. Beyond it the client gets 408, and
	// the connection closes. A client that has sent nothing gets no answer.
	HeadTimeout time.Duration
	// BodyTimeout bounds a client's silence within a body. Beyond it the client gets 408, and the
	// connection closes.
	BodyTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request. A negative value turns
	// keep-alive off.
	IdleTimeout time.Duration
	// WriteTimeout bounds how long a client may take none of its waiting output. Beyond it the
	// connection is closed.
	WriteTimeout time.Duration

	// Every, if set, is called on the loop before anything answers an exchange: before the handler,
	// and before the engine refuses a request. It may push layers.
	Every func(x *Exchange)
	// OnFinish, if set, is called on the loop when an exchange has ended, for access logs. The request
	// may still be read.
	OnFinish func(x *Exchange, o Outcome)
	// OnRefusal, if set, is called on the loop when a request is refused. It takes the place of a line
	// to Logf. It must not keep r.
	OnRefusal func(r *Refusal)
	// OnHandshakeError, if set, is called on the loop when a TLS handshake has failed. Such failures
	// are common on the internet, so nothing is logged without it.
	OnHandshakeError func(ln *Listener, peer string, err error)
	// Logf prints what an operator should know: refused requests, panics, lack of descriptors. nil
	// means log.Printf. Control characters and line ends are escaped, except in a panic's stack.
	Logf func(format string, args ...any)

	carry func(s *socket) transport // in place of the bare descriptor

	logStack func(where string, reason any, stack []byte) // by Logf; reason is the value of the panic
}

// Outcome says how an exchange ended.
type Outcome struct {
	Status    int           // the status that was sent; 0 for none
	HeadBytes int64         // bytes of the response head
	BodyBytes int64         // bytes of the response body that were sent, before chunking
	Headers   int           // header fields of the response
	Duration  time.Duration // from the complete head to the last byte handed to the kernel or its buffer
	File      bool          // the response was a file, see ReplyFile
	Aborted   bool          // the response was cut off: the client went, or its producer failed
	Broken    string        // why, in a few words
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.HeadTimeout, DefaultHeadTimeout)
	def(&o.BodyTimeout, DefaultBodyTimeout)
	def(&o.IdleTimeout, DefaultIdleTimeout)
	def(&o.WriteTimeout, DefaultWriteTimeout)
	if o.Loops <= 0 {
		o.Loops = max(1, runtime.GOMAXPROCS(0)/8)
	}
	if o.BodyMemory <= 0 {
		o.BodyMemory = DefaultBodyMemory
	}
	if o.DiskThreads <= 0 {
		o.DiskThreads = diskThreads
	}
	if o.TempDir == "" {
		o.TempDir = os.TempDir()
	}
	logf := o.Logf
	if logf == nil {
		logf = log.Printf
	}
	o.Logf = func(format string, args ...any) { logf("%s", printable.Text(fmt.Sprintf(format, args...), false)) }
	o.logStack = func(where string, reason any, stack []byte) {
		logf("%s\n%s", printable.Text(fmt.Sprintf("panic %s: %v", where, reason), false), stack)
	}
	if o.OnRefusal == nil {
		o.OnRefusal = func(r *Refusal) { o.Logf("%v", r) }
	}
	o.Limits = o.Limits.WithDefaults()
	if o.ReserveFiles <= 0 {
		o.ReserveFiles = reserveFiles
	}
	o.maxFiles = 1 << 30
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) == nil && uint64(r.Cur) < uint64(o.maxFiles) { //nolint:unconvert // signed on FreeBSD
		o.maxFiles = max(int(r.Cur)-min(o.ReserveFiles, int(r.Cur)/2), 16)
	}
	if most := o.maxFiles - o.maxFiles/8; o.MaxConns <= 0 || o.MaxConns > most {
		o.MaxConns = most
	}
	if o.MaxMemory <= 0 {
		o.MaxMemory = min(max(machineMemory()/8, leastMemory), mostMemory)
	}
	return o
}
