//go:build unix

package static

import (
	"os"

	"golang.org/x/sys/unix"
)

// openFlags open for reading, and do not wait for a writer where the file is a
// FIFO.
const openFlags = os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
