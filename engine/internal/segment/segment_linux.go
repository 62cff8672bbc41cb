package segment

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// memory makes a file in memory, and maps it.
func memory(size int) (*os.File, []byte, error) {
	fd, err := unix.MemfdCreate("uwsgo-bodies", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, nil, fmt.Errorf("memory shared with workers: %w", err)
	}
	file := os.NewFile(uintptr(fd), "uwsgo-bodies")
	if err = file.Truncate(int64(size)); err == nil {
		// A process that makes it shorter would have whoever reads there killed.
		_, _ = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
		var mem []byte
		if mem, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
			return readOnly(file), mem, nil
		}
	}
	_ = file.Close()
	return nil, nil, fmt.Errorf("memory shared with workers: %w", err)
}

// readOnly returns the file opened for reading alone, so that an app which writes to all of its
// descriptors does not write into the bodies of others. It returns file where there is no /proc.
func readOnly(file *os.File) *os.File {
	reader, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		return file
	}
	_ = file.Close() // the mapping stays
	return reader
}

func unmap(mem []byte) { _ = unix.Munmap(mem) }

// giveBack returns memory to the system. Reads there give zeros from then on.
func giveBack(mem []byte) {
	_ = unix.Madvise(mem, unix.MADV_REMOVE)
	runtime.KeepAlive(mem)
}
