package reactor

import (
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// ended returns what ev says of the end of a connection. Any end is readable
// too, so that the read that follows sees it.
func ended(ev netpoll.IOEvent, _ netpoll.IOFlags) (e Events) {
	if ev&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		e = Readable | EndOfInput
	}
	if ev&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		e |= Hangup
	}
	return e
}
