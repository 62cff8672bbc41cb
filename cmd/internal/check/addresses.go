package check

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine"
)

// address is an address to listen on.
type address struct {
	where, network, text string
	stats                bool
}

// listens returns all addresses that can be read.
func (c *checker) listens(tell bool) (all []address) {
	add := func(text, where string, stats bool) {
		network, parsed, err := engine.ParseAddress(text)
		if err == nil {
			all = append(all, address{where, network, parsed, stats})
		} else if tell {
			c.tell(Error, Addresses, where, err.Error())
		}
	}
	if isEmperor(c.cfg) {
		if c.cfg.EmperorStats != "" {
			add(c.cfg.EmperorStats, c.where("emperor-stats", ""), true)
		}
		return all
	}
	for _, l := range c.cfg.Listens {
		add(l.Addr, l.Where, false)
	}
	if c.cfg.Stats != "" {
		add(c.cfg.Stats, c.where("stats", ""), true)
	}
	return all
}

// addresses finds addresses that are written wrongly, and those that are in each other's way.
func (c *checker) addresses() {
	all := c.listens(true)
	for i, a := range all {
		for _, b := range all[:i] {
			if a.network == b.network && c.clash(a, b) {
				c.tell(Error, Addresses, a.where, fmt.Sprintf("%s: the address is taken by %s: give another, or leave one out", a.text, b.where))
				break
			}
		}
	}
}

// certificates reads what addresses encrypt with: keys that do not fit, or cannot be read, end a
// start. One that is not good now does not, and clients refuse it.
func (c *checker) certificates(in Input) {
	if in.Certificates == nil {
		return
	}
	told := map[string]bool{}
	for _, l := range c.cfg.Listens {
		if l.TLS == nil {
			continue
		}
		stale, err := in.Certificates(c.cfg, l, c.m.Cwd)
		if err != nil {
			c.tell(Error, Addresses, l.Where, err.Error())
		}
		for _, file := range slices.Sorted(maps.Keys(stale)) {
			if !told[file] {
				told[file] = true
				c.tell(Warning, Addresses, l.Where, fmt.Sprintf("%s: %s: clients will refuse it: renew it", file, stale[file]))
			}
		}
	}
}

// clash reports whether two addresses cannot both be had.
func (c *checker) clash(a, b address) bool {
	if a.network == "unix" {
		return filepath.Clean(a.text) == filepath.Clean(b.text)
	}
	hostA, portA, _ := net.SplitHostPort(a.text)
	hostB, portB, _ := net.SplitHostPort(b.text)
	if portA != portB || portA == "0" || c.cfg.ReusePort && !a.stats && !b.stats {
		return false
	}
	every := func(host string) bool { return host == "" || host == "::" || host == "0.0.0.0" }
	return hostA == hostB || every(hostA) || every(hostB)
}

// bind tries the addresses.
func (c *checker) bind(p Place) {
	for _, a := range c.listens(false) {
		const taken = "%s: somebody listens there now: the server, if it runs; else stop it, or choose another address"
		if a.network == "tcp" {
			switch err := c.m.Bind(a.text, c.cfg.ReusePort && !a.stats); {
			case errors.Is(err, unix.EADDRINUSE):
				c.tell(Note, Addresses, a.where, fmt.Sprintf(taken, a.text))
			case errors.Is(err, unix.EACCES):
				c.tell(Error, Addresses, a.where, fmt.Sprintf("%s: only root may listen on this port: choose one above 1023, or give the service CAP_NET_BIND_SERVICE", a.text))
			case errors.Is(err, unix.EADDRNOTAVAIL):
				c.tell(Error, Addresses, a.where, fmt.Sprintf("%s: this machine has no such address: give one of its own, or leave out the host", a.text))
			case err != nil:
				c.tell(Error, Addresses, a.where, fmt.Sprintf("%s: %v", a.text, err))
			}
			continue
		}
		if a.text[0] == '@' {
			if c.m.Served(a.text) {
				c.tell(Note, Addresses, a.where, fmt.Sprintf(taken, a.text))
			}
			continue
		}
		path := under(p.Dir, a.text)
		if info, err := c.m.Lstat(path); err == nil {
			if info.Mode().Type() != fs.ModeSocket {
				c.tell(Error, Addresses, a.where, path+": what is there is no socket, and will not be replaced: remove it or choose another path")
				continue
			}
			if c.m.Served(path) {
				c.tell(Note, Addresses, a.where, fmt.Sprintf(taken, path))
			}
		}
		c.parent(jailed, a.where, path, p.First)
	}
}
