package shared

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Finishing is a claim of a request that has been answered while the app still
// works on it, in its iterable's close for example.
const Finishing = 1 << 32

// SlotBits is how many bits of a request's id are the number of its slot, and LoopShift
// where the number of its loop begins.
const (
	SlotBits  = 16
	LoopShift = 24
)

// claimSize is the distance between claims: a cache line, so that threads do not
// slow each other down.
const claimSize = 64

// Memory is the memory that the server shares with its workers: claims, written by
// worker threads but for the word that tells them to finish, and after them one
// byte for each slot of each loop, written by that loop.
//
// Behind that the file has room for large answers, see [Answers].
type Memory struct {
	mem      []byte
	answers  []byte // of all streams; nil where there is none
	File     *os.File
	CancelAt int // where the slots' bytes begin
	// AnswersAt is where the answers of the first stream begin, AnswersEach how many bytes each
	// stream has; 0 where there are none.
	AnswersAt, AnswersEach int
}

// NewMemory makes it for so many claims, loops, and streams, of which live are in use at a time.
func NewMemory(claims, loops, streams, live int) (*Memory, error) {
	page := os.Getpagesize()
	s := &Memory{CancelAt: (claims*claimSize + page - 1) / page * page}
	size := s.CancelAt + loops<<SlotBits
	var err error
	if s.File, err = memoryFile(); err != nil {
		return nil, fmt.Errorf("memory shared with workers: %w", err)
	}
	if err = s.File.Truncate(int64(size)); err == nil {
		s.mem, err = unix.Mmap(int(s.File.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err != nil {
		_ = s.File.Close()
		return nil, fmt.Errorf("memory shared with workers: %w", err)
	}
	// Loops may touch it as long as they have a Port, so it goes with the last of them.
	runtime.AddCleanup(s, func(mem []byte) { _ = unix.Munmap(mem) }, s.mem)
	s.shareAnswers(size, streams, live)
	if s.answers != nil {
		runtime.AddCleanup(s, func(mem []byte) { _ = unix.Munmap(mem) }, s.answers)
	}
	keepSize(s.File)
	return s, nil
}

// Claim returns what worker thread i, counted over all workers, has taken: its id
// ([Finishing], or 0 for nothing) and when, on CLOCK_MONOTONIC.
func (s *Memory) Claim(i int) (id uint64, since int64) {
	for id = atomic.LoadUint64(s.Word(i, 0)); ; {
		since = int64(atomic.LoadUint64(s.Word(i, 8)))
		again := atomic.LoadUint64(s.Word(i, 0))
		if again == id {
			return id, since
		}
		id = again // the thread has taken another request meanwhile
	}
}

// ClearClaim makes a claim ready for the thread of a new process.
func (s *Memory) ClearClaim(i int) {
	atomic.StoreUint64(s.Word(i, 0), 0)
	atomic.StoreUint64(s.Word(i, 16), 0)
	atomic.StoreUint64(s.Word(i, 24), 0)
	atomic.StoreUint64(s.Word(i, 32), 0)
}

// Called returns the id of the request that worker thread i has called the app for last.
func (s *Memory) Called(i int) uint32 { return uint32(atomic.LoadUint64(s.Word(i, 32))) }

// Finished reports whether worker thread i has done so.
func (s *Memory) Finished(i int) bool { return atomic.LoadUint64(s.Word(i, 16)) == 2 }

// Thread returns the system's id of worker thread i, 0 while it is not known.
func (s *Memory) Thread(i int) int { return int(atomic.LoadUint64(s.Word(i, 24))) }

// Retire tells worker thread i to take no more requests.
func (s *Memory) Retire(i int) {
	atomic.CompareAndSwapUint64(s.Word(i, 16), 0, 1)
}

// Size returns the length of the memory in bytes.
func (s *Memory) Size() int { return len(s.mem) }

// Word returns a word of the claim of worker thread i.
func (s *Memory) Word(i, offset int) *uint64 {
	return (*uint64)(unsafe.Pointer(&s.mem[i*claimSize+offset])) // mmap aligns to pages
}

// Cancelled returns the bytes of a loop's slots.
func (s *Memory) Cancelled(loop int) []byte {
	at := s.CancelAt + loop<<SlotBits
	return s.mem[at : at+1<<SlotBits]
}
