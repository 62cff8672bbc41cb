// Package certificate makes the TLS settings of a listener from certificates in files. It
// chooses a certificate by the client's server name. It reads changed files again, so a renewal
// needs no restart and ends no connection.
//
// It never falls back to less. An unusable file makes [New] fail. When a file becomes unusable
// later, the last good version stays in use and the log says so.
package certificate

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Pair is a certificate with its key, and its rules for clients.
type Pair struct {
	// Cert is a PEM file: the server's certificate first, then the intermediate ones. A file
	// Cert.ocsp beside it is an OCSP response in DER, to be stapled.
	Cert string
	// Key is the file of the private key in PEM. It must not be readable by others. Empty
	// means Cert.
	Key string
	// Ciphers restricts the ciphers of TLS 1.2, in OpenSSL's spelling. Words for groups (HIGH,
	// !aNULL) change nothing: all offered ciphers are strong. TLS 1.3 has no choice of ciphers.
	Ciphers string
	// ClientCA is a PEM file of the authorities for client certificates. Clients may show a
	// certificate, or must if ClientMust is set. Empty asks for none.
	ClientCA   string
	ClientMust bool
}

// Site is a pair for clients that ask for a name.
type Site struct {
	// Name is the name, in any case; or *.example.org for names one level below.
	Name string
	// Pattern replaces Name: it matches names.
	Pattern *regexp.Regexp
	Pair
}

// Options configures a [Store].
type Options struct {
	Pair         // for clients that ask for no name, or an unknown one
	Sites []Site // the first that fits counts, names before patterns
	// Dir, if set, is a folder with NAME.crt, NAME.key and perhaps NAME.ca for more names.
	// Files are looked up when a client asks for the name. DirCiphers applies to all of them.
	Dir, DirCiphers string
	// HTTP2 offers HTTP/2 beside HTTP/1.1.
	HTTP2 bool
	// Oldest is the oldest version of TLS to accept. 0 means 1.2.
	Oldest uint16
	// Depth bounds the chain from a client's certificate to its authority; 0 means 1, as in
	// uWSGI.
	Depth int
	// Logf logs reloaded certificates and failures to reload. nil logs nothing.
	Logf func(format string, args ...any)
}

// lookEach is the shortest time between two looks at files. The goroutine of a client's
// handshake looks.
const lookEach = time.Second

// sitesMost bounds the names of Options.Dir that are kept.
const sitesMost = 4096

// Store chooses certificates. Any goroutine may call its methods.
type Store struct {
	opt     Options
	first   *entry
	sites   []siteEntry
	tickets *tickets

	mu   sync.Mutex // guards what follows
	dir  map[string]*entry
	miss map[string]time.Time // names that Dir lacks, and when they were looked up
}

type siteEntry struct {
	Site
	*entry
}

// New reads the files.
func New(o Options) (*Store, error) {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if o.Oldest == 0 {
		o.Oldest = tls.VersionTLS12
	}
	s := &Store{opt: o, tickets: newTickets(), dir: map[string]*entry{}, miss: map[string]time.Time{}}
	var err error
	if s.first, err = s.entry(o.Pair); err != nil {
		return nil, err
	}
	for _, site := range o.Sites {
		e, err := s.entry(site.Pair)
		if err != nil {
			return nil, err
		}
		site.Name = strings.ToLower(site.Name)
		s.sites = append(s.sites, siteEntry{site, e})
	}
	return s, nil
}

// Config returns settings for a listener. They follow the store from then on.
func (s *Store) Config() *tls.Config {
	c := s.first.config().Clone()
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return s.choose(hello.ServerName).config(), nil
	}
	return c
}

// Stale returns the files of certificates that are not good at a time, each with why.
func (s *Store) Stale(now time.Time) (stale map[string]string) {
	stale = map[string]string{}
	entries := []*entry{s.first}
	for _, site := range s.sites {
		entries = append(entries, site.entry)
	}
	for _, e := range entries {
		leaf := e.config().Certificates[0].Leaf
		switch {
		case now.After(leaf.NotAfter):
			stale[e.pair.Cert] = "it was good until " + leaf.NotAfter.UTC().Format(time.DateTime)
		case now.Before(leaf.NotBefore):
			stale[e.pair.Cert] = "it is not good before " + leaf.NotBefore.UTC().Format(time.DateTime)
		}
	}
	return stale
}

