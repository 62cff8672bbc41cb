package shared

import (
	"os"

	"golang.org/x/sys/unix"
)

func memoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("uwsgo", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "uwsgo-shared"), nil
}

// Monotonic returns CLOCK_MONOTONIC in nanoseconds, which claims are in.
func Monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// inMemory says that what memoryFile makes never goes to a disk.
const inMemory = true

// keepSize seals the file's size: a reader of a missing part would be killed.
func keepSize(f *os.File) {
	_, _ = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
}

// giveBack empties memory of such a file.
func giveBack(mem []byte) { _ = unix.Madvise(mem, unix.MADV_REMOVE) }
