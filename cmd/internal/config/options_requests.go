package config

import (
	"math"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/handler/forwarded"
)

// RequestConfig bounds requests.
type RequestConfig struct {
	BufferSize     int           // bytes of a request head, 32 KiB to 1 MiB
	HTTPTimeout    time.Duration // silence of an HTTP client within a request
	SocketTimeout  time.Duration // silence of a uwsgi client within a request
	KeepAlive      time.Duration // idle time of an HTTP connection; 0 closes after each request
	QueueSize      int           // requests that may wait for a worker; 0 for none
	QueueTimeout   time.Duration // how long each may; 0 for ever
	Lanes          bool          // keep slow routes from taking every thread
	LimitPost      int64         // bytes of a request body; 0 for no limit
	LimitBuffers   int64         // memory of all connections in bytes; 0 for the server's choice
	NoWriteErrors  bool          // write() raises nothing when the client has gone
	WriteErrors    int           // how many such errors are borne
	ThrowErrors    bool          // they only raise OSError in the app, which ends itself or goes on
	TrustedProxies []string      // networks of front servers that may say who the client is: see package forwarded
	TrustedHeaders []string      // that they write; nil for the usual ones
	PostBuffering  int64         // bytes of a body kept in memory; 0 for the server's choice
}

var requestDefaults = RequestConfig{
	BufferSize:    minBufferSize,
	HTTPTimeout:   60 * time.Second,
	SocketTimeout: 60 * time.Second,
	KeepAlive:     125 * time.Second, // as engine.DefaultIdleTimeout
	QueueSize:     16 << 10,
	Lanes:         true,
}

// The bounds of buffer-size, and the least limit-buffers, in bytes.
const (
	minBufferSize = 32 << 10
	maxBufferSize = 1 << 20
	minBuffers    = 1 << 20
)

// maxQueueSize is a bit less than one event loop can number.
const maxQueueSize = 60_000

