package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/listen"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
	"github.com/uwsgo/uwsgo/engine/internal/segment"
)

// ErrServerClosed is returned by [Server.Serve] after Shutdown or Close.
var ErrServerClosed = errors.New("server closed")

// Server serves connections. Make one with [New], add listeners, then call
// Serve. Its methods may be called from any goroutine.
type Server struct {
	// Immutable.
	opt   Options
	loops []*loop

	shared  *segment.Pool // for large bodies; nil where they are not shared
	handler Handler       // set by Serve
	http2   *http2        // likewise; nil where no listener offers it

	conns    atomic.Int64 // open, over all loops
	budget                // what the connections hold
	disk                  // goroutines that wait for disks
	draining atomic.Bool
	drained  atomic.Int64 // loops that have stopped accepting
	idleOnce sync.Once
	idle     chan struct{} // closed once they also have no connections left

	mu        sync.Mutex // guards what follows
	listeners []*Listener
	state     serverState
	done      chan struct{} // closed when all loops have ended
}

type serverState uint8

const (
	stateNew serverState = iota
	stateServing
	stateStopping // Drain was called
	stateClosed
)

// New makes a server with its loops, which run from Serve on. A server that is
// never served must be closed.
func New(o Options) (*Server, error) {
	s := &Server{opt: o.withDefaults(), done: make(chan struct{}), idle: make(chan struct{})}
	s.maxMemory, s.maxFiles = s.opt.MaxMemory, int64(s.opt.maxFiles)
	if n := s.opt.SharedBodies; n > smallBody {
		all := min(int(s.maxMemory/4), sharedMost)
		var err error
		if s.shared, err = segment.New(all, min(n, all/2)); err != nil && !errors.Is(err, segment.ErrUnsupported) {
			s.opt.Logf("cannot share memory for request bodies with workers, so bodies are sent: %v", err)
		}
	}
	for i := range s.opt.Loops {
		l, err := newLoop(s, i)
		if err != nil {
			for _, l := range s.loops {
				_ = l.Close()
			}
			return nil, fmt.Errorf("start event loop: %w", err)
		}
		s.loops = append(s.loops, l)
	}
	return s, nil
}

// SharedBodies returns the memory of [Options].SharedBodies, nil for none. Processes that map
// it read bodies there ([Body.Shared]); they can read those of all requests.
func (s *Server) SharedBodies() *segment.Pool { return s.shared }

// Loops returns the server's event loops, so that a worker pool can attach its descriptors.
func (s *Server) Loops() []*Loop {
	loops := make([]*Loop, len(s.loops))
	for i, l := range s.loops {
		loops[i] = l.Handle()
	}
	return loops
}

// ListenOptions configures one listener.
type ListenOptions struct {
	Protocol Protocol
	// Backlog is how many connections may wait to be accepted. 0, or more than the
	// kernel allows, means what the kernel allows.
	Backlog int
	// Mode is the mode of a unix socket's file; 0 leaves it to the umask.
	Mode os.FileMode
	// Owner is the user[:group] of a unix socket's file, by name or number.
	Owner string
	// Timeout bounds the silence of a client within a request, in either direction,
	// in place of the server's HeadTimeout, BodyTimeout and WriteTimeout; 0 leaves
	// those.
	Timeout time.Duration
	// ReusePort lets several servers listen on the same TCP port, where all of them ask for
	// it; the kernel spreads the connections over them.
	ReusePort bool
	// HTTPS says that a front server in front of this listener encrypts. Applications see
	// https.
	HTTPS bool
	// TLS, if set, makes an HTTP listener speak TLS. NextProtos names the protocols: none means
	// "http/1.1"; "h2" adds HTTP/2, which takes a goroutine or more per request. The server
	// works on a clone, and sets DynamicRecordSizingDisabled: its records have the full size.
	TLS *tls.Config
	// ProxyProtocol, if set, takes the client's address of an HTTP listener from a proxy. It
	// excludes TLS.
	ProxyProtocol *ProxyProtocol
	// Address is the path of an adopted unix socket when it differs from the kernel's name for
	// it. With it Unlink removes the file.
	Address string
}

// Listener is an address that a server listens on.
type Listener struct {
	ln         *listen.Listener
	protocol   Protocol
	https      bool
	tls        *tls.Config // nil for none
	proxy      *ProxyProtocol
	setNoDelay bool
	timeout    time.Duration

	mu sync.Mutex // closing waits for those who read the socket's state
}

// Protocol returns what the listener speaks.
func (ln *Listener) Protocol() Protocol { return ln.protocol }

// TLS reports whether clients encrypt.
func (ln *Listener) TLS() bool { return ln.tls != nil }

func (ln *Listener) offersHTTP2() bool {
	// GetConfigForClient may offer it to a later client.
	return ln.tls != nil && (ln.tls.GetConfigForClient != nil || slices.Contains(ln.tls.NextProtos, protoHTTP2))
}

