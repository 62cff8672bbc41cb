package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// What a zero value in [Config] stands for.
const (
	DefaultConnectTimeout = 5 * time.Second
	DefaultSendTimeout    = 60 * time.Second
	DefaultReadTimeout    = 60 * time.Second
	DefaultIdleTimeout    = 30 * time.Second
	DefaultIdle           = 64
	DefaultHead           = 64 << 10
)

// Balance says which upstream of a group gets a request.
type Balance uint8

// The ways to choose an upstream. All of them go by weight.
const (
	RoundRobin  Balance = iota // each in turn
	LeastOpen                  // the one with the fewest running requests
	RandomOfTwo                // two at random, then the one with fewer running requests
	Hash                       // the same for the same key, while it is a member: see Config.HashKey
)

// Server is an upstream.
type Server struct {
	// Address is http://host:port, uwsgi://host:port, or either with unix:/path in place of host and
	// port. Without a scheme it is HTTP.
	Address string
	// Weight is this upstream's share; 0 means 1.
	Weight int
}

// Config says where requests go, and how. Only Servers must be set.
type Config struct {
	// Servers are the upstreams.
	Servers []Server
	Balance Balance
	// HashKey is the key for Hash: "address" of the client, "header:NAME" or "cookie:NAME". A request
	// without that header or cookie uses the client's address.
	HashKey string

	// ConnectTimeout bounds how long a connection may take to be made.
	ConnectTimeout time.Duration
	// SendTimeout bounds how long an upstream may read no byte of a request.
	SendTimeout time.Duration
	// ReadTimeout bounds how long an upstream may be silent: until its answer begins, and within it.
	// It does not hold for connections that have been upgraded.
	ReadTimeout time.Duration
	// IdleTimeout is how long an idle connection to an upstream is kept. It should be shorter than the
	// upstream's own limit. If the upstream announces that ("Keep-Alive: timeout=5"), it is.
	IdleTimeout time.Duration
	// Idle is how many idle connections each loop keeps to each upstream. A negative value turns
	// keep-alive off.
	Idle int
	// Head bounds the head of an answer, in bytes.
	Head int

	// Health asks upstreams whether they are well.
	Health Health
	// SlowStart is how long a new or recovered upstream gets fewer requests than its share.
	SlowStart time.Duration
	// NameServers look up names, host:port each; nil means those of the system.
	NameServers []string
	// ProxyProtocol is a version of the PROXY protocol, 1 or 2. Each connection then begins with its
	// header, which has the client's address, and each request has a connection of its own.
	ProxyProtocol int

	// CA is a file with the authorities that may sign certificates of https upstreams; empty means those of
	// the system. ServerName is the name that the certificates are for; empty means the host of the
	// address.
	CA, ServerName string

	// Forwarded also writes the field of RFC 7239, beside X-Forwarded-For, -Proto and -Host.
	Forwarded bool
	// Host is sent as Host in place of the client's.
	Host string
	// URI is sent as the target in place of the client's.
	URI string
	// Modifier1 and Modifier2 are those of uwsgi packets.
	Modifier1, Modifier2 byte

	// Logf prints why a client got an error, and which upstreams are left out; nil means log.Printf.
	Logf func(format string, args ...any)
}

// Handler passes requests on. It may serve any number of loops.
type Handler struct {
	cfg     Config
	key     hashKey
	host    []byte                    // of Config
	uri     []byte                    // likewise
	servers atomic.Pointer[[]*server] // those that may be asked now
	ports   atomic.Pointer[[]*port]   // by loop

	sources  []*source // of one goroutine: New's, then follow's
	resolver *resolver
	carriers transports
	started  int64 // what members that are there from the start have in joins
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu     sync.Mutex // guards changes of ports
	closed bool
}

// Check says what is wrong with a Config. It looks nothing up.
func Check(cfg Config) error {
	_, err := parse(cfg)
	return err
}

// New returns a Handler. It looks up the names of upstreams, and again when their TTL ends. Each
// address of a name is an upstream. A failed look-up is logged and tried again later.
func New(cfg Config) (*Handler, error) {
	h, err := parse(cfg)
	if err != nil {
		return nil, err
	}
	if h.carriers, err = newTransports(h.cfg.CA); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	names := false
	for _, src := range h.sources {
		if src.address.named() {
			if h.resolver == nil {
				h.resolver = newResolver(h.cfg.NameServers)
			}
			names = true
			h.look(ctx, src, time.Now())
		} else if m, err := h.member(src.address, src.address.authority(), src.weight, nil); err == nil {
			src.members = []*server{m}
		} else {
			cancel()
			return nil, fmt.Errorf("upstream %s: %w", src.address, err)
		}
	}
	h.started = joinsNow // who comes later begins slowly
	h.gather()
	if names {
		h.wg.Go(func() { h.follow(ctx) })
	}
	if h.cfg.Health.Path != "" {
		h.wg.Go(func() { h.watch(ctx) })
	}
	return h, nil
}

