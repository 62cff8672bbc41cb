//go:build !linux

package reactor

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// waker is a descriptor that a loop watches so as to be woken: the end of a pipe.
type waker struct{ fd, to int }

func newWaker() (waker, error) {
	var p [2]int
	syscall.ForkLock.RLock()
	err := unix.Pipe(p[:])
	if err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return waker{-1, -1}, fmt.Errorf("pipe: %w", err)
	}
	w := waker{p[0], p[1]}
	for _, fd := range p {
		if err := unix.SetNonblock(fd, true); err != nil {
			w.close()
			return waker{-1, -1}, fmt.Errorf("pipe: %w", err)
		}
	}
	return w, nil
}

// wake makes the descriptor readable. Any goroutine.
func (w waker) wake() { _, _ = Write(w.to, []byte{1}) }

// woken is called when the loop has been woken.
func (w waker) woken() {
	var b [64]byte
	for {
		if n, err := Read(w.fd, b[:]); err != nil || n < len(b) {
			return
		}
	}
}

func (w waker) close() {
	_ = unix.Close(w.fd)
	_ = unix.Close(w.to)
}
