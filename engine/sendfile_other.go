//go:build !linux

package engine

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// sendfile sends up to n bytes of f from off to a non-blocking socket, through a buffer. The
// sendfile calls of other systems report a full socket in different ways, and we test none of
// them.
func sendfile(fd int, f *os.File, off, n int64) (int64, error) {
	buf := make([]byte, min(n, smallBody))
	read, err := f.ReadAt(buf, off)
	if err != nil && !(errors.Is(err, io.EOF) && read > 0) {
		return 0, err
	}
	sent, err := unix.Write(fd, buf[:read])
	return int64(max(sent, 0)), err
}