// String returns the address as uWSGI spells it, with the port that the kernel
// chose for port 0.
func (ln *Listener) String() string { return ln.ln.String() }

// Port returns the TCP port, 0 for a unix socket.
func (ln *Listener) Port() uint16 { return ln.ln.Address.Port }

// Unix reports whether the listener is a unix socket, abstract ones included.
func (ln *Listener) Unix() bool { return ln.ln.Address.Kind != listen.TCP }

// Backlog returns how many connections may wait to be accepted. 0 stands for an adopted socket:
// its maker chose. clamped says that the kernel allows less than was asked for.
func (ln *Listener) Backlog() (n int, clamped bool) { return ln.ln.Backlog, ln.ln.Clamped }

// Waiting returns how many connections wait to be accepted. It is 0 where the system does not
// tell, as for unix sockets.
func (ln *Listener) Waiting() int {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.ln.FD < 0 {
		return 0
	}
	return waiting(ln.ln.FD)
}

// File returns a copy of the socket for another process to adopt. It stays open until it is
// closed, even when the listener closes.
func (ln *Listener) File() (*os.File, error) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.ln.FD < 0 {
		return nil, ErrServerClosed
	}
	fd, err := unix.FcntlInt(uintptr(ln.ln.FD), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("copy the socket %s: %w", ln, err)
	}
	return os.NewFile(uintptr(fd), ln.String()), nil
}

// OwnsFile reports whether Unlink would remove a file.
func (ln *Listener) OwnsFile() bool { return ln.ln.OwnsFile() }

// Unlink removes the file of a unix socket, unless another has taken its place, and reports
// whether it did. Call it before Drain, which closes the socket.
func (ln *Listener) Unlink() (bool, error) { return ln.ln.Unlink() }

func (ln *Listener) fd() int { return ln.ln.FD }

// close stops listening; a second time it does nothing.
func (ln *Listener) close() error {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.ln.Close()
}

// Listen binds addr: ":port" (IPv4 and IPv6), "host:port", "[::1]:port", a path for a unix
// socket, or "@name" for an abstract one. Clients may connect from now on. Serve answers them.
func (s *Server) Listen(addr string, o ListenOptions) (*Listener, error) {
	a, err := listen.Parse(addr)
	if err != nil {
		return nil, err
	}
	ln, err := listen.Open(a, listen.Options{
		Backlog: o.Backlog, Mode: o.Mode, Owner: o.Owner, DeferAccept: o.Protocol == HTTP, ReusePort: o.ReusePort,
	})
	if err != nil {
		return nil, err
	}
	return s.add(ln, o)
}

// Adopt takes over a listening socket that systemd or a predecessor passed to this process. The
// server closes it.
func (s *Server) Adopt(fd int, o ListenOptions) (*Listener, error) {
	ln, err := listen.Adopt(fd)
	if err != nil {
		return nil, err
	}
	if o.Address != "" {
		if err := ln.Inherit(o.Address); err != nil {
			_ = ln.Close()
			return nil, err
		}
	}
	return s.add(ln, o)
}

func (s *Server) add(ln *listen.Listener, o ListenOptions) (*Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateNew {
		_ = ln.Close()
		return nil, errors.New("listen: the server is already serving")
	}
	if o.ProxyProtocol != nil && (o.TLS != nil || o.Protocol != HTTP) {
		_ = ln.Close()
		return nil, errors.New("listen: the PROXY protocol works on HTTP listeners without TLS only")
	}
	l := &Listener{ln: ln, proxy: o.ProxyProtocol, protocol: o.Protocol, https: o.HTTPS || o.TLS != nil, setNoDelay: ln.SetNoDelay, timeout: o.Timeout}
	if o.TLS != nil {
		l.tls = o.TLS.Clone()
		l.tls.DynamicRecordSizingDisabled = true
	}
	s.listeners = append(s.listeners, l)
	return l, nil
}

