//go:build unix

package static

import (
	"os"

	"golang.org/x/sys/unix"
)

// openFlags open for reading, without a wait for the writer of a FIFO.
const openFlags = os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
