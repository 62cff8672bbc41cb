package check

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
)

// accessAs asks as another user: in Linux each thread has its own user. The thread ends with the
// goroutine, because it is never unlocked.
func accessAs(as privilege.Identity, name string, mode uint32) error {
	answer := make(chan error)
	go func() {
		runtime.LockOSThread()
		answer <- func() error {
			groups := make([]uint32, 0, len(as.Groups)+1)
			for _, g := range as.Groups {
				groups = append(groups, uint32(g))
			}
			var first uintptr
			if len(groups) > 0 {
				first = uintptr(unsafe.Pointer(&groups[0]))
			}
			if _, _, err := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), first, 0); err != 0 {
				return nil // no right to ask: unknown
			}
			runtime.KeepAlive(groups)
			keep := ^uintptr(0)
			id := func(n int) uintptr {
				if n < 0 {
					return keep
				}
				return uintptr(n)
			}
			if _, _, err := unix.RawSyscall(unix.SYS_SETRESGID, id(as.GID), keep, keep); err != 0 {
				return nil
			}
			if _, _, err := unix.RawSyscall(unix.SYS_SETRESUID, id(as.UID), keep, keep); err != 0 {
				return nil
			}
			return unix.Access(name, mode) // it asks for the real user
		}()
	}()
	return <-answer
}

// processLimit is RLIMIT_NPROC; -1 for none.
func processLimit() int64 {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NPROC, &r) != nil {
		return -1
	}
	return bounded(r.Cur)
}
