package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/uwsgo/uwsgo/engine"
)

// openSocket is a listener and where it came from.
type openSocket struct {
	*engine.Listener
	option  string // its address as options have it
	systemd bool   // systemd has passed it
}

// successor is the server that is to take the place of this one. The methods of a nil one
// are those of none.
type successor struct {
	cmd   *exec.Cmd
	goOn  *os.File   // tells it that this server has let go
	out   chan error // nil when it serves and nothing runs beside this server any more; else why it has ended
	ended chan struct{}
	done  bool // it has taken over; only the goroutine of serve looks at it before the shutdown
}

// ownPath returns the absolute path of the program as it was called, which an upgrade
// puts a new one at. Not that of /proc, which goes on leading to the old one.
func ownPath() string {
	path, err := exec.LookPath(os.Args[0])
	if err == nil || errors.Is(err, exec.ErrDot) {
		path, err = filepath.Abs(path)
	}
	if err != nil { // the name is no more than a name
		path, _ = os.Executable()
	}
	return path
}

// replaceBinary starts the program again, to take the place of this process with its
// sockets. Only the goroutine of serve calls it.
func (p *program) replaceBinary() {
	switch {
	case p.successor != nil:
		p.log.Printf("process %d is being started to take this one's place: nothing is done", p.successor.cmd.Process.Pid)
		return
	case os.Getpid() == 1:
		p.log.Printf("the first process of a container cannot be replaced, as the container ends with it: start a new container")
		return
	case p.paused.Load():
		p.log.Printf("the server is paused, which a new one would not be: have it go on first (SIGTSTP)")
		return
	case p.cfg.Chroot != "":
		p.log.Printf("a server in a chroot cannot be replaced, as the new one would be in it from its start: restart it")
		return
	}
	p.log.Printf("binary reloading uwsgo: starting %s...", p.self)
	s, err := p.startSuccessor()
	if err != nil {
		p.log.Printf("the binary is not replaced: %v", err)
		return
	}
	p.log.Printf("process %d is to take the place of this one", s.cmd.Process.Pid)
	p.reloads.Tell(1, "replacing the binary")
	p.successor = s
}

// handedSockets returns the listening sockets for a successor, and copies of them, which
// are open until they are closed. The first becomes descriptor from, and so on.
func (p *program) handedSockets(from int) (socks []handedSocket, files []*os.File, err error) {
	var copies []func() (*os.File, error)
	for _, ln := range p.sockets {
		s := handedSocket{Option: ln.option, Owned: ln.OwnsFile()}
		if !ln.systemd {
			s.Address = ln.String()
		}
		socks, copies = append(socks, s), append(copies, ln.File)
	}
	if p.stats != nil {
		s := handedSocket{Option: p.cfg.Stats, Address: p.stats.Addr().String(), Stats: true, Owned: p.stats.OwnsFile()}
		socks, copies = append(socks, s), append(copies, p.stats.File)
	}
	for i := range socks {
		f, err := copies[i]()
		if err != nil {
			return nil, files, err
		}
		socks[i].FD, files = from+i, append(files, f)
		if socks[i].Owned { // a path, and the new process may have another directory
			if !filepath.IsAbs(socks[i].Address) { // where it was made may be gone by now
				socks[i].Address = filepath.Join(*p.cwd.Load(), socks[i].Address)
			}
		}
	}
	return socks, files, nil
}