var requestRows = []row{
	{
		Option: option.Option{
			Name: "trusted-proxy", Kind: option.List, Arg: "NETWORKS", Status: option.Own,
			Help: "take the client's address and scheme from X-Forwarded-For and X-Forwarded-Proto of front servers with these addresses: 10.0.0.0/8, 192.0.2.1, loopback, unix",
			Note: "uwsgo removes such headers from the requests of all others. Without this option apps get them unchanged, and uwsgo ignores them.",
		},
		set: (*resolver).trustedProxy,
	},
	{
		Option: option.Option{
			Name: "trusted-proxy-headers", Kind: option.List, Arg: "NAMES", Default: "X-Forwarded-For, X-Forwarded-Proto", Status: option.Own,
			Help: "the headers that the front servers of trusted-proxy write themselves; also Forwarded, X-Real-IP, X-Forwarded-Host, -Port, -Prefix, -Ssl, -Scheme, X-Scheme, X-Url-Scheme, Front-End-Https",
			Note: "Never name a header that they pass on from the client: a client could then claim any address.",
		},
		set: (*resolver).trustedHeaders,
	},
	{
		Option: option.Option{
			Name: "buffer-size", Short: 'b', Kind: option.Size, Arg: "BYTES", Default: "32768", Status: option.Differs,
			Help: "the largest request head, or uwsgi packet, that is accepted",
			Note: "uWSGI's default is 4096. Values below 32768 count as 32768. HTTP allows more than 65535, up to 1 MiB.",
		},
		set: (*resolver).bufferSize,
	},
	{
		Option: option.Option{
			Name: "http-timeout", Kind: option.Seconds, Arg: "SECONDS", Default: "60", Status: option.Differs,
			Help: "how long an HTTP client may be silent within a request",
			Note: "It holds for every HTTP address. The time that the app takes does not count.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.HTTPTimeout, e) },
	},
	{
		Option: option.Option{
			Name: "socket-timeout", Short: 'z', Kind: option.Seconds, Arg: "SECONDS", Default: "60", Status: option.Differs,
			Help: "how long a uwsgi client may be silent within a request",
			Note: "The time that the app takes does not count. uWSGI's default is 4, which cuts off slow uploads and downloads.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.SocketTimeout, e) },
	},
	{
		Option: option.Option{
			Name: "http-keepalive", Kind: option.Seconds, Arg: "SECONDS", Optional: true, Default: "125", Status: option.Differs,
			Help: "close an HTTP connection that has been idle for N seconds; 0 closes after each request, 1 and true mean the default",
			Note: "On by default, for every HTTP address. It must be longer than front servers keep an idle connection (60 s in nginx and AWS), else some of their requests get 502. uWSGI reads `true` as 0, off.",
		},
		set: (*resolver).keepAlive,
	},
	{
		Option: option.Option{
			Name: "disable-write-exception", Kind: option.Flag, Status: option.Same,
			Help: "let write() raise nothing when the client has gone",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.NoWriteErrors, e) },
	},
	{
		Option: option.Option{
			Name: "write-errors-tolerance", Kind: option.Int, Arg: "N", Default: "0", Status: option.Same,
			Help: "with 1 or more, write() raises nothing when the client has gone, and an iterable is read to its end",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.WriteErrors, e, math.MaxInt32) },
	},
	{
		Option: option.Option{
			Name: "write-errors-exception-only", Kind: option.Flag, Status: option.Differs,
			Help: "raise OSError in the app's generator when the client has gone; if the app goes on, read it to its end",
			Note: "uWSGI raises it later, often as SystemError.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.ThrowErrors, e) },
	},
	{
		Option: option.Option{
			Name: "queue-size", Kind: option.Int, Arg: "N", Default: "16384", Status: option.Own,
			Help: "let N requests wait for a worker, over all addresses; more get 503 at once; 0 lets none wait",
			Note: "In uWSGI requests wait in the backlog of the sockets, see `listen`.",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.QueueSize, e, maxQueueSize) },
	},
	{
		Option: option.Option{
			Name: "queue-timeout", Kind: option.Fraction, Arg: "SECONDS", Status: option.Own,
			Help: "answer 503 to a request that has waited N seconds for a worker, and never run it; refuse at once a request that would wait longer",
			Note: "Without it a request waits as long as its client does. `harakiri` limits the time that it runs.",
		},
		set: func(r *resolver, e ini.Entry) error { return setFraction(&r.QueueTimeout, e) },
	},
	{
		Option: option.Option{
			Name: "lanes", Kind: option.Flag, Arg: "BOOL", Optional: true, Default: "true", Status: option.Own,
			Help: "let slow routes hold at most three quarters of the worker threads while fast ones have requests",
			Note: "It needs two threads or more in all. A route is a method and the first three segments of a path.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Lanes, e) },
	},
	{
		Option: option.Option{
			Name: "limit-post", Kind: option.Size, Arg: "BYTES", Status: option.Differs,
			Help: "refuse request bodies larger than this",
			Note: "The client gets 413; uWSGI drops the connection.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSize(&r.LimitPost, e) },
	},
	{
		Option: option.Option{
			Name: "post-buffering", Kind: option.Size, Arg: "BYTES", Status: option.Differs,
			Help: "keep bodies up to this size in memory, larger ones in a temporary file",
			Note: "Bodies are always buffered before the app runs, by default up to 8 MiB in memory shared with the workers (Linux), else up to 64 KiB. `true` means 1. The file has no name and is in TMPDIR, else /tmp; " +
				"where none can be made there the body is kept in memory, within `limit-buffers`.",
		},
		set: (*resolver).postBuffering,
	},
	{
		Option: option.Option{
			Name: "limit-buffers", Kind: option.Size, Arg: "BYTES", Status: option.Own,
			Help: "bound the memory of all connections together: heads, bodies, unread answers; 1 MiB at least, 0 for the default",
			Note: "When half is in use, bodies go to files earlier. When all is, new requests get 503 with `Retry-After`. " +
				"By default an eighth of the memory that the machine or the container has, from 32 MiB to 512 MiB.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSize(&r.LimitBuffers, e) },
	},
}

func (r *resolver) bufferSize(e ini.Entry) error {
	n, err := size(e)
	if err == nil {
		r.BufferSize = int(min(n, math.MaxInt32))
	}
	return err
}

func (r *resolver) keepAlive(e ini.Entry) error {
	n, err := numberOrTrue(e, times, maxSeconds)
	if err != nil {
		return err
	}
	r.KeepAlive = time.Duration(n) * time.Second
	if word, _, _ := strings.Cut(strings.TrimSpace(e.Value), " "); n == 1 && strings.Trim(word, "s") == word { // not 1s
		r.KeepAlive = requestDefaults.KeepAlive
	}
	return nil
}

func (r *resolver) postBuffering(e ini.Entry) (err error) {
	r.PostBuffering, err = numberOrTrue(e, sizes, maxBytes)
	return err
}

func (r *resolver) settleRequests() error {
	if r.BufferSize > maxBufferSize {
		r.list.Warnf("buffer-size: %d is too much: it is %d", r.BufferSize, maxBufferSize)
	}
	r.BufferSize = min(max(r.BufferSize, minBufferSize), maxBufferSize)
	if r.LimitBuffers > 0 {
		r.LimitBuffers = max(r.LimitBuffers, minBuffers)
	}
	return nil
}

func (r *resolver) trustedHeaders(e ini.Entry) error {
	names := words(e.Value)
	if len(names) == 0 {
		return e.Origin.Errorf(e.Key, "the headers are missing, such as X-Forwarded-For")
	}
	if _, err := forwarded.New(nil, forwarded.Proxies{}, names); err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	r.TrustedHeaders = append(r.TrustedHeaders, names...)
	return nil
}

func (r *resolver) trustedProxy(e ini.Entry) error {
	networks := words(e.Value)
	if len(networks) == 0 {
		return e.Origin.Errorf(e.Key, "the networks of the front servers are missing, such as 10.0.0.0/8, loopback or unix")
	}
	if _, err := forwarded.Parse(networks); err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	r.TrustedProxies = append(r.TrustedProxies, networks...)
	return nil
}
