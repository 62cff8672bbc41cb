//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package reactor

import (
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// A write filter's end of file means that nobody reads any more; a read
// filter's, only that nothing more will come.
func hangup(ev netpoll.IOEvent, flags netpoll.IOFlags) bool {
	return flags&unix.EV_ERROR != 0 || netpoll.IsWriteEvent(ev) && flags&unix.EV_EOF != 0
}

func halfClosed(netpoll.IOEvent) Events { return 0 }
