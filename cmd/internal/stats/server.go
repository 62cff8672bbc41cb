package stats

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

const (
	// peekTime is how long a connection may be silent before it counts as a plain reader. An HTTP
	// request comes with the end of the handshake, so it is there at once or moments later.
	peekTime = 20 * time.Millisecond
	// connTime bounds one connection and, with [Options.HTTP], the wait for a request: uWSGI's
	// socket-timeout.
	connTime = 4 * time.Second
	// lingerTime is how long a closed HTTP answer waits for its reader to close too. Closing with
	// unread input resets the connection and can lose the answer.
	lingerTime = time.Second
	// maxConns bounds the readers at one time, peerConns those of one peer: an IP address, or all
	// who come by a unix socket. For one more the oldest goes: a document leaves in a moment, so
	// that reader is slow or reads nothing.
	maxConns  = 64
	peerConns = 32
	// maxRequest bounds an HTTP request, in bytes.
	maxRequest = 16 << 10
)

// Options are the options of a [Server]. The zero value is uWSGI's default.
type Options struct {
	// HTTP is stats-http: every connection is expected to send an HTTP request
	// and has 4 s for it. Without it HTTP is answered all the same when the request
	// comes at once, as it does from any HTTP program. No page of another site may
	// read the answer.
	HTTP bool
	// Hosts are names by which HTTP requests over TCP may ask, besides addresses, localhost, the
	// host of the address and the machine's name.
	Hosts []string
	// Minified is stats-minified: no line breaks and tabs.
	Minified bool
	// NoCores is stats-no-cores: the cores of the workers are left out.
	NoCores bool
	// Mode is the mode of a unix socket (chmod-socket); 0 leaves it to the umask.
	Mode fs.FileMode
	// Owner is the user[:group] of a unix socket; empty leaves it.
	Owner string
	// Inherited is a socket that already listens on the address: that of the predecessor. New
	// closes it in any case.
	Inherited *os.File

	peek time.Duration // the wait for a request without HTTP; 0 for peekTime
}

// Server gives a [Snapshot] to each connection and closes it. It runs on goroutines of its own,
// apart from the loops. Any goroutine may call its methods.
type Server struct {
	listener net.Listener
	document func() ([]byte, error) // returns the JSON of this
	options  Options

	socket   *engine.Socket
	keepFile atomic.Bool // Close does not remove the socket file

	stop     chan struct{}
	stopOnce sync.Once
	running  sync.WaitGroup

	hosts map[string]bool // names that get answers, in lower case

	mu      sync.Mutex
	readers []*reader // the oldest first
}

// reader is one connection.
type reader struct {
	net.Conn
	peer string
}

// New listens on addr and serves until [Server.Close]. The address has one of uWSGI's forms:
// host:port, :port, /path/of/unix.sock or @abstract (Linux). Everybody who reaches it may read;
// there is no password, so prefer a unix socket or localhost.
//
// New calls snapshot once for each connection, on several goroutines at a time. It must not block,
// and its result belongs to the server.
func New(addr string, snapshot func() Snapshot, options Options) (*Server, error) {
	return NewDocument(addr, func() ([]byte, error) {
		now := snapshot()
		if options.NoCores {
			for i := range now.Workers {
				now.Workers[i].Cores = nil
			}
		}
		return Append(nil, &now, options.Minified)
	}, options)
}

// NewDocument is New for another document than a Snapshot.
func NewDocument(addr string, document func() ([]byte, error), options Options) (*Server, error) {
	s := &Server{document: document, options: options, stop: make(chan struct{}), hosts: hostNames(addr, options.Hosts)}
	if err := s.listen(addr); err != nil {
		return nil, err
	}
	s.running.Add(1)
	go s.accept()
	return s, nil
}

// Addr returns the address of the server.
func (s *Server) Addr() net.Addr {
	if addr := s.listener.Addr(); addr.Network() != "unix" {
		return addr
	}
	// The kernel knows the file by its first name.
	return &net.UnixAddr{Name: s.socket.String(), Net: "unix"}
}

// File returns a copy of the socket, for [Options.Inherited] of another process.
func (s *Server) File() (*os.File, error) { return s.socket.File() }

// OwnsFile reports whether there is a socket file for Close to remove.
func (s *Server) OwnsFile() bool { return s.socket.OwnsFile() }

// KeepFile says whether Close leaves the socket file. While two processes have the socket, only one
// of them may remove the file.
func (s *Server) KeepFile(keep bool) { s.keepFile.Store(keep) }

// Close stops listening, ends the connections, removes the unix socket unless it is another
// process's by now, and waits for its goroutines.
func (s *Server) Close() error {
	var err error
	s.stopOnce.Do(func() {
		close(s.stop)
		if !s.keepFile.Load() {
			_, err = s.socket.Unlink()
		}
		err = errors.Join(s.listener.Close(), s.socket.Close(), err)
		s.mu.Lock()
		for _, c := range s.readers {
			c.Close()
		}
		s.mu.Unlock()
	})
	s.running.Wait()
	return err
}

