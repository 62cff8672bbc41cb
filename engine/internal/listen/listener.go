package listen

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Options shape the sockets that [Open] makes. The zero value is a good one.
type Options struct {
	// Backlog is how many connections may wait to be accepted. 0 means as many as the kernel
	// allows.
	Backlog int
	// Mode is the permission of a unix socket's file; 0 leaves it to the umask.
	Mode os.FileMode
	// Owner is the owner of a unix socket's file, "user[:group]" as names or ids; empty leaves
	// it to the process.
	Owner string
	// DeferAccept makes the kernel accept a TCP connection only once its first bytes are there
	// (TCP_DEFER_ACCEPT). Linux; ignored elsewhere.
	DeferAccept bool
	// ReusePort lets several sockets listen on the same TCP port; the kernel
	// spreads the connections over them. All of them must ask for it.
	ReusePort bool
}

// Listener is a listening socket. One goroutine at a time may call its methods.
type Listener struct {
	// FD is the socket: non-blocking, close-on-exec, -1 after Close.
	FD int
	// Address is where it listens, with the port that the kernel chose for port 0.
	Address Address
	// Backlog is how many connections may wait; 0 if the socket is inherited.
	Backlog int
	// Clamped says that the kernel allows less backlog than was asked for.
	Clamped bool
	// SetNoDelay says that TCP_NODELAY must be set on each accepted connection. Otherwise
	// connections inherit the option or do not need it.
	SetNoDelay bool

	made os.FileInfo // the file at Address.Path, if it is the listener's and Unlink has not been called
}

// Open makes a socket that listens on a. Its errors say what to do about them
// and wrap the system's, so errors.Is(err, unix.EADDRINUSE) works.
func Open(a Address, o Options) (*Listener, error) {
	l := &Listener{FD: -1, Address: a}
	l.Backlog, l.Clamped = clampBacklog(o.Backlog, maxBacklog())
	var err error
	switch a.Kind {
	case TCP:
		err = l.openTCP(o)
	case Unix:
		err = l.openUnix(o)
	default:
		err = l.openAbstract()
	}
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("listen on %s: %w", a, err)
	}
	return l, nil
}

func clampBacklog(want, limit int) (n int, clamped bool) {
	if want <= 0 {
		return limit, false
	}
	return min(want, limit), want > limit
}

// String is the address in uWSGI's spelling.
func (l *Listener) String() string { return l.Address.String() }

// Close closes the socket; connections that wait in its backlog are reset. The
// file of a unix socket stays: see [Listener.Unlink]. A second Close does
// nothing.
func (l *Listener) Close() error {
	if l.FD < 0 {
		return nil
	}
	fd := l.FD
	l.FD = -1
	return unix.Close(fd)
}

// OwnsFile reports whether there is a file of a unix socket for Unlink to remove.
func (l *Listener) OwnsFile() bool { return l.made != nil }

// Unlink removes the file of a unix socket that [Open] made or [Listener.Inherit] took over, as
// uWSGI's vacuum does, and reports whether it did. It keeps a file that has taken the place of
// the socket's, and the file of any other adopted socket. Call it before Close: until then no
// other file gets the inode number.
func (l *Listener) Unlink() (removed bool, err error) {
	made := l.made
	if made == nil {
		return false, nil
	}
	l.made = nil
	now, err := os.Lstat(l.Address.Path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("remove unix socket: %w", err)
	}
	if !os.SameFile(made, now) {
		return false, nil
	}
	if err := os.Remove(l.Address.Path); err != nil {
		return false, fmt.Errorf("remove unix socket: %w", err)
	}
	return true, nil
}
