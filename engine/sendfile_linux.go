package engine

import (
	"os"

	"golang.org/x/sys/unix"
)

// sendfile sends up to n bytes of f from off to a non-blocking socket.
func sendfile(fd int, f *os.File, off, n int64) (int64, error) {
	sent, err := unix.Sendfile(fd, int(f.Fd()), &off, int(n))
	return int64(max(sent, 0)), err
}