// Look reads changed files again. Open connections stay as they are.
func (s *Store) Look() {
	s.first.look(0)
	for _, site := range s.sites {
		site.look(0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.miss)
	for _, e := range s.dir {
		e.look(0)
	}
}

// choose returns the entry for a client's server name.
func (s *Store) choose(name string) *entry {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	e := s.find(name)
	e.look(lookEach)
	return e
}

func (s *Store) find(name string) *entry {
	if name == "" {
		return s.first
	}
	for _, site := range s.sites {
		if site.Pattern == nil && nameFits(site.Name, name) {
			return site.entry
		}
	}
	for _, site := range s.sites {
		if site.Pattern != nil && site.Pattern.MatchString(name) {
			return site.entry
		}
	}
	if e := s.fromDir(name); e != nil {
		return e
	}
	return s.first
}

func nameFits(pattern, name string) bool {
	if rest, wild := strings.CutPrefix(pattern, "*."); wild {
		_, parent, _ := strings.Cut(name, ".")
		return parent == rest
	}
	return pattern == name
}

// fromDir looks up a name in Options.Dir; nil if it is not there.
func (s *Store) fromDir(name string) *entry {
	if s.opt.Dir == "" || !fileName(name) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.dir[name]; e != nil {
		return e
	}
	if at, missed := s.miss[name]; missed && time.Since(at) < lookEach {
		return nil
	}
	p := Pair{Cert: filepath.Join(s.opt.Dir, name+".crt"), Key: filepath.Join(s.opt.Dir, name+".key"), Ciphers: s.opt.DirCiphers}
	if ca := filepath.Join(s.opt.Dir, name+".ca"); exists(ca) {
		p.ClientCA = ca
	}
	if exists(p.Cert) && exists(p.Key) && len(s.dir) < sitesMost {
		e, err := s.entry(p)
		if err == nil {
			s.dir[name] = e
			return e
		}
		s.opt.Logf("certificate of %s: %v", name, err)
	}
	if len(s.miss) >= sitesMost {
		clear(s.miss)
	}
	s.miss[name] = time.Now()
	return nil
}

// fileName reports whether a client's name is safe in a file name: it has only the characters
// of host names.
func fileName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789.-_"
	return name[0] != '.' && !strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(letters, r) })
}

func exists(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// entry is a pair with its last read content.
type entry struct {
	store   *Store
	pair    Pair
	tickets *tickets
	now     atomic.Pointer[settings]

	mu     sync.Mutex // guards what follows
	looked time.Time
	seen   []stamp
}

// settings are those of a pair.
type settings struct {
	*tls.Config
	tickets atomic.Uint64 // number of its newest key
}

// stamp identifies a version of a file. It also changes when a link points elsewhere.
type stamp struct {
	file  string
	size  int64
	mtime time.Time
	inode any
}

func (s *Store) entry(p Pair) (*entry, error) {
	if p.Key == "" {
		p.Key = p.Cert
	}
	e := &entry{store: s, pair: p, tickets: s.tickets, looked: time.Now()}
	if p.ClientCA != "" {
		e.tickets = newTickets()
	}
	e.seen = e.stamps()
	c, err := e.read()
	if err != nil {
		return nil, err
	}
	e.now.Store(&settings{Config: c})
	return e, nil
}

// config returns the present settings.
func (e *entry) config() *tls.Config {
	c := e.now.Load()
	e.tickets.give(c)
	return c.Config
}

// look reads changed files again, unless it has looked within the given time.
func (e *entry) look(while time.Duration) {
	if !e.mu.TryLock() {
		return // another goroutine looks
	}
	defer e.mu.Unlock()
	if time.Since(e.looked) < while {
		return
	}
	e.looked = time.Now()
	seen := e.stamps()
	if slices.Equal(seen, e.seen) {
		return
	}
	e.seen = seen
	c, err := e.read()
	if err != nil {
		e.store.opt.Logf("%v: the last good certificate stays in use", err)
		return
	}
	e.now.Store(&settings{Config: c})
	e.store.opt.Logf("certificate %s reloaded: it is valid until %s", e.pair.Cert, c.Certificates[0].Leaf.NotAfter.UTC().Format(time.DateOnly))
}

func (e *entry) files() []string {
	files := []string{e.pair.Cert, e.pair.Key, e.pair.Cert + ".ocsp"}
	if e.pair.ClientCA != "" {
		files = append(files, e.pair.ClientCA)
	}
	return files
}

func (e *entry) stamps() (all []stamp) {
	for _, name := range e.files() {
		st := stamp{file: name}
		if info, err := os.Stat(name); err == nil {
			st.size, st.mtime, st.inode = info.Size(), info.ModTime(), inode(info)
		}
		all = append(all, st)
	}
	return all
}

func (e *entry) read() (*tls.Config, error) {
	p, o := e.pair, &e.store.opt
	cert, err := readPair(p)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: o.Oldest, NextProtos: []string{"http/1.1"}, DynamicRecordSizingDisabled: true}
	if o.HTTP2 {
		c.NextProtos = []string{"h2", "http/1.1"}
	}
	if c.CipherSuites, err = ciphers(p.Ciphers); err != nil {
		return nil, err
	}
	if p.ClientCA != "" {
		c.ClientAuth = tls.VerifyClientCertIfGiven
		if p.ClientMust {
			c.ClientAuth = tls.RequireAndVerifyClientCert
		}
		if c.ClientCAs, err = readPool(p.ClientCA); err != nil {
			return nil, err
		}
		c.VerifyConnection = within(max(o.Depth, 1))
	}
	return c, nil
}