// parse makes a Handler without addresses.
func parse(cfg Config) (*Handler, error) {
	def(&cfg.ConnectTimeout, DefaultConnectTimeout)
	def(&cfg.SendTimeout, DefaultSendTimeout)
	def(&cfg.ReadTimeout, DefaultReadTimeout)
	def(&cfg.IdleTimeout, DefaultIdleTimeout)
	def(&cfg.Idle, DefaultIdle)
	def(&cfg.Head, DefaultHead)
	if cfg.Logf == nil {
		cfg.Logf = log.Printf
	}
	h := &Handler{cfg: cfg, host: []byte(cfg.Host), uri: []byte(cfg.URI)}
	if len(cfg.Servers) == 0 {
		return nil, errors.New("there is no upstream")
	}
	if cfg.Host != "" {
		if err := new(codec.Request).SetHost([]byte(cfg.Host)); err != nil {
			return nil, err
		}
		if strings.ContainsAny(cfg.Host, " \t,/@?#") {
			return nil, fmt.Errorf("%q is no host to name", cfg.Host)
		}
	}
	if cfg.URI != "" {
		if err := new(codec.Request).SetTarget([]byte(cfg.URI)); err != nil || cfg.URI[0] != '/' {
			return nil, fmt.Errorf("%q is no path to ask for", cfg.URI)
		}
	}
	var err error
	if h.key, err = parseHashKey(cfg.HashKey); err != nil {
		return nil, err
	}
	for _, s := range cfg.Servers {
		a, err := parseAddress(s.Address, "http")
		if err != nil {
			return nil, err
		}
		if s.Weight < 0 {
			return nil, fmt.Errorf("upstream %s: weight %d is below 0", s.Address, s.Weight)
		}
		h.sources = append(h.sources, &source{address: a, weight: cmp.Or(s.Weight, 1)})
	}
	if p := cfg.Health.Path; p != "" && p[0] != '/' {
		return nil, fmt.Errorf("%q is no path to ask for", p)
	}
	if cfg.ProxyProtocol < 0 || cfg.ProxyProtocol > 2 {
		return nil, fmt.Errorf("the PROXY protocol has versions 1 and 2, not %d", cfg.ProxyProtocol)
	}
	def(&h.cfg.Health.Interval, 5*time.Second)
	def(&h.cfg.Health.Timeout, 2*time.Second)
	def(&h.cfg.Health.Falls, 3)
	def(&h.cfg.Health.Rises, 2)
	none := []*port{}
	h.ports.Store(&none)
	return h, nil
}

func def[T comparable](v *T, value T) { *v = cmp.Or(*v, value) }

// port returns the state of a loop. Only the first request of a loop takes the lock.
func (h *Handler) port(l *engine.Loop) *port {
	i := l.Index()
	if ports := *h.ports.Load(); i < len(ports) && ports[i] != nil {
		return ports[i]
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	ports := append([]*port(nil), *h.ports.Load()...)
	for i >= len(ports) {
		ports = append(ports, nil)
	}
	ports[i] = newPort(h, l)
	h.ports.Store(&ports)
	return ports[i]
}

// Serve implements [engine.Handler].
func (h *Handler) Serve(x *engine.Exchange) {
	r := x.Request()
	if r.Connect || string(r.Bytes(r.Method)) == "CONNECT" {
		x.ReplyText(501, "CONNECT is not passed on\n")
		return
	}
	h.port(x.Loop()).begin(x)
}

// Close closes the idle connections to upstreams, now and as they become idle, and ends health checks
// and look-ups of names. Running requests end as usual. Any goroutine may call it while the loops run.
func (h *Handler) Close() {
	h.cancel()
	h.wg.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, s := range *h.servers.Load() {
		if s.transport != nil {
			s.transport.CloseIdleConnections()
		}
	}
	for _, p := range *h.ports.Load() {
		if p != nil {
			_ = p.loop.Post(p.close)
		}
	}
}