// startSuccessor starts the program as this process was started.
func (p *program) startSuccessor() (*successor, error) {
	var files []*os.File // what the new process has from descriptor 3 on
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	ready, readyEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	files = append(files, readyEnd)
	goEnd, goOn, err := os.Pipe()
	if err != nil {
		_ = ready.Close()
		return nil, err
	}
	files = append(files, goEnd)
	fail := func(err error) (*successor, error) {
		_, _ = ready.Close(), goOn.Close()
		return nil, err
	}
	socks, copies, err := p.handedSockets(3 + len(files))
	files = append(files, copies...)
	if err != nil {
		return fail(err)
	}
	text, err := json.Marshal(takeover{Ready: 3, Go: 4, Sockets: socks})
	if err != nil {
		return fail(err)
	}
	cmd := exec.Command(p.self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Dir = p.home
	if _, err := os.Stat(p.home); err != nil && p.dir != "" {
		cmd.Dir = p.dir // such as a release that is gone
	}
	cmd.Env = append(os.Environ(), takeoverEnv+"="+string(text))
	if p.watchdog > 0 {
		cmd.Env = append(cmd.Env, "WATCHDOG_USEC="+strconv.FormatInt(p.watchdog.Microseconds(), 10))
	}
	cmd.ExtraFiles = files
	if len(p.stdin) > 0 {
		cmd.Stdin = bytes.NewReader(p.stdin)
	}
	// What it says before it has opened its log, or why it cannot, is for this log.
	cmd.Stdout, cmd.Stderr = os.Stdout, p.sink.File()
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	s := &successor{cmd: cmd, goOn: goOn, out: make(chan error, 1), ended: make(chan struct{})}
	stopBesides := p.endBesides
	var status error // once it has ended
	go func() {
		if status = cmd.Wait(); status == nil {
			status = errors.New("exit status 0")
		}
		close(s.ended)
	}()
	go func() {
		n, _ := ready.Read(make([]byte, 1))
		_ = ready.Close()
		if n == 0 {
			<-s.ended
			s.out <- status
			return
		}
		for _, stop := range stopBesides {
			stop()
		}
		s.out <- nil
	}()
	return s, nil
}

// outcome gives what becomes of the start, once.
func (s *successor) outcome() <-chan error {
	if s == nil {
		return nil
	}
	return s.out
}

// handOver lets the successor go on, unless its start has failed for the reason err.
// It reports whether this server is to end now.
func (p *program) handOver(err error) bool {
	s := p.successor
	served := err == nil // so what runs beside this server has ended
	if served {
		select {
		case <-s.ended:
			err = errors.New("it has ended")
		default:
		}
	}
	if err == nil {
		p.share(true)
		for _, do := range p.handBack {
			do()
		}
		p.notify("MAINPID="+strconv.Itoa(s.cmd.Process.Pid)+"\n"+daemon.SdNotifyReady, "serving requests")
		if _, err = s.goOn.Write([]byte{1}); err == nil {
			_ = s.goOn.Close()
			s.done = true
			p.log.Printf("process %d serves in place of this one: finishing requests, at most %v", s.cmd.Process.Pid, p.cfg.Mercy)
			return true
		}
		p.share(false)
		p.notify("MAINPID="+strconv.Itoa(os.Getpid()), "serving requests")
		if err := p.openFifos(); err != nil {
			p.log.Printf("%v", err)
		}
	}
	if served {
		p.endBesides = nil
		p.startCompanions()
	}
	p.log.Printf("*** the binary is not replaced: process %d has not got as far as to serve: %v; this one goes on ***", s.cmd.Process.Pid, err)
	_ = s.goOn.Close()
	p.successor = nil
	p.reloads.Tell(-1, "serving requests with the old binary, as the new one did not start")
	return false
}

// share says whether sockets and files are the successor's.
func (p *program) share(on bool) {
	p.shared = on
	if p.stats != nil {
		p.stats.KeepFile(on)
	}
}

// serves reports whether the successor has taken over.
func (s *successor) serves() bool { return s != nil && s.done }

// stop ends a successor that has not taken over.
func (s *successor) stop() {
	if s != nil && !s.done {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
	}
}

// wait waits for the end of one that was stopped; when ctx ends it is killed.
func (s *successor) wait(ctx context.Context) {
	if s == nil || s.done {
		return
	}
	select {
	case <-s.ended:
	case <-ctx.Done():
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	_ = s.goOn.Close()
}
