//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package reactor

import (
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// ended returns what an event says of the end of a connection. A read filter's
// end of file means that nothing more will come; a write filter's, that nobody
// reads any more.
func ended(ev netpoll.IOEvent, flags netpoll.IOFlags) (e Events) {
	if flags&unix.EV_EOF != 0 {
		if e = EndOfInput; netpoll.IsWriteEvent(ev) {
			e = Hangup
		}
	}
	if flags&unix.EV_ERROR != 0 {
		e |= Hangup
	}
	return e
}
