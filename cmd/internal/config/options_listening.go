package config

import (
	"io/fs"
	"math"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/engine"
)

// ListenConfig says where to listen.
type ListenConfig struct {
	Listens     []Listen    // in the order given
	Protocol    Protocol    // of sockets that a service manager passes and no Listen names
	Backlog     int         // connections waiting to be accepted; 0 for what the kernel allows
	ChmodSocket fs.FileMode // mode of unix sockets; 0 leaves it to the umask
	ChownSocket string      // user[:group] of unix sockets; empty leaves it
	ReusePort   bool        // other servers may listen on the same TCP ports
	// Shared are the addresses that others name as =0, =1 and so on.
	Shared   []Listen
	Abstract bool // unix sockets have no files
	// ProxyProtocol has HTTP connections begin with a header that says whose they are, where
	// one of ProxyFrom sends it: a network, or unix.
	ProxyProtocol bool
	ProxyFrom     []string
	// Proxy is made of these; nil without ProxyProtocol.
	Proxy *engine.ProxyProtocol
}

var listenDefaults = ListenConfig{Protocol: Uwsgi}

// Protocol is what is spoken on an address.
type Protocol string

// The protocols that an address can have.
const (
	HTTP  Protocol = "http"
	Uwsgi Protocol = "uwsgi"
)

// Listen is one address to listen on.
type Listen struct {
	Addr     string // host:port, :port, [v6]:port, a path, or @name; not parsed here
	Protocol Protocol
	Option   string // the option that asked for it, as written: http, http-socket, …
	Where    string // its origin for messages, like "app.ini:3: http"

	TLS       *Certificate // for clients that encrypt; nil for others
	ToHTTPS   bool         // every request is sent on to https
	HTTPSPort uint16       // the port to name there; 0 for the usual
}

