package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// TLSConfig holds for all addresses that encrypt.
type TLSConfig struct {
	Sites           []Site
	SiteDir         string // a directory with NAME.crt, NAME.key and NAME.ca of more sites; empty for none
	SiteDirCiphers  string
	HTTP2           bool
	ExportCert      bool
	VerifyDepth     int
	StrictTransport time.Duration // 0 for none
	TLSErrors       bool          // failed handshakes are logged
}

var tlsDefaults = TLSConfig{HTTP2: true, VerifyDepth: 1}

// Certificate names files in PEM.
type Certificate struct {
	Cert, Key string
	Ciphers   string // OpenSSL's list for TLS 1.2; empty for the usual
	ClientCA  string // authorities of clients; after ! every client needs one; empty for none
}

// Site is the certificate for a name.
type Site struct {
	Name    string         // or *.name
	Pattern *regexp.Regexp // takes the place of a name
	Certificate
}

var tlsRows = []row{
	{
		Option: option.Option{
			Name: "https", Aliases: []string{"https2", "https-socket"}, Kind: option.List, Arg: "ADDR,CERT,KEY", Status: option.Differs,
			Help: "listen for HTTPS: address, certificate file, key file, then optionally ciphers and a file of client authorities (with ! before it every client needs a certificate); or addr=…,cert=…,key=…,ciphers=…,clientca=…",
			Note: "TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2. uwsgo reads changed files again, and refuses a key that everybody can read.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.listenTLS(e, HTTP) },
	},
	{
		Option: option.Option{
			Name: "ssl-socket", Aliases: []string{"suwsgi-socket"}, Kind: option.List, Arg: "ADDR,CERT,KEY", Status: option.Differs,
			Help: "listen for the uwsgi protocol over TLS; the value is like that of https",
			Note: "As for `https`.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.listenTLS(e, Uwsgi) },
	},
	{
		Option: option.Option{
			Name: "http-to-https", Kind: option.List, Arg: "ADDR[,PORT]", Status: option.Differs,
			Help: "listen for HTTP on this address and redirect every request to https, at this port if it is not 443",
			Note: "GET and HEAD get 301. Other methods get 308, so that the client keeps the method.",
		},
		set: (*resolver).redirectTLS,
	},
	{
		Option: option.Option{
			Name: "http2", Kind: option.Flag, Default: "true", Status: option.Own,
			Help: "offer HTTP/2 to clients of https addresses; =false turns it off",
			Note: "A request over HTTP/2 costs more CPU than one over HTTP/1.1; browsers load pages of many parts sooner.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.HTTP2, e) },
	},
	{
		Option: option.Option{
			Name: "sni", Kind: option.List, Arg: "NAME CERT,KEY", Status: option.Differs,
			Help: "the certificate for clients that ask for this name, or *.name; ciphers and client authorities may follow as in https",
			Note: "A certificate that cannot be used ends the start; uWSGI goes on with another one. If a name has client authorities of its own, a request for it on a connection to another name gets 421.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.sni(e, false) },
	},
	{
		Option: option.Option{
			Name: "sni-regexp", Kind: option.List, Arg: "REGEXP CERT,KEY", Status: option.Differs,
			Help: "the same for names that a regular expression matches",
			Note: "RE2, as in routes.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.sni(e, true) },
	},
	{
		Option: option.Option{
			Name: "sni-dir", Kind: option.Text, Arg: "DIR", Status: option.Same,
			Help: "use NAME.crt, NAME.key and NAME.ca of this directory when a client asks for NAME",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.SiteDir, e, "a directory") },
	},
	{
		Option: option.Option{
			Name: "sni-dir-ciphers", Kind: option.Text, Arg: "CIPHERS", Status: option.Differs,
			Help: "TLS 1.2 ciphers for the certificates in sni-dir",
			Note: "Only the strong ciphers of the list count. Names of groups change nothing.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.SiteDirCiphers, e, "a list of ciphers") },
	},
	{
		Option: option.Option{
			Name: "https-export-cert", Kind: option.Flag, Status: option.Same,
			Help: "give apps the client's certificate in PEM as HTTPS_CC",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.ExportCert, e) },
	},
	{
		Option: option.Option{
			Name: "ssl-verify-depth", Kind: option.Int, Arg: "N", Optional: true, Default: "1", Status: option.Same,
			Help: "allow N certificates between a client's certificate and its authority",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.VerifyDepth, e, 100) },
	},
	{
		Option: option.Option{
			Name: "ssl-verbose", Kind: option.Flag, Status: option.Same,
			Help: "log TLS handshakes that fail",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.TLSErrors, e) },
	},
	{
		Option: option.Option{
			Name: "hsts", Kind: option.Seconds, Arg: "SECONDS", Status: option.Own,
			Help: "tell browsers to use https only for N seconds (Strict-Transport-Security)",
			Note: "It holds for the whole host, with what other servers have there.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.StrictTransport, e) },
	},
}

// listenTLS reads ADDR,CERT,KEY[,CIPHERS[,CLIENT_CA]], or the same as key=value.
func (r *resolver) listenTLS(e ini.Entry, p Protocol) error {
	parts := strings.Split(e.Value, ",")
	named := slices.ContainsFunc(parts, func(s string) bool { return strings.HasPrefix(s, "addr=") })
	addr, c := parts[0], Certificate{}
	var err error
	if !named && slices.ContainsFunc(parts[1:], func(s string) bool { return strings.HasPrefix(s, "cert=") || strings.HasPrefix(s, "key=") }) {
		parts[0] = "addr=" + parts[0]
		named = true
	}
	if named {
		addr, c, err = namedCertificate(parts)
	} else {
		c, err = certificate(parts[1:])
	}
	if err == nil && addr == "" {
		err = fmt.Errorf("the address is missing")
	}
	if err != nil {
		return e.Origin.Errorf(e.Key, "%q: %w: write %s = :8443,/path/cert.pem,/path/key.pem", e.Value, err, e.Key)
	}
	r.Listens = append(r.Listens, Listen{Addr: address(addr), Protocol: p, Option: e.Key, Where: e.Origin.Name(e.Key), TLS: &c})
	return nil
}

func certificate(parts []string) (c Certificate, err error) {
	if len(parts) > 4 {
		return c, fmt.Errorf("there are too many parts")
	}
	for i, to := range []*string{&c.Cert, &c.Key, &c.Ciphers, &c.ClientCA} {
		if i < len(parts) {
			*to = strings.TrimSpace(parts[i])
		}
	}
	return c, c.check()
}

func (c *Certificate) check() error {
	switch {
	case c.Cert == "":
		return fmt.Errorf("the certificate file is missing")
	case c.Key == "":
		return fmt.Errorf("the key file is missing")
	case c.ClientCA == "!":
		return fmt.Errorf("the file of client authorities is missing where all clients must have a certificate")
	}
	return nil
}

func namedCertificate(parts []string) (addr string, c Certificate, err error) {
	to := map[string]*string{
		"addr": &addr, "cert": &c.Cert, "crt": &c.Cert, "key": &c.Key,
		"ciphers": &c.Ciphers, "clientca": &c.ClientCA, "client_ca": &c.ClientCA, "spdy": new(string),
	}
	for _, part := range parts {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if to[name] == nil {
			return "", c, fmt.Errorf("%q is none of addr, cert, key, ciphers and clientca", name)
		}
		*to[name] = value
	}
	return addr, c, c.check()
}

func (r *resolver) redirectTLS(e ini.Entry) error {
	addr, port, found := strings.Cut(e.Value, ",")
	l := Listen{Addr: address(addr), Protocol: HTTP, Option: e.Key, Where: e.Origin.Name(e.Key), ToHTTPS: true}
	if found {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return e.Origin.Errorf(e.Key, "%q: what follows the comma is no port", e.Value)
		}
		l.HTTPSPort = uint16(n)
	}
	if addr == "" {
		return e.Origin.Errorf(e.Key, "the address is missing: write http-to-https = :80, or :8080,8443 where https is at another port than 443")
	}
	r.Listens = append(r.Listens, l)
	return nil
}

func (r *resolver) sni(e ini.Entry, pattern bool) error {
	name, files, _ := strings.Cut(strings.TrimSpace(e.Value), " ")
	c, err := certificate(strings.Split(strings.TrimSpace(files), ","))
	if err != nil {
		return e.Origin.Errorf(e.Key, "%q: %w: write %s = NAME /path/cert.pem,/path/key.pem", e.Value, err, e.Key)
	}
	s := Site{Name: name, Certificate: c}
	if pattern {
		if s.Pattern, err = regexp.Compile("(?i)" + name); err != nil {
			return e.Origin.Errorf(e.Key, "%q: %w", name, err)
		}
	}
	r.Sites = append(r.Sites, s)
	return nil
}

func (r *resolver) settleTLS() error {
	if slices.ContainsFunc(r.Listens, func(l Listen) bool { return l.TLS != nil }) {
		return nil
	}
	if len(r.Sites) > 0 || r.SiteDir != "" {
		r.list.Warnf("sni and sni-dir have no effect: no address is served by https")
	}
	return nil
}
