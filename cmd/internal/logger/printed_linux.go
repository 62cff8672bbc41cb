package logger

import "golang.org/x/sys/unix"

// packetPipe makes a pipe for children to print into, one of packets where the kernel has
// such.
func packetPipe() (fds [2]int, packets bool, err error) {
	packets = true
	if err = unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_DIRECT); err != nil {
		packets, err = false, unix.Pipe2(fds[:], unix.O_CLOEXEC)
	}
	if err == nil {
		_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeSize) // a smaller one will do
	}
	return fds, packets, err
}
