package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/certificate"
	"github.com/uwsgo/uwsgo/handler/header"
)

// engineOptions returns the settings of the engine, without the log.
func engineOptions(cfg *config.Config, loops int) (engine.Options, error) {
	idle := cfg.KeepAlive
	if idle == 0 {
		idle = -1
	}
	// Bodies that post-buffering keeps in memory lie in memory that workers share.
	shared := int64(engine.DefaultSharedBodies)
	if cfg.PostBuffering > 0 {
		shared = cfg.PostBuffering
	}
	every, err := everyAnswer(cfg)
	reserve := 128 + 2*cfg.Processes*(1+loops*cfg.Threads)
	if cfg.PassesOn() {
		reserve = math.MaxInt32 // half: each client may have a connection to another server
	}
	return engine.Options{
		Policy: codec.Policy{Upgrade: true}, // apps take WebSockets, and servers behind do
		Loops:  loops,
		Limits: limitsOf(cfg), BodyMemory: int(cfg.PostBuffering), SharedBodies: int(shared), IdleTimeout: idle, MaxMemory: cfg.LimitBuffers,
		// A worker and its successor have a stream for each thread and loop, and a channel.
		ReserveFiles: reserve,
		DiskThreads:  cfg.DiskThreads,
		HeadTimeout:  cfg.HTTPTimeout, BodyTimeout: cfg.HTTPTimeout, WriteTimeout: cfg.HTTPTimeout,
		Every: every,
	}, err
}

// limitsOf returns the limits of requests.
func limitsOf(cfg *config.Config) codec.Limits {
	limits := codec.Limits{Head: cfg.BufferSize, Target: cfg.BufferSize, Body: cfg.LimitPost}
	if limits.Body == 0 {
		limits.Body = -1
	}
	return limits
}

// everyAnswer changes the headers of all answers; nil changes none.
func everyAnswer(cfg *config.Config) (func(*engine.Exchange), error) {
	if len(cfg.AddHeader)+len(cfg.RemHeader) == 0 {
		return nil, nil
	}
	h, err := header.New(nil, header.Options{Add: cfg.AddHeader, Remove: cfg.RemHeader})
	if err != nil {
		return nil, err
	}
	return h.Push, nil
}

// sockets are the addresses where the server takes requests. Only the goroutine of serve calls
// the methods.
type sockets struct {
	*site
	engine *engine.Server
	user   privilege.Identity // the user that the server becomes; unix sockets belong to it
	vassal bool               // an emperor has started the server
	role   *succession.Role
	ending *life.Ending
	logf   func(format string, args ...any)

	secure certificate.HandlerOptions // addresses that encrypt, and addresses that redirect to them
	open   []openSocket
}

// openSocket is a listener and where it came from.
type openSocket struct {
	*engine.Listener
	option  string // its address as options have it
	systemd bool   // systemd has passed it
	routed  bool   // http-to is for its requests
}

// routed reports whether http-to is for the requests of a listener.
func (s *sockets) routed(ln *engine.Listener) bool {
	return slices.ContainsFunc(s.open, func(o openSocket) bool { return o.Listener == ln && o.routed })
}

// bindAll takes over the sockets that were inherited, and binds the other addresses.
func (s *sockets) bindAll(inherited []succession.Socket) error {
	s.secure = certificate.HandlerOptions{
		Stores: map[*engine.Listener]*certificate.Store{}, Redirects: map[*engine.Listener]uint16{},
		ExportCert: s.cfg.ExportCert, StrictTransport: s.cfg.StrictTransport,
	}
	listens := s.cfg.Listens
	for _, sock := range inherited {
		l := config.Listen{Addr: sock.Addr.String(), Protocol: s.cfg.Protocol, Where: "inherited socket"}
		if i := slices.IndexFunc(listens, func(l config.Listen) bool { return sock.IsOf(l.Addr) }); i >= 0 {
			l = listens[i]
			listens = slices.Delete(slices.Clone(listens), i, i+1)
		} else if !sock.Always {
			s.role.Before.Unwanted(sock)
			continue
		}
		err := s.bind(l, &sock, func(o engine.ListenOptions) (*engine.Listener, error) { return s.engine.Adopt(sock.FD, o) })
		if err != nil {
			return err
		}
	}
	for _, l := range listens {
		err := s.bind(l, nil, func(o engine.ListenOptions) (*engine.Listener, error) { return s.engine.Listen(l.Addr, o) })
		if err != nil {
			return err
		}
	}
	return nil
}

