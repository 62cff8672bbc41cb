package engine

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// noCachestat is set when the kernel has no cachestat: it is older than 6.5.
var noCachestat atomic.Bool

// resident reports whether n bytes of f from off are in memory: sending them waits for no disk.
func resident(f *os.File, off, n int64) bool {
	if !noCachestat.Load() {
		var in unix.Cachestat_t
		err := unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{Off: uint64(off), Len: uint64(n)}, &in, 0)
		if err == nil {
			page := int64(os.Getpagesize())
			return int64(in.Cache) >= (off+n-1)/page-off/page+1
		}
		if err != unix.ENOSYS && err != unix.EPERM { // seccomp's word for it
			return false
		}
		noCachestat.Store(true)
	}
	// Check the two ends only, and assume the same for the bytes between them.
	return nowait(f, off) && nowait(f, off+n-1)
}

func nowait(f *os.File, at int64) bool {
	var b [1]byte
	n, err := unix.Preadv2(int(f.Fd()), [][]byte{b[:]}, at, unix.RWF_NOWAIT)
	return n == 1 && err == nil
}

// readResident reads p from the page cache. It reports false when not all of it is there.
func readResident(f *os.File, p []byte, off int64) bool {
	n, err := unix.Preadv2(int(f.Fd()), [][]byte{p}, off, unix.RWF_NOWAIT)
	return n == len(p) && err == nil
}