// listen opens the socket, or takes the inherited one.
func (s *Server) listen(addr string) (err error) {
	if f := s.options.Inherited; f != nil {
		s.socket, err = engine.AdoptSocket(f, addr)
	} else {
		s.socket, err = engine.OpenSocket(addr, engine.ListenOptions{Mode: s.options.Mode, Owner: s.options.Owner})
	}
	if err != nil {
		return err
	}
	if s.listener, err = s.socket.Listener(); err != nil {
		_, _ = s.socket.Unlink()
		_ = s.socket.Close()
	}
	return err
}

func (s *Server) accept() {
	defer s.running.Done()
	for {
		c, err := s.listener.Accept()
		if err != nil {
			select {
			case <-s.stop:
				return
			case <-time.After(100 * time.Millisecond): // out of descriptors: they come back
				continue
			}
		}
		r := &reader{Conn: c, peer: peerOf(c)}
		if !s.adopt(r) {
			c.Close()
			return
		}
		s.running.Go(func() {
			s.serve(r)
			s.drop(r)
		})
	}
}

// peerOf returns whose connections count together: an IP address, a network of IPv6, or all who
// come by a unix socket.
func peerOf(c net.Conn) string {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	addr := a.AddrPort().Addr().Unmap()
	if addr.Is6() {
		if network, err := addr.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}

// adopt notes r, so that Close can end it, and makes room for it. It returns false after Close.
func (s *Server) adopt(r *reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.stop:
		return false
	default:
	}
	count := map[string]int{}
	most := r.peer
	for _, other := range s.readers {
		count[other.peer]++
		if count[other.peer] > count[most] {
			most = other.peer
		}
	}
	switch {
	case count[r.peer] >= peerConns:
		s.evict(r.peer)
	case len(s.readers) >= maxConns:
		s.evict(most)
	}
	s.readers = append(s.readers, r)
	return true
}

// evict ends the oldest connection of a peer. The caller holds the lock.
func (s *Server) evict(peer string) {
	i := slices.IndexFunc(s.readers, func(r *reader) bool { return r.peer == peer })
	s.readers[i].Close()
	s.readers = slices.Delete(s.readers, i, i+1)
}

func (s *Server) drop(r *reader) {
	s.mu.Lock()
	if i := slices.Index(s.readers, r); i >= 0 {
		s.readers = slices.Delete(s.readers, i, i+1)
	}
	s.mu.Unlock()
	r.Close()
}

// serve answers one connection. It reports no errors: the reader sees them.
func (s *Server) serve(r *reader) {
	c := r.Conn
	wait := peekTime
	switch {
	case s.options.HTTP:
		wait = connTime
	case s.options.peek != 0:
		wait = s.options.peek
	}
	_ = c.SetDeadline(time.Now().Add(wait))
	in := bufio.NewReader(io.LimitReader(c, maxRequest))
	_, err := in.Peek(1)
	_ = c.SetDeadline(time.Now().Add(connTime))
	if err != nil { // silent, or closed for writing: a plain reader
		if body, err := s.document(); err == nil {
			_, _ = c.Write(body)
		}
		return
	}
	if s.answer(c, in) != nil {
		return
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.Copy(io.Discard, c)
	}
}

// answer reads one HTTP request from in and answers it. As in uWSGI, any path will do.
func (s *Server) answer(c net.Conn, in *bufio.Reader) error {
	response := http.Response{
		StatusCode: http.StatusOK,
		ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type": {"application/json"}, "Cache-Control": {"no-store"},
			"X-Content-Type-Options": {"nosniff"}, "Cross-Origin-Resource-Policy": {"same-origin"},
		},
		Close: true,
	}
	var body []byte
	request, err := http.ReadRequest(in)
	switch {
	case err != nil:
		response.StatusCode = http.StatusBadRequest
	case !s.mayAsk(c, request):
		response.StatusCode = http.StatusForbidden
	case request.Method != http.MethodGet && request.Method != http.MethodHead:
		response.StatusCode = http.StatusMethodNotAllowed
		response.Header.Set("Allow", "GET, HEAD")
	default:
		if body, err = s.document(); err != nil {
			response.StatusCode = http.StatusInternalServerError
		}
	}
	if response.StatusCode != http.StatusOK {
		response.Header.Set("Content-Type", "text/plain")
		body = []byte(http.StatusText(response.StatusCode) + "\n")
	}
	if response.StatusCode == http.StatusForbidden {
		body = []byte(forbidden)
	}
	response.Request = request
	response.ContentLength = int64(len(body))
	response.Body = io.NopCloser(strings.NewReader(string(body)))
	return response.Write(c)
}
