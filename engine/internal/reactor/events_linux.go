package reactor

import (
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

func hangup(ev netpoll.IOEvent, _ netpoll.IOFlags) bool {
	return ev&(unix.EPOLLHUP|unix.EPOLLERR) != 0
}

// halfClosed makes an end of file readable: the read that follows sees it.
func halfClosed(ev netpoll.IOEvent) Events {
	if ev&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		return Readable
	}
	return 0
}
