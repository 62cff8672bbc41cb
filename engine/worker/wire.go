package worker

import "github.com/uwsgo/uwsgo/engine/worker/internal/shared"

// The frames between loops and worker threads; shim/port.py has the same numbers.

// kind is the kind of a frame from a worker thread.
type kind uint8

const (
	kindWhole       kind = iota // head and whole body
	kindHead                    // head of a streamed answer
	kindData                    // a piece of its body
	kindEnd                     // its end
	kindAbort                   // the app failed after the head had gone out
	kindFailed                  // the app failed before
	kindFile                    // head, then uint64 offset and length in a file
	kindNeedBody                // the request's body is in a file: send its descriptor
	kindDropped                 // the request was cancelled before it ran
	kindReturned                // the request as it was sent: the thread is retired, another gets it
	kindLogVariable             // a marshalled (name, value) for the log, before or within the answer; no name: log this request
	kindPlaced                  // head, then uint64 position and length of the whole body, in shared memory
	kindTunnel                  // head, then 16 bytes that mean nothing: the app takes the connection over, by the socket that comes as a file does
)

// frameHead is the length of the head of a frame from a worker thread.
const frameHead = 12

// maxHead bounds a marshalled head in bytes. The shim has the same.
const maxHead = 1 << 20

// renew, in place of a head's length, asks to replace the process after an abort or a failure.
// maxPage bounds the page that a client gets about a failure.
const (
	renew   = 1
	maxPage = 32 << 10
)

// maxFrame bounds frames that are read in one piece: a head and the largest body that the shim
// sends whole.
const maxFrame = maxHead + 64<<10

// Pairs to a worker thread: two uint32, tag and n. Tags other than these are numbers of
// streamed answers, with n bytes of credit.
const (
	tagDescriptor = 0          // n = 1: a descriptor is attached, or may be sent; 0: the client has gone
	tagRequest    = 0xFFFFFFFF // stream mode: a request of n bytes follows
	tagQuit       = 0xFFFFFFFE // stream mode: finish
	gone          = 0xFFFFFFFF // as n: the client has gone
)

// Variables are the keys of every environ. Their values travel as a tuple, so that workers need
// not make the names for each request. shim/worker.py has the same list.
var Variables = [...]string{
	"wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT", "REQUEST_METHOD", "PATH_INFO", "SCRIPT_NAME",
	"QUERY_STRING", "SERVER_PROTOCOL", "REMOTE_ADDR",
}

// Values of a slot's cancel byte. Both keep a thread from starting the request; only cancelGone
// ends a running one. shim/port.py has the same.
const (
	cancelGone = 1 // nobody waits for the answer
	cancelLate = 2 // it has waited too long
)

// Window is how many bytes a streamed answer may be ahead of [Port.Credit].
const Window = 1 << 20

// creditStep is how much credit is collected before a thread is told: few
// wake-ups, and a thread that waits is told long before its client is idle.
const creditStep = Window / 4

// MaxRequest bounds a marshalled request in bytes: what a unix socket takes as one
// datagram with the default net.core.wmem_max. A head of 64 KiB and a body of
// [MaxInlineBody] fit even when all of it is not ASCII.
const MaxRequest = 384 << 10

// MaxInlineBody is the largest request body, in bytes, that should be passed in
// memory; larger ones are better in a file.
const MaxInlineBody = 32 << 10

// The parts of a request id.
const (
	loopShift  = shared.LoopShift
	reuseShift = shared.SlotBits
	slotMask   = 1<<reuseShift - 1
	// MaxLoops is the largest number of event loops of a pool.
	MaxLoops = 1 << (31 - loopShift)
)

// finishing is a claim of a request that has been answered while the app still works on it.
const finishing = shared.Finishing