// within refuses chains longer than depth from a client's certificate to its authority.
func within(depth int) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 || slices.ContainsFunc(state.VerifiedChains, func(chain []*x509.Certificate) bool { return len(chain)-1 <= depth }) {
			return nil
		}
		return fmt.Errorf("the client's certificate is further than %d from its authority (ssl-verify-depth)", depth)
	}
}

func readPair(p Pair) (tls.Certificate, error) {
	none := tls.Certificate{}
	if err := private(p.Key); err != nil {
		return none, err
	}
	cert, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		if path, ok := errors.AsType[*os.PathError](err); ok {
			return none, fmt.Errorf("read the certificate: %w", path)
		}
		return none, fmt.Errorf("certificate %s and key %s: %w", p.Cert, p.Key, err)
	}
	if staple, err := os.ReadFile(p.Cert + ".ocsp"); err == nil && len(staple) < 64<<10 {
		cert.OCSPStaple = staple
	}
	return cert, nil
}

// private refuses a key that anybody on the machine can read.
func private(name string) error {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return fmt.Errorf("read the key: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("read the key: %s is not a file", name)
	case info.Mode().Perm()&0o007 != 0:
		return fmt.Errorf("the key %s can be read by everybody on this machine: chmod o= %s", name, name)
	}
	return nil
}

func readPool(name string) (*x509.CertPool, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the authorities of clients: %w", err)
	}
	pool, n := x509.NewCertPool(), 0
	for rest := b; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("authorities of clients, %s: %w", name, err)
		}
		pool.AddCert(cert)
		n++
	}
	if n == 0 {
		return nil, fmt.Errorf("authorities of clients: %s holds no certificate in PEM", name)
	}
	return pool, nil
}

// tickets holds the keys of session tickets. All certificates without client authorities share
// them, so a session goes on after a renewal. Each certificate with client authorities has its
// own: otherwise a client could resume at one site a session that it proved itself for at
// another.
type tickets struct {
	mu     sync.Mutex
	keys   [][32]byte // the newest first
	made   time.Time
	number atomic.Uint64 // of the newest
}

// How long a key makes new tickets, and how many keys can still read tickets.
const (
	ticketsEach = 12 * time.Hour
	ticketsKept = 4
)

func newTickets() *tickets {
	t := &tickets{}
	t.renew()
	return t
}

func (t *tickets) renew() {
	var key [32]byte
	_, _ = rand.Read(key[:]) // it never fails
	t.keys = append([][32]byte{key}, t.keys[:min(len(t.keys), ticketsKept-1)]...)
	t.made = time.Now()
	t.number.Add(1)
}

// give updates the keys of s.
func (t *tickets) give(s *settings) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.made) > ticketsEach {
		t.renew()
	}
	if n := t.number.Load(); s.tickets.Swap(n) != n {
		s.SetSessionTicketKeys(t.keys)
	}
}
