package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine"
)

// inheritedSocket is a listening socket that systemd has passed (LISTEN_FDS), or the
// server whose place this one takes.
type inheritedSocket struct {
	fd   int
	addr net.Addr
	// option is how the predecessor's options had the address, and address how it is now;
	// both are empty for what only systemd knows.
	option, address string
	file            string // of a unix socket, to be removed when nobody listens on it any more
	// always says that it is served though no option names it, as systemd's are.
	always bool
}

// isOf reports whether the socket is that of an address as options have it.
func (s inheritedSocket) isOf(option string) bool {
	return sameAddress(option, s.addr) || s.addr.Network() == "tcp" && option == s.option
}

// fromSystemd takes what systemd has passed, sockets and the time of its watchdog, and
// its variables out of the environment, so that the app does not take them for its own.
func (p *program) fromSystemd() ([]inheritedSocket, error) {
	var err error
	if p.watchdog, err = daemon.SdWatchdogEnabled(true); err != nil {
		return nil, fmt.Errorf("watchdog of systemd: %w", err)
	}
	var socks []inheritedSocket
	for _, f := range activation.Files(true) {
		at := int(f.Fd())
		addr, err := listensOn(f)
		if err != nil {
			return nil, fmt.Errorf("inherited descriptor %d is no listening stream socket (systemd: ListenStream=, Accept=no): %w", at, err)
		}
		// f closes its descriptor some day; this one is the server's.
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("inherited descriptor %d: %w", at, err)
		}
		socks = append(socks, inheritedSocket{fd: fd, addr: addr, always: true})
	}
	return socks, nil
}

// listensOn returns the address of a listening stream socket.
func listensOn(f *os.File) (net.Addr, error) {
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	return ln.Addr(), nil
}

// sameAddress reports whether an address as options have it is that of a socket.
func sameAddress(option string, addr net.Addr) bool {
	switch addr := addr.(type) {
	case *net.UnixAddr:
		if option[0] == '@' {
			return option == addr.Name
		}
		path, err := filepath.Abs(option)
		return err == nil && path == filepath.Clean(addr.Name)
	case *net.TCPAddr:
		host, port, err := net.SplitHostPort(option)
		if err != nil || port != strconv.Itoa(addr.Port) {
			return false
		}
		if host == "" {
			return addr.IP.IsUnspecified()
		}
		return net.ParseIP(host).Equal(addr.IP)
	}
	return false
}

// notify tells systemd, if it has started the server as Type=notify, how things are.
// A service manager that does not listen changes nothing.
func (p *program) notify(state, status string) {
	if _, err := daemon.SdNotify(false, state+"\nSTATUS="+status); err != nil {
		p.log.Printf("*** WARNING: systemd is not told %q: %v ***", state, err)
	}
}

// startWatchdog has systemd told, twice in the time of WatchdogSec=, that the server
// is alive, for as long as all event loops are.
func (p *program) startWatchdog() {
	if p.watchdog == 0 {
		return
	}
	stop := make(chan struct{})
	p.ending.Later(func() { close(stop) })
	go watch(p.engine.Loops(), p.watchdog/2, stop, func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) })
}

// watch calls alive after each interval in which every loop has run what was posted to
// it, until one has stopped for good, or stop is closed.
func watch(loops []*engine.Loop, interval time.Duration, stop <-chan struct{}, alive func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		answers := make(chan struct{}, len(loops))
		for _, l := range loops {
			if l.Post(func() { answers <- struct{}{} }) != nil {
				return
			}
		}
		for range loops {
			select {
			case <-answers:
			case <-stop:
				return
			}
		}
		alive()
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}
