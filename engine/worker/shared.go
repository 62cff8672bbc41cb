package worker

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// claimSize is the distance between claims: a cache line, so that threads do not
// slow each other down.
const claimSize = 64

// shared is the memory that the server shares with its workers: claims, written by
// worker threads but for the word that tells them to finish, and after them one
// byte for each slot of each loop, written by that loop.
type shared struct {
	mem      []byte
	file     *os.File
	cancelAt int // where the slots' bytes begin
}

func newShared(threads, loops int) (*shared, error) {
	page := os.Getpagesize()
	s := &shared{cancelAt: (threads*claimSize + page - 1) / page * page}
	size := s.cancelAt + loops<<reuseShift
	var err error
	if s.file, err = memoryFile(); err != nil {
		return nil, fmt.Errorf("memory shared with workers: %w", err)
	}
	if err = s.file.Truncate(int64(size)); err == nil {
		s.mem, err = unix.Mmap(int(s.file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err != nil {
		_ = s.file.Close()
		return nil, fmt.Errorf("memory shared with workers: %w", err)
	}
	// Loops may touch it as long as they have a Port, so it goes with the last of them.
	runtime.AddCleanup(s, func(mem []byte) { _ = unix.Munmap(mem) }, s.mem)
	return s, nil
}

// claim returns what worker thread i, counted over all workers, has taken: its id
// ([finishing], or 0 for nothing) and when, on CLOCK_MONOTONIC.
func (s *shared) claim(i int) (id uint64, since int64) {
	for id = atomic.LoadUint64(s.word(i, 0)); ; {
		since = int64(atomic.LoadUint64(s.word(i, 8)))
		again := atomic.LoadUint64(s.word(i, 0))
		if again == id {
			return id, since
		}
		id = again // the thread has taken another request meanwhile
	}
}

// clearClaim makes a claim ready for the thread of a new process.
func (s *shared) clearClaim(i int) {
	atomic.StoreUint64(s.word(i, 0), 0)
	atomic.StoreUint64(s.word(i, 16), 0)
	atomic.StoreUint64(s.word(i, 24), 0)
	atomic.StoreUint64(s.word(i, 32), 0)
}

// called returns the id of the request that worker thread i has called the app for last.
func (s *shared) called(i int) uint32 { return uint32(atomic.LoadUint64(s.word(i, 32))) }

// finished reports whether worker thread i has done so.
func (s *shared) finished(i int) bool { return atomic.LoadUint64(s.word(i, 16)) == 2 }

// thread returns the system's id of worker thread i, 0 while it is not known.
func (s *shared) thread(i int) int { return int(atomic.LoadUint64(s.word(i, 24))) }

// retire tells worker thread i to take no more requests.
func (s *shared) retire(i int) {
	atomic.CompareAndSwapUint64(s.word(i, 16), 0, 1)
}

func (s *shared) word(i, offset int) *uint64 {
	return (*uint64)(unsafe.Pointer(&s.mem[i*claimSize+offset])) // mmap aligns to pages
}

// cancelled returns the bytes of a loop's slots.
func (s *shared) cancelled(loop int) []byte {
	at := s.cancelAt + loop<<reuseShift
	return s.mem[at : at+1<<reuseShift]
}
