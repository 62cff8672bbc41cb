package logger

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// output is what a target writes to. It belongs to the goroutine of the target's queue once that
// runs.
type output interface {
	// write writes messages and returns how many of them were lost, and why.
	write(b *batch) (lost uint64, err error)
	close() error
}

// stream is an output that is not the sink's own: standard error, or a descriptor.
type stream struct {
	f     *os.File
	owned bool
}

func (s *stream) write(b *batch) (uint64, error) { return writeFile(s.f, b) }

func (s *stream) close() error {
	if s.owned {
		return s.f.Close()
	}
	return nil
}

// writeFile writes a batch in one piece.
func writeFile(f *os.File, b *batch) (uint64, error) {
	n, err := f.Write(b.data)
	if err != nil {
		return b.from(n), err
	}
	return 0, nil
}

// openFD returns a copy of a descriptor that whoever started the server has opened.
func openFD(fd int) (output, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT == 0 { // such as a poller of the runtime's
		return nil, fmt.Errorf("descriptor %d is not open: whoever starts the server has to open it", fd)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err == nil && flags&unix.O_ACCMODE == unix.O_RDONLY {
		return nil, fmt.Errorf("descriptor %d is open for reading only", fd)
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	return &stream{os.NewFile(uintptr(own), fmt.Sprintf("fd:%d", fd)), true}, nil
}
