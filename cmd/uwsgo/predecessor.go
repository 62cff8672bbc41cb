package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// takeoverEnv says what a server gets from the one whose place it takes, in the
// environment of the former alone.
const takeoverEnv = "UWSGO_TAKEOVER"

// takeover is what takeoverEnv holds, as JSON.
type takeover struct {
	// Ready is the descriptor to tell on that this server serves, with one byte; Go the one
	// on which the other tells, with one byte or by its end, that it has let go.
	Ready, Go int
	Sockets   []handedSocket
}

// handedSocket is a listening socket that goes from one server to the next.
type handedSocket struct {
	FD      int
	Option  string // its address as the options of the former server had it
	Address string // its address now, absolute if it is a path; empty for one of systemd's
	Stats   bool   // it is that of the stats server
	Owned   bool   // there is a file of it to be removed one day
}

// predecessor is the server whose place this one takes. A nil one hands over nothing.
type predecessor struct {
	ready, goOn *os.File
	sockets     []handedSocket
	unwanted    []inheritedSocket // that no option names any more
}

// findPredecessor returns nil for a server that was started by somebody else.
func findPredecessor() (*predecessor, error) {
	text, ok := os.LookupEnv(takeoverEnv)
	if !ok {
		return nil, nil
	}
	_ = os.Unsetenv(takeoverEnv) // not for the app
	var t takeover
	err := json.Unmarshal([]byte(text), &t)
	if err != nil || t.Ready < 3 || t.Go < 3 || slices.ContainsFunc(t.Sockets, func(s handedSocket) bool { return s.FD < 3 }) {
		return nil, fmt.Errorf("%s=%s in the environment: only uwsgo sets that; unset it", takeoverEnv, text)
	}
	unix.CloseOnExec(t.Ready)
	unix.CloseOnExec(t.Go)
	for _, s := range t.Sockets {
		unix.CloseOnExec(s.FD)
	}
	return &predecessor{
		ready: os.NewFile(uintptr(t.Ready), "ready"), goOn: os.NewFile(uintptr(t.Go), "go"), sockets: t.Sockets,
	}, nil
}

// listening returns the sockets for requests.
func (b *predecessor) listening() ([]inheritedSocket, error) {
	if b == nil {
		return nil, nil
	}
	var socks []inheritedSocket
	for _, s := range b.sockets {
		if s.Stats {
			continue
		}
		addr, err := socketAddr(s)
		if err != nil {
			return nil, fmt.Errorf("socket %s of the server whose place this one takes: %w", s.Option, err)
		}
		socks = append(socks, s.inherited(addr))
	}
	return socks, nil
}

// inherited is the socket as this server has it.
func (s handedSocket) inherited(addr net.Addr) inheritedSocket {
	sock := inheritedSocket{fd: s.FD, addr: addr, option: s.Option, address: s.Address, always: s.Address == ""}
	if s.Owned && filepath.IsAbs(s.Address) {
		sock.file = s.Address
	}
	return sock
}

// socketAddr returns where a socket is found. Of a path the kernel may know less.
func socketAddr(s handedSocket) (net.Addr, error) {
	if filepath.IsAbs(s.Address) {
		return &net.UnixAddr{Name: s.Address, Net: "unix"}, nil
	}
	fd, err := unix.FcntlInt(uintptr(s.FD), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), s.Option)
	defer f.Close()
	return listensOn(f)
}

// stats returns the socket of the stats server, if option has the same address; nil if
// not.
func (b *predecessor) stats(option string) *os.File {
	if b == nil {
		return nil
	}
	for _, s := range b.sockets {
		if !s.Stats {
			continue
		}
		addr, err := socketAddr(s)
		if err != nil {
			return nil // then the address is bound anew, or that says why not
		}
		if sock := s.inherited(addr); option == "" || !sock.isOf(option) {
			b.unwanted = append(b.unwanted, sock)
			return nil
		}
		return os.NewFile(uintptr(s.FD), option)
	}
	return nil
}

// takeOver tells the predecessor that requests are served and waits until it has let go
// of what only one of them may have. From then on this server is the one.
func (p *program) takeOver(ctx context.Context) error {
	b := p.predecessor
	if b == nil {
		return nil
	}
	_, _ = b.ready.Write([]byte{1}) // to one that has died it need not be told
	_ = b.ready.Close()
	letGo := make(chan struct{})
	go func() {
		defer close(letGo)
		_, _ = b.goOn.Read(make([]byte, 1)) // its death lets go, too
		_ = b.goOn.Close()
	}()
	select {
	case <-letGo:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.share(false)
	for _, sock := range b.unwanted {
		p.log.Printf("socket %s is closed: no option names it any more", sock.option)
		_ = unix.Close(sock.fd)
		if sock.file == "" {
			continue
		}
		if err := os.Remove(sock.file); err != nil && !errors.Is(err, os.ErrNotExist) {
			p.log.Printf("%v", err)
		}
	}
	for _, do := range p.postponed {
		if err := do(); err != nil { // no reason to end, as nobody else would serve then
			p.log.Printf("*** WARNING: %v ***", err)
		}
	}
	return nil
}