var listeningRows = []row{
	{
		Option: option.Option{
			Name: "shared-socket", Aliases: []string{"undeferred-shared-socket"}, Kind: option.List, Arg: "ADDR", Status: option.Differs,
			Help: "name an address once; http, https, socket and their kin refer to the first as =0, to the second as =1",
			Note: "Low ports do not need it: uwsgo binds every address before it gives up root. An address that no option refers to is not bound.",
		},
		set: func(r *resolver, e ini.Entry) error {
			addr, err := text(e, "an address such as :80")
			r.Shared = append(r.Shared, Listen{Addr: address(addr), Where: e.Origin.Name(e.Key)})
			return err
		},
	},
	{
		Option: option.Option{
			Name: "abstract-socket", Short: 'a', Kind: option.Flag, Status: option.Same,
			Help: "give unix sockets abstract names instead of files, as an @ before the name does (Linux)",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Abstract, e) },
	},
	{
		Option: option.Option{
			Name: "enable-proxy-protocol", Aliases: []string{"http-enable-proxy-protocol"}, Kind: option.Flag, Arg: "BOOL", Optional: true, Status: option.Differs,
			Help: "on HTTP addresses, take the client's address from the PROXY protocol header of a load balancer, version 1 or 2",
			Note: "Only peers in --proxy-protocol-from may send it. Others get 400, and the log says so. uWSGI believes everybody, and reads version 1 only.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.ProxyProtocol, e) },
	},
	{
		Option: option.Option{
			Name: "proxy-protocol-from", Kind: option.List, Arg: "NETWORKS", Default: "127.0.0.0/8,::1,unix", Status: option.Own,
			Help: "who may send the PROXY protocol header: addresses, networks (10.0.0.0/8) and the word unix, separated by commas",
			Note: "The peers named here must send it. Without this option the machine itself may send it, or leave it out.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.ProxyFrom, e, "addresses or networks") },
	},
	{
		Option: option.Option{
			Name: "http", Aliases: []string{"httprouter"}, Kind: option.List, Arg: "ADDR", Status: option.Differs,
			Help: "listen for HTTP on this address: :8080, 127.0.0.1:8080, [::1]:8080, a path for a unix socket, @name for an abstract one",
			Note: "The same listener as http-socket and http11-socket: no router process in between. `:8080` listens on IPv4 and IPv6.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.listen(e, HTTP) },
	},
	{
		Option: option.Option{
			Name: "http-socket", Kind: option.List, Arg: "ADDR", Status: option.Differs,
			Help: "listen for HTTP, the same as --http",
			Note: "uWSGI answers one request a connection here; uwsgo keeps connections alive.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.listen(e, HTTP) },
	},
	{
		Option: option.Option{
			Name: "http11-socket", Kind: option.List, Arg: "ADDR", Status: option.Differs,
			Help: "listen for HTTP, the same as --http",
			Note: "Pipelined requests and unread bodies no longer end the connection.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.listen(e, HTTP) },
	},
	{
		Option: option.Option{
			Name: "socket", Short: 's', Kind: option.List, Arg: "ADDR", Status: option.Differs,
			Help: "listen on this address, for the uwsgi protocol unless --protocol says otherwise",
			Note: "`:3031` listens on IPv4 and IPv6. HTTP sent here by mistake is answered with an error that says so.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.listen(e, "") }, // settleListening fills in what protocol says
	},
	{
		Option: option.Option{
			Name: "uwsgi-socket", Kind: option.List, Arg: "ADDR", Status: option.Differs,
			Help: "listen for the uwsgi protocol, whatever --protocol says",
			Note: "As for `socket`.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.listen(e, Uwsgi) },
	},
	{
		Option: option.Option{
			Name: "protocol", Aliases: []string{"socket-protocol"}, Kind: option.Text, Arg: "NAME", Default: "uwsgi", Status: option.Differs,
			Help: "what --socket addresses speak: uwsgi, http or http11",
			Note: "fastcgi, scgi, suwsgi, puwsgi, https and raw are not supported yet and end the start.",
		},
		set: (*resolver).protocol,
	},
	{
		Option: option.Option{
			Name: "listen", Short: 'l', Kind: option.Int, Arg: "N", Immediate: true, Default: "what the kernel allows", Status: option.Differs,
			Help: "let this many connections wait to be accepted, per address",
			Note: "uWSGI's default is 100, and it does not start when N is above the kernel's limit; here the limit holds.",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Backlog, e, math.MaxInt32) },
	},
	{
		Option: option.Option{
			Name: "chmod-socket", Aliases: []string{"chmod"}, Short: 'C', Kind: option.Text, Arg: "MODE", Optional: true, Status: option.Same,
			Help: "give unix sockets this mode, three octal digits; without a value or with 1: 666",
		},
		set: (*resolver).chmodSocket,
	},
	{
		Option: option.Option{
			Name: "chown-socket", Kind: option.Text, Arg: "USER[:GROUP]", Status: option.Same,
			Help: "give unix sockets to this user and group, by name or number",
		},
		set: (*resolver).chownSocket,
	},
	{
		Option: option.Option{
			Name: "reuse-port", Kind: option.Flag, Status: option.Differs,
			Help: "share the TCP ports with other servers that have this option; the kernel spreads the connections over them",
			Note: "The start ends where the system lacks it; uWSGI goes on without it. Nobody notices a second start by mistake.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.ReusePort, e) },
	},
}

func (r *resolver) listen(e ini.Entry, p Protocol) error {
	addr, err := text(e, "an address such as :8080")
	if err != nil {
		return err
	}
	r.Listens = append(r.Listens, Listen{Addr: address(addr), Protocol: p, Option: e.Key, Where: e.Origin.Name(e.Key)})
	return nil
}

func (r *resolver) protocol(e ini.Entry) error {
	switch e.Value {
	case "uwsgi":
		r.Protocol = Uwsgi
	case "http", "http11":
		r.Protocol = HTTP
	case "https", "fastcgi", "fastcgi-nph", "scgi", "scgi-nph", "puwsgi", "suwsgi", "raw":
		return e.Origin.Errorf(e.Key, "protocol %s is not supported yet: use uwsgi or http", e.Value)
	default:
		return oneOf(e, []string{"uwsgi", "http", "http11"})
	}
	return nil
}

func (r *resolver) chmodSocket(e ini.Entry) (err error) {
	r.ChmodSocket, err = mode(e)
	return err
}

func (r *resolver) chownSocket(e ini.Entry) (err error) {
	r.ChownSocket, err = owner(e)
	return err
}

func (r *resolver) settleListening() error {
	if err := r.share(); err != nil {
		return err
	}
	r.yieldToStats()
	for i := range r.Listens {
		if r.Listens[i].Protocol == "" {
			r.Listens[i].Protocol = r.Protocol
		}
	}
	return r.settleProxy()
}

// yieldToStats leaves out unix sockets that have the path of the statistics, which in uWSGI
// are bound last and so have it. The only address is not left out: it ends the start.
func (r *resolver) yieldToStats() {
	if r.Stats == "" || strings.Contains(r.Stats, ":") {
		return
	}
	others := slices.DeleteFunc(slices.Clone(r.Listens), func(l Listen) bool { return l.Addr == r.Stats })
	if len(others) == len(r.Listens) || len(others) == 0 {
		return
	}
	r.list.Warnf("stats: %s is also the path of a socket: as in uWSGI the statistics have it, and nobody reaches the app there: choose another path for one", r.Stats)
	r.Listens = others
}
