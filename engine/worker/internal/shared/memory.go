package shared

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Finishing is the claim of an answered request that the app still works on, for example in its
// iterable's close.
const Finishing = 1 << 32

// Taken is the claim of a request whose connection the app has taken over.
const Taken = Finishing + 1

// SlotBits is how many bits of a request's id are its slot. LoopShift is the first bit of its
// loop.
const (
	SlotBits  = 16
	LoopShift = 24
)

// claimSize is the distance between claims: a cache line, so that threads do not
// slow each other down.
const claimSize = 64

// Memory is the memory that the server shares with its workers. It begins with the claims.
// Worker threads write them; the supervisor writes the word that retires a thread. One byte for
// each slot of each loop follows; that loop writes it.
//
// Behind that the file has room for large answers, see [Answers].
type Memory struct {
	mem      []byte
	answers  []byte // of all streams; nil where there is none
	File     *os.File
	CancelAt int // offset of the slots' bytes
	// AnswersAt is the offset of the answers of the first stream, AnswersEach the bytes of each
	// stream; 0 for none.
	AnswersAt, AnswersEach int
}

// NewMemory makes it for that many claims, loops and streams. live streams are in use at a time.
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
	// Loops may use it as long as they have a Port. The last one frees it.
	runtime.AddCleanup(s, func(mem []byte) { _ = unix.Munmap(mem) }, s.mem)
	s.shareAnswers(size, streams, live)
	if s.answers != nil {
		runtime.AddCleanup(s, func(mem []byte) { _ = unix.Munmap(mem) }, s.answers)
	}
	keepSize(s.File)
	return s, nil
}

// Claim returns the claim of worker thread i, counted over all workers: the request's id,
// [Finishing], or 0 for nothing, and since when, on CLOCK_MONOTONIC.
func (s *Memory) Claim(i int) (id uint64, since int64) {
	for id = atomic.LoadUint64(s.Word(i, 0)); ; {
		since = int64(atomic.LoadUint64(s.Word(i, 8)))
		again := atomic.LoadUint64(s.Word(i, 0))
		if again == id {
			return id, since
		}
		id = again // the thread has taken another request
	}
}

// ClearClaim prepares a claim for the thread of a new process.
func (s *Memory) ClearClaim(i int) {
	atomic.StoreUint64(s.Word(i, 0), 0)
	atomic.StoreUint64(s.Word(i, 16), 0)
	atomic.StoreUint64(s.Word(i, 24), 0)
	atomic.StoreUint64(s.Word(i, 32), 0)
}

// Called returns the id of the last request that worker thread i has called the app for.
func (s *Memory) Called(i int) uint32 { return uint32(atomic.LoadUint64(s.Word(i, 32))) }

// Finished reports whether worker thread i has finished after Retire.
func (s *Memory) Finished(i int) bool { return atomic.LoadUint64(s.Word(i, 16)) == 2 }

// Thread returns the system's id of worker thread i, 0 while unknown.
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
