package reactor

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// waker is a descriptor that a loop watches so as to be woken: an event counter. It
// is edge-triggered, so each write is an event of its own and nothing is read back.
type waker struct{ fd int }

func newWaker() (waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return waker{-1}, fmt.Errorf("eventfd: %w", err)
	}
	return waker{fd}, nil
}

var one = binary.NativeEndian.AppendUint64(nil, 1)

// wake makes the descriptor readable. Any goroutine.
func (w waker) wake() { _, _ = Write(w.fd, one) }

// woken is called when the loop has been woken.
func (w waker) woken() {}

func (w waker) close() { _ = unix.Close(w.fd) }
