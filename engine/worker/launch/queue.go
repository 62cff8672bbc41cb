package launch

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Queue carries messages of the apps between processes, whole and each to one reader, such
// as those to mules. It is in the kernel, so what waits there outlives its reader and a
// reload. Who has made it keeps both ends open, and closes them.
type Queue struct {
	Name          string // by which the shim knows it
	Send, Receive *os.File
}

// NewQueue makes a queue that holds about size bytes, 0 for what the system has: that bounds
// one message, too.
func NewQueue(name string, size int) (Queue, error) {
	q := Queue{Name: name}
	syscall.ForkLock.RLock() // what is started meanwhile must not get them
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EPROTOTYPE) || errors.Is(err, unix.EOPNOTSUPP) {
		fds, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0) // macOS
		if size == 0 {
			size = 256 << 10 // its own holds 2 KiB
		}
	}
	if err != nil {
		return q, fmt.Errorf("queue of messages: %w", err)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		_ = unix.SetNonblock(fd, true)
		if size > 0 {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size)
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
		}
	}
	q.Send, q.Receive = os.NewFile(uintptr(fds[0]), "queue"), os.NewFile(uintptr(fds[1]), "queue")
	return q, nil
}

// Close closes both ends.
func (q *Queue) Close() {
	_ = q.Send.Close()
	_ = q.Receive.Close()
}
