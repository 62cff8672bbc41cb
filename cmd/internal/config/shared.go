package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// share puts the addresses of shared-socket in the place of their numbers, and makes
// unix sockets abstract.
func (r *resolver) share() error {
	used := map[int]bool{}
	for i := range r.Listens {
		l := &r.Listens[i]
		number, shared := strings.CutPrefix(l.Addr, "=")
		if shared {
			n, err := strconv.Atoi(number)
			if err != nil || n < 0 || n >= len(r.Shared) {
				return fmt.Errorf("%s: %q is no number of a shared-socket: there are %d, and the first is =0", l.Where, l.Addr, len(r.Shared))
			}
			if used[n] {
				return fmt.Errorf("%s: %s has a server already: an address speaks one protocol", l.Where, r.Shared[n].Addr)
			}
			used[n] = true
			l.Addr = r.Shared[n].Addr
		}
		if r.Abstract && !strings.Contains(l.Addr, ":") && !strings.HasPrefix(l.Addr, "@") {
			l.Addr = "@" + l.Addr
		}
	}
	for n, s := range r.Shared {
		if !used[n] {
			r.list.Warnf("%s: nothing listens there, as no http, socket or other says =%d", s.Where, n)
		}
	}
	return nil
}

// same reports whether two addresses are one as seen from this machine.
func same(a, b string) bool {
	if a == b {
		return true
	}
	i, j := strings.LastIndexByte(a, ':'), strings.LastIndexByte(b, ':')
	return i >= 0 && j >= 0 && a[i:] == b[j:] && anyHost(a[:i]) && anyHost(b[:j])
}

func anyHost(host string) bool {
	return slices.Contains([]string{"", "0.0.0.0", "127.0.0.1", "localhost", "[::]", "[::1]"}, host)
}
