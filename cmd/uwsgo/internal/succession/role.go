package succession

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Role is the relation of a server to the one before it and the one after it. It belongs to the
// goroutine of the server.
type Role struct {
	Before *Predecessor // whose place this server takes; nil for none
	After  *Successor   // takes this one's place; nil for none

	Logf func(format string, args ...any)
	// Notify tells the service manager a state.
	Notify func(state, status string)
	// KeepFiles is told whether the files of sockets belong to another server. It may be nil.
	KeepFiles func(keep bool)
	// Mercy is how long requests may go on after another server has taken over.
	Mercy time.Duration

	shared    bool
	postponed []func() error
	handBack  []func()
	besides   []func()
}

// NewRole returns the role of a server that takes the place of before.
func NewRole(before *Predecessor) *Role { return &Role{Before: before, shared: before != nil} }

// Shared reports whether sockets and files belong to another server that lives on when this one
// ends.
func (r *Role) Shared() bool { return r.shared }

// Postpone calls do once the predecessor has let go.
func (r *Role) Postpone(do func() error) { r.postponed = append(r.postponed, do) }

// HandBack calls do before a successor goes on. do must be safe to repeat.
func (r *Role) HandBack(do func()) { r.handBack = append(r.handBack, do) }

// Besides calls stop, on a goroutine of its own, before a successor starts what runs beside it.
// stop must be safe to repeat.
func (r *Role) Besides(stop func()) { r.besides = append(r.besides, stop) }

func (r *Role) share(on bool) {
	r.shared = on
	if r.KeepFiles != nil {
		r.KeepFiles(on)
	}
}

// TakeOver tells the predecessor that this server serves requests, and waits until the predecessor
// has let go of what only one may have. From then on this server is the one.
func (r *Role) TakeOver(ctx context.Context) error {
	b := r.Before
	if b == nil {
		return nil
	}
	_, _ = b.ready.Write([]byte{1}) // a dead one need not know
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
	r.share(false)
	for _, sock := range b.unwanted {
		r.Logf("socket %s is closed: no option names it any more", sock.option)
		_ = unix.Close(sock.FD)
		if sock.file == "" {
			continue
		}
		if err := os.Remove(sock.file); err != nil && !errors.Is(err, os.ErrNotExist) {
			r.Logf("%v", err)
		}
	}
	for _, do := range r.postponed {
		if err := do(); err != nil { // no reason to end: nobody else would serve
			r.Logf("*** WARNING: %v ***", err)
		}
	}
	return nil
}

// Refusal says why the binary cannot be replaced now; empty where it can. pid is the server's own.
func (r *Role) Refusal(pid int, paused, chroot bool) string {
	switch {
	case r.After != nil:
		return fmt.Sprintf("process %d is being started to take this one's place: nothing is done", r.After.PID())
	case pid == 1:
		return "the first process of a container cannot be replaced, as the container ends with it: start a new container"
	case paused:
		return "the server is paused, which a new one would not be: have it go on first (SIGTSTP)"
	case chroot:
		return "a server in a chroot cannot be replaced, as the new one would be in it from its start: restart it"
	}
	return ""
}

// Start starts the successor.
func (r *Role) Start(spec Spec) error {
	s, err := start(spec, r.besides)
	if err == nil {
		r.After = s
	}
	return err
}

// HandOver lets the successor go on, unless its start has failed for the reason err. over says that
// this server has to end now. If it is false, besides says that what ran beside the server has
// ended, and pipes that the server has given up its pipes.
func (r *Role) HandOver(err error) (over, besides, pipes bool) {
	s := r.After
	besides = err == nil
	if besides {
		select {
		case <-s.ended:
			err = errors.New("it has ended")
		default:
		}
	}
	if err == nil {
		r.share(true)
		for _, do := range r.handBack {
			do()
		}
		r.Notify("MAINPID="+strconv.Itoa(s.PID())+"\n"+daemon.SdNotifyReady, "serving requests")
		if _, err = s.goOn.Write([]byte{1}); err == nil {
			_ = s.goOn.Close()
			s.done = true
			r.Logf("process %d serves in place of this one: finishing requests, at most %v", s.PID(), r.Mercy)
			return true, false, false
		}
		r.share(false)
		r.Notify("MAINPID="+strconv.Itoa(os.Getpid()), "serving requests")
		pipes = true
	}
	if besides {
		r.besides = nil
	}
	r.Logf("*** the binary is not replaced: process %d has not got as far as to serve: %v; this one goes on ***", s.PID(), err)
	_ = s.goOn.Close()
	r.After = nil
	return false, besides, pipes
}
