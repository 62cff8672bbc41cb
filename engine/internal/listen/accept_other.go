//go:build !linux && !freebsd

package listen

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const soReusePort = unix.SO_REUSEPORT

// accept does in three calls what accept4 does elsewhere; the lock keeps a fork
// from happening in between.
func accept(fd int) (int, unix.Sockaddr, error) {
	syscall.ForkLock.RLock()
	nfd, sa, err := unix.Accept(fd)
	if err == nil {
		unix.CloseOnExec(nfd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, nil, err
	}
	if err := unix.SetNonblock(nfd, true); err != nil {
		_ = unix.Close(nfd)
		return -1, nil, err
	}
	return nfd, sa, nil
}