// Serve answers requests with h until Shutdown or Close and then returns [ErrServerClosed]. It
// returns another error, and serves nothing, when it cannot watch a listener. Each loop runs on
// a goroutine of its own.
func (s *Server) Serve(h Handler) error {
	s.mu.Lock()
	if s.state != stateNew {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.state = stateServing
	s.handler = h
	listeners := s.listeners
	s.checkTempDir()
	if slices.ContainsFunc(listeners, (*Listener).offersHTTP2) {
		s.http2 = newHTTP2(s)
	}
	for _, l := range s.loops { // no loop runs yet, so their state is ours
		for _, ln := range listeners {
			if err := l.accept(ln); err != nil {
				s.state = stateClosed
				s.mu.Unlock()
				return errors.Join(fmt.Errorf("accept on %s: %w", ln, err), s.closeUnserved())
			}
		}
	}
	s.mu.Unlock()

	defer close(s.done)
	var wg sync.WaitGroup
	errs := make([]error, len(s.loops))
	for i, l := range s.loops {
		wg.Go(func() { errs[i] = l.Run() })
	}
	wg.Wait()
	if s.http2 != nil {
		s.http2.end()
	}
	for _, l := range s.loops {
		l.end()
	}
	s.disk.close()
	s.shared.Close()
	for _, ln := range listeners {
		_ = ln.close()
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("event loop: %w", err)
	}
	return ErrServerClosed
}

// Drain finishes the server's work. It takes in the connections that already wait, accepts no
// more, and tells clients not to keep their connections. An idle connection has half a second
// for a last request that may be on its way. Drain returns when every request that was read has
// its answer and all connections are closed, or with ctx's error when ctx ends first. The loops
// run on until Close, because worker pools use them. Drain does not wait for requests of
// [Server.AsHTTP]: their own server does. Do not call it on a loop: it waits for the loops.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	before := s.state
	if before == stateServing {
		s.state = stateStopping
	}
	s.mu.Unlock()
	switch before {
	case stateNew:
		return nil // nothing has been read
	case stateServing:
		s.draining.Store(true)
		if s.http2 != nil {
			go s.http2.drain(ctx)
		}
		for _, l := range s.loops {
			_ = l.Post(l.drain)
		}
	case stateStopping, stateClosed:
	}
	select {
	case <-s.idle:
		return nil
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Pause stops accepting connections, or resumes it. Open connections are served on; new clients
// wait in the backlog. Drain and Close work on a paused server too.
func (s *Server) Pause(on bool) {
	for _, l := range s.loops {
		_ = l.Post(func() {
			for _, a := range l.accepting {
				a.paused = on
				a.run()
			}
		})
	}
}

// Shutdown drains the server, then closes it. When ctx ends first it closes at once and returns
// ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	return errors.Join(s.Drain(ctx), s.Close())
}

// Close stops at once: unfinished requests get no answer. It returns when the loops have ended
// and everything is closed. Do not call it on a loop.
func (s *Server) Close() error {
	s.mu.Lock()
	state := s.state
	s.state = stateClosed
	s.mu.Unlock()
	switch state {
	case stateNew:
		return s.closeUnserved()
	case stateServing, stateStopping:
		for _, l := range s.loops {
			l.Stop()
		}
	}
	<-s.done
	return nil
}

func (s *Server) closeUnserved() error {
	s.disk.close()
	s.shared.Close()
	var errs []error
	for _, l := range s.loops {
		errs = append(errs, l.Close())
	}
	for _, ln := range s.listeners {
		errs = append(errs, ln.close())
	}
	close(s.done)
	return errors.Join(errs...)
}

// Stats reads the counters.
func (s *Server) Stats() Stats {
	var st Stats
	for _, l := range s.loops {
		l.count.addTo(&st)
	}
	return st
}

// Listeners returns what the server listens on.
func (s *Server) Listeners() []*Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listeners
}

// isFull reports whether no more connections may open. If so, roomAgain wakes the acceptors
// when a connection or file closes.
func (s *Server) isFull() bool {
	if s.mayOpen() {
		return false
	}
	s.full.Store(true)
	// One may have closed before full was set.
	return !s.mayOpen()
}

func (s *Server) mayOpen() bool {
	conns := s.conns.Load()
	return conns < int64(s.opt.MaxConns) && conns+s.files.Load() < s.maxFiles
}

// roomAgain resumes all acceptors after the limit was reached.
func (s *Server) roomAgain() {
	if !s.full.Swap(false) {
		return
	}
	for _, l := range s.loops {
		_ = l.Post(func() {
			for _, a := range l.accepting {
				a.run()
			}
		})
	}
}

// drain begins the end of a loop.
func (l *loop) drain() {
	for _, a := range l.accepting {
		a.stop()
	}
	if l.srv.drained.Add(1) == int64(len(l.srv.loops)) {
		// Nobody accepts any more: refuse new clients, rather than let them wait.
		for _, ln := range l.srv.Listeners() {
			_ = ln.close()
		}
	}
	// Idle connections get a new deadline. One may close: the last then moves into its place.
	for i := len(l.conns); i > 0; i = min(i-1, len(l.conns)) {
		l.conns[i-1].Ready(reactor.Readable) // a request may have come just now
	}
	l.srv.checkIdle()
}

// checkIdle notices that a draining server has no connection left.
func (s *Server) checkIdle() {
	if s.drained.Load() == int64(len(s.loops)) && s.conns.Load() == 0 {
		s.idleOnce.Do(func() { close(s.idle) })
	}
}

// end closes all that is left once the loop has stopped.
func (l *loop) end() {
	for len(l.conns) > 0 {
		c := l.conns[len(l.conns)-1]
		if c.unfinished() {
			c.cutOff()
		}
		c.broke("the server has stopped")
		c.lost(c.buffered())
		c.broken = true
		c.bury()
	}
	for x := range l.guests {
		l.gone(x)
	}
	_ = l.Close()
}
