//go:build !linux

package logger

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// packetPipe makes a pipe for children to print into.
func packetPipe() (fds [2]int, packets bool, err error) {
	syscall.ForkLock.RLock() // no child may start between the two
	defer syscall.ForkLock.RUnlock()
	if err = unix.Pipe(fds[:]); err != nil {
		return fds, false, err
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return fds, false, nil
}
