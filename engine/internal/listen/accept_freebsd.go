package listen

import "golang.org/x/sys/unix"

const soReusePort = unix.SO_REUSEPORT_LB // plain SO_REUSEPORT gives all to one socket

func accept(fd int) (int, unix.Sockaddr, error) {
	return unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
}