// bind opens one address and logs it. inherited is nil for a new socket.
func (s *sockets) bind(l config.Listen, inherited *succession.Socket, open func(engine.ListenOptions) (*engine.Listener, error)) error {
	cfg := s.cfg
	o := engine.ListenOptions{Backlog: cfg.Backlog, Mode: cfg.ChmodSocket, Owner: cfg.ChownSocket, ReusePort: cfg.ReusePort}
	if o.Owner == "" {
		o.Owner = s.user.Owner()
	}
	if o.Mode == 0 && cfg.Daemonize != "" && cfg.Umask < 0 && !s.vassal {
		o.Mode = 0o777 // uWSGI's daemons have no umask: nginx may be another user
	}
	kind := "http"
	if l.Protocol == config.HTTP {
		o.ProxyProtocol = cfg.Proxy
	}
	if l.Protocol == config.Uwsgi {
		o.Protocol, o.Timeout, kind = engine.UWSGI, cfg.SocketTimeout, "uwsgi"
	}
	var store *certificate.Store
	if l.TLS != nil {
		var err error
		if store, err = s.certificates(l, s.logf); err != nil {
			return fmt.Errorf("%s: %w", l.Where, err)
		}
		o.TLS, kind = store.Config(), kind+"s"
	}
	how := "bound to"
	if inherited != nil {
		how, o.Address = "inherited as", inherited.Address
	}
	number := len(s.engine.Listeners())
	ln, err := open(o)
	if err != nil {
		return fmt.Errorf("%s: %w", l.Where, err)
	}
	if store != nil {
		s.secure.Stores[ln] = store
	}
	if l.ToHTTPS {
		s.secure.Redirects[ln] = l.HTTPSPort
	}
	s.open = append(s.open, openSocket{ln, l.Addr, inherited != nil && inherited.Always, routed(l)})
	s.ending.Later(func() { // a start that fails leaves nothing behind
		if !s.ending.Started && inherited == nil {
			_, _ = ln.Unlink()
		}
	})
	at := "TCP address"
	if ln.Unix() {
		at = "UNIX address"
	}
	s.logf("%s socket %d %s %s %s", kind, number, how, at, ln)
	if _, clamped := ln.Backlog(); clamped {
		s.logf("*** WARNING: listen = %d is more than this system allows (net.core.somaxconn): it holds fewer ***", cfg.Backlog)
	}
	return nil
}

// certificates reads those of an address, and those of the sites. As in uWSGI their files are
// relative to the directory where the server was started.
func (s *site) certificates(l config.Listen, logf func(format string, args ...any)) (*certificate.Store, error) {
	cfg := s.cfg
	pair := func(c config.Certificate) certificate.Pair {
		authorities, must := strings.CutPrefix(c.ClientCA, "!")
		return certificate.Pair{
			Cert: s.fromStart(c.Cert), Key: s.fromStart(c.Key), Ciphers: c.Ciphers,
			ClientCA: s.fromStart(authorities), ClientMust: must,
		}
	}
	o := certificate.Options{
		Pair: pair(*l.TLS), Dir: s.fromStart(cfg.SiteDir), DirCiphers: cfg.SiteDirCiphers, HTTP2: cfg.HTTP2 && l.Protocol == config.HTTP,
		Depth: cfg.VerifyDepth, Logf: logf,
	}
	for _, site := range cfg.Sites {
		o.Sites = append(o.Sites, certificate.Site{Name: site.Name, Pattern: site.Pattern, Pair: pair(site.Certificate)})
	}
	return certificate.New(o)
}

// vacuum removes the files of unix sockets, if vacuum is set and no other server has them.
func (s *sockets) vacuum() {
	if !s.cfg.Vacuum || s.role.Shared() {
		return
	}
	for _, ln := range s.engine.Listeners() {
		if removed, err := ln.Unlink(); err != nil {
			s.logf("VACUUM: %v", err)
		} else if removed {
			s.logf("VACUUM: unix socket %s removed.", ln)
		}
	}
}

// handed returns the sockets as a successor gets them.
func (s *sockets) handed() (list []succession.Handed) {
	for _, ln := range s.open {
		h := succession.Handed{Option: ln.option, Owned: ln.OwnsFile(), File: ln.File}
		if !ln.systemd {
			h.Address = ln.String()
		}
		list = append(list, h)
	}
	return list
}

// relative reports whether a socket file has a relative name. The server then stays in the
// directory where it can remove the file.
func (s *sockets) relative() bool {
	return slices.ContainsFunc(s.open, func(ln openSocket) bool { return ln.OwnsFile() && relativeSocket(ln.String()) })
}
