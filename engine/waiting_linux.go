package engine

import "golang.org/x/sys/unix"

// waiting returns how many connections of a listening TCP socket have not been
// accepted; the kernel does not tell it for unix sockets.
func waiting(fd int) int {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return int(info.Unacked)
}
