package control

import (
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Service answers a call of a process. Arguments and answer have the types of
// pymarshal.Unmarshal. A *[Refusal] names the Python exception to raise; any other error
// becomes OSError. A panic counts as an error. The goroutine of the process's channel runs the
// service, and reads nothing more of that process until it returns.
type Service func(p *Peer, args []any) (any, error)

// Refusal is an error of a [Service] that becomes a certain exception in Python.
type Refusal struct { //nolint:errname // it reads as what it is
	Kind string // ValueError, RuntimeError, OSError
	Text string
}

func (r *Refusal) Error() string { return r.Text }

// Refuse returns a *Refusal that becomes a ValueError.
func Refuse(format string, args ...any) error {
	return &Refusal{"ValueError", fmt.Sprintf(format, args...)}
}

// Observer hears of processes. The supervisor calls it in the order of events, so it must not
// block.
type Observer interface {
	// Serving says that a process takes requests from now on, or does what it is for; a
	// zygote, that its workers do.
	Serving(p *Peer)
	// Retiring says that a process is to go: it takes nothing more.
	Retiring(p *Peer)
	// Exited says that a process has exited. It comes once for every process that had Serving,
	// or called a service.
	Exited(p *Peer)
}

// Hub has the channels of all processes, and the services behind them. Services and
// observers are registered before the first process is started; all else may be called by
// any goroutine.
type Hub struct {
	logf      func(format string, args ...any)
	services  map[string]Service
	observers []Observer

	mu    sync.Mutex
	peers map[*Peer]struct{}
}

// NewHub returns a hub that reports through logf, which any goroutine may call.
func NewHub(logf func(format string, args ...any)) *Hub {
	return &Hub{logf: logf, services: make(map[string]Service), peers: make(map[*Peer]struct{})}
}

// Handle sets the service for calls of a name.
func (h *Hub) Handle(name string, s Service) { h.services[name] = s }

// Observe adds an observer.
func (h *Hub) Observe(o Observer) { h.observers = append(h.observers, o) }

// Peers returns the processes that have a channel.
func (h *Hub) Peers() []*Peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*Peer, 0, len(h.peers))
	for p := range h.peers {
		list = append(list, p)
	}
	return list
}

// Open makes the channel of a process before its start, and returns the process's end. number
// is the worker's, 0 for a zygote. generation is the number of the zygote; its workers have the
// same. fault is called once, by any goroutine, when the process sends a malformed frame: the
// process must be ended.
func (h *Hub) Open(number, generation int, fault func()) (*Peer, *os.File, error) {
	return h.open(&Peer{Worker: number, Generation: generation, fault: fault})
}

// OpenBackground does the same for a process beside the workers: that of a kind and number.
func (h *Hub) OpenBackground(kind string, number, generation int, fault func()) (*Peer, *os.File, error) {
	return h.open(&Peer{Kind: kind, Number: number, Generation: generation, fault: fault})
}

func (h *Hub) open(p *Peer) (*Peer, *os.File, error) {
	fds, err := socketpair()
	if err != nil {
		return nil, nil, fmt.Errorf("channel to a process: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control")
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		_ = theirs.Close()
		return nil, nil, fmt.Errorf("channel to a process: %w", err)
	}
	p.hub, p.conn = h, conn
	p.out, p.done = make(chan []byte, outbox), make(chan struct{})
	h.mu.Lock()
	h.peers[p] = struct{}{}
	h.mu.Unlock()
	go p.read()
	go p.write()
	return p, theirs, nil
}

func socketpair() ([2]int, error) {
	syscall.ForkLock.RLock() // a child started meanwhile must not inherit them
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return fds, err
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	return fds, nil
}
