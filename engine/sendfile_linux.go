package engine

import (
	"os"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// sendfile sends up to n bytes of f, which are in memory, from off to a non-blocking socket.
func sendfile(fd int, f *os.File, off, n int64) (int64, error) {
	sent, err := reactor.SendFile(fd, int(f.Fd()), off, n)
	return int64(max(sent, 0)), err
}
