package succession

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// TakeoverEnv is the variable that says what a server gets from its predecessor. Only the successor
// has it.
const TakeoverEnv = "UWSGO_TAKEOVER"

// takeover is the value of TakeoverEnv, as JSON.
type takeover struct {
	// Ready is the descriptor on which this server says, by one byte, that it serves. On Go the
	// predecessor says, by one byte or by its end, that it has let go.
	Ready, Go int
	Sockets   []Handed
}

// Handed is a listening socket that goes from one server to the next.
type Handed struct {
	FD      int
	Option  string // its address in the options of the former server
	Address string // its address now, absolute for a path; empty for one of systemd's
	Stats   bool   // it is the stats server's
	Owned   bool   // its file has to be removed one day

	// File returns a copy of the socket for the next server.
	File func() (*os.File, error) `json:"-"`
}

// Predecessor is the server whose place this one takes. A nil one hands over nothing.
type Predecessor struct {
	ready, goOn *os.File
	sockets     []Handed
	unwanted    []Socket // no option names them any more
}

// FindPredecessor returns nil for a server that was started by somebody else.
func FindPredecessor() (*Predecessor, error) {
	text, ok := os.LookupEnv(TakeoverEnv)
	if !ok {
		return nil, nil
	}
	_ = os.Unsetenv(TakeoverEnv) // not for the app
	var t takeover
	err := json.Unmarshal([]byte(text), &t)
	if err != nil || t.Ready < 3 || t.Go < 3 || slices.ContainsFunc(t.Sockets, func(s Handed) bool { return s.FD < 3 }) {
		return nil, fmt.Errorf("%s=%s in the environment: only uwsgo sets that; unset it", TakeoverEnv, text)
	}
	unix.CloseOnExec(t.Ready)
	unix.CloseOnExec(t.Go)
	for _, s := range t.Sockets {
		unix.CloseOnExec(s.FD)
	}
	return &Predecessor{
		ready: os.NewFile(uintptr(t.Ready), "ready"), goOn: os.NewFile(uintptr(t.Go), "go"), sockets: t.Sockets,
	}, nil
}

// Listening returns the sockets for requests.
func (b *Predecessor) Listening() ([]Socket, error) {
	if b == nil {
		return nil, nil
	}
	var socks []Socket
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

// inherited returns the socket as this server has it.
func (s Handed) inherited(addr net.Addr) Socket {
	sock := Socket{FD: s.FD, Addr: addr, option: s.Option, Address: s.Address, Always: s.Address == ""}
	if s.Owned && filepath.IsAbs(s.Address) {
		sock.file = s.Address
	}
	return sock
}

// socketAddr returns the address of a socket. The kernel may know less of a path.
func socketAddr(s Handed) (net.Addr, error) {
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

// Stats returns the socket of the stats server if option has the same address, else nil.
func (b *Predecessor) Stats(option string) *os.File {
	if b == nil {
		return nil
	}
	for _, s := range b.sockets {
		if !s.Stats {
			continue
		}
		addr, err := socketAddr(s)
		if err != nil {
			return nil // the address is bound anew, or that fails and says why
		}
		if sock := s.inherited(addr); option == "" || !sock.IsOf(option) {
			b.unwanted = append(b.unwanted, sock)
			return nil
		}
		return os.NewFile(uintptr(s.FD), option)
	}
	return nil
}

// Unwanted notes a socket that no option names any more. It closes when the predecessor has let go.
func (b *Predecessor) Unwanted(s Socket) { b.unwanted = append(b.unwanted, s) }
