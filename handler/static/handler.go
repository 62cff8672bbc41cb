package static

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/internal/coding"
	"github.com/uwsgo/uwsgo/handler/internal/conditional"
)

// maxPath bounds looked-up paths in bytes: PATH_MAX on Linux.
const maxPath = 4096

// Map is one static-map: requests below Prefix are looked up below Path.
type Map struct {
	// Prefix is a path that begins with "/"; a slash at its end means nothing.
	Prefix string
	// Path is a folder, or a file for every path below Prefix. It need not exist yet, and may
	// be replaced at any time.
	Path string
	// KeepPrefix looks up the whole request path below Path (static-map2).
	KeepPrefix bool
}

// Options configures a [Handler].
type Options struct {
	// Check lists the folders of check-static: the request path is looked up below each, before
	// Maps.
	Check []string
	// Maps are tried in order.
	Maps []Map
	// DocumentRoot looks files up below the front server's DOCUMENT_ROOT, after Maps
	// (check-static-docroot).
	DocumentRoot bool
	// Index lists the names of static-index: the first that is a file is served for a folder.
	// Folders without one go to the next handler.
	Index []string
	// Listing answers for a folder without an index with a list of its names.
	Listing bool
	// SkipExt lists suffixes, such as ".py", of files that go to the next handler
	// (static-skip-ext), in any case. The requested name counts, and each name that its links
	// lead to. The suffix of a coding, such as ".gz", is ignored.
	SkipExt []string
	// Safe lists folders that links from elsewhere may lead to (static-safe).
	Safe []string
	// Siblings says for which files a compressed sibling is served, if the client accepts it.
	Siblings Siblings
	// Expires says how long clients may keep files without asking. The first match counts.
	Expires []Expires
	// Immutable matches names, without folders, of files that never change: clients keep them
	// for a year.
	Immutable Matcher
	// Fallback lists files that answer for page-like paths below Prefix without a file, for
	// apps that run in the browser.
	Fallback []Map
	// FallbackExcept lists prefixes that a Fallback with a shorter prefix leaves out.
	FallbackExcept []string
	// NotFound is a file that is sent with 404 when a path below one of Maps names no file.
	// Without it such a path goes to the next handler.
	NotFound string
	// MimeFiles have types in the format of /etc/mime.types; none means that file. They
	// override the built-in types.
	MimeFiles []string
	// Logf logs why a file could not be opened, once in ten seconds. nil logs nothing.
	Logf func(format string, args ...any)
}

// Handler serves files. The next handler answers all other requests. It may serve any number of
// loops.
type Handler struct {
	next     engine.Handler
	roots    []*root // of Check, then of Maps
	maps     []*root
	fallback []*root
	except   []string
	notFound *root
	docRoots *docRoots // nil without DocumentRoot
	finder
	memory memory
	told   atomic.Int64 // the last call of logf, in Unix nanoseconds
	logf   func(format string, args ...any)
}

// New returns a Handler in front of next. Relative paths start at the current folder. It
// returns an error for a map that could never match.
func New(next engine.Handler, o Options) (*Handler, error) {
	h := &Handler{next: next, logf: o.Logf, except: o.FallbackExcept}
	h.index, h.listing, h.siblings, h.expires = o.Index, o.Listing, o.Siblings, newExpirations(o.Expires)
	h.immutable = o.Immutable
	h.types = loadTypes(o.MimeFiles)
	for _, end := range o.SkipExt {
		if end == "" || strings.Contains(end, "/") {
			return nil, fmt.Errorf("static-skip-ext %q: write a suffix, such as .py", end)
		}
		h.skip = append(h.skip, strings.ToLower(end))
	}
	for _, folder := range o.Safe {
		path, err := filepath.Abs(folder)
		if err != nil {
			return nil, fmt.Errorf("static-safe %s: %w", folder, err)
		}
		h.safe = append(h.safe, &root{path: path})
	}
	for _, folder := range o.Check {
		path, err := filepath.Abs(folder)
		if err != nil {
			return nil, fmt.Errorf("check-static %s: %w", folder, err)
		}
		h.roots = append(h.roots, &root{path: path})
	}
	var err error
	if h.maps, err = mapped("static-map", o.Maps); err != nil {
		return nil, err
	}
	if h.fallback, err = mapped("static-fallback", o.Fallback); err != nil {
		return nil, err
	}
	h.roots = append(h.roots, h.maps...)
	if o.DocumentRoot {
		h.docRoots = &docRoots{}
	}
	if o.NotFound != "" {
		path, err := filepath.Abs(o.NotFound)
		if err != nil {
			return nil, fmt.Errorf("static-404 %s: %w", o.NotFound, err)
		}
		h.notFound = &root{path: path}
	}
	for _, name := range o.Index {
		if name == "" || name != filepath.Base(name) {
			return nil, fmt.Errorf("static-index %q: write the name of a file, such as index.html", name)
		}
	}
	return h, nil
}

func mapped(option string, maps []Map) (roots []*root, err error) {
	for _, m := range maps {
		if !strings.HasPrefix(m.Prefix, "/") || m.Path == "" {
			return nil, fmt.Errorf("%s %s=%s: write it as /prefix=folder", option, m.Prefix, m.Path)
		}
		path, err := filepath.Abs(m.Path)
		if err != nil {
			return nil, fmt.Errorf("%s %s=%s: %w", option, m.Prefix, m.Path, err)
		}
		roots = append(roots, &root{prefix: strings.TrimRight(m.Prefix, "/"), path: path, keepPrefix: m.KeepPrefix})
	}
	return roots, nil
}

// NotAFile is set on an exchange by an earlier handler to forbid files for it, because its path
// is another name of one.
var NotAFile = engine.NewKey[bool]()

// Serve implements [engine.Handler].
func (h *Handler) Serve(x *engine.Exchange) {
	r := x.Request()
	q := query{path: string(r.Path()), now: x.Loop().Now()}
	if *NotAFile.Of(x) || !r.Head && string(r.Bytes(r.Method)) != "GET" || !plain(r) || !h.covers(q.path) {
		h.next.Serve(x)
		return
	}
	if h.siblings.any() {
		q.takes = coding.Accepted(r)
	}
	if f := h.memory.find(q); f != nil {
		h.serve(x, f)
		return
	}
	if h.docRoots != nil {
		q.docRoot = string(r.Var("DOCUMENT_ROOT"))
	}
	q.page = len(h.fallback) > 0 && wantsPage(r, q.path)
	q.hot = true
	f, err := h.lookUp(q)
	if err != errCold {
		h.answer(x, f, err)
		return
	}
	q.hot = false
	if x.Offload(
		func() { f, err = h.lookUp(q) },
		func(x *engine.Exchange) { h.answer(x, f, err) },
		func() { f.close() },
	) != nil {
		refuse(x, http.StatusServiceUnavailable)
	}
}

// answer answers with the result of a look-up.
func (h *Handler) answer(x *engine.Exchange, f *file, err error) {
	if err == nil {
		h.serve(x, f)
		return
	}
	status := refusal(err)
	if status == 0 {
		h.next.Serve(x)
		return
	}
	if status == http.StatusServiceUnavailable {
		h.tell(err, status)
	}
	refuse(x, status)
}

// covers reports whether a path may name a file.
func (h *Handler) covers(path string) bool {
	if h.docRoots != nil {
		return true
	}
	for _, d := range h.roots {
		if d.covers(path) {
			return true
		}
	}
	for _, d := range h.fallback {
		if d.covers(path) {
			return true
		}
	}
	return false
}

// query is a look-up without its exchange, so that a goroutine may do it.
type query struct {
	path    string
	takes   coding.Weights // codings
	docRoot string
	page    bool  // the client accepts a page in place of the path
	hot     bool  // return errCold rather than wait for a disk
	now     int64 // on the clock of the loops
}

// errCold says that the answer needs a wait for the disk.
var errCold = errors.New("not in memory")

// lookUp opens the file that a path names, or its replacement. refusal interprets its errors.
func (h *Handler) lookUp(q query) (*file, error) {
	for _, d := range h.roots {
		if d.covers(q.path) {
			if f, err := h.in(d, q); err == nil || err == errCold || refusal(err) != 0 {
				if err == nil {
					h.memory.keep(f, q)
				}
				return f, err
			}
		}
	}
	if d := h.docRoots.of(q.docRoot); d != nil {
		if f, err := h.in(d, q); err == nil || err == errCold || refusal(err) != 0 {
			return f, err
		}
	}
	if q.page {
		for _, d := range h.fallback {
			if d.covers(q.path) && !below(h.except, q.path, len(d.prefix)) {
				return h.in(d, q)
			}
		}
	}
	if h.notFound != nil {
		for _, d := range h.maps {
			if d.covers(q.path) {
				f, err := h.in(h.notFound, q)
				if err == nil {
					f.status = http.StatusNotFound
				}
				return f, err
			}
		}
	}
	return nil, errNoFile
}

// in looks below d, and follows links into a folder of Safe.
func (h *Handler) in(d *root, q query) (*file, error) {
	name := d.name(q.path)
	f, err := h.find(d, name, q)
	if err != nil && err != errCold && len(h.safe) > 0 && refusal(err) == 0 {
		if q.hot {
			return nil, errCold
		}
		f, err = h.findSafe(d, name, q)
	}
	if err != nil && err != errCold && refusal(err) == http.StatusServiceUnavailable {
		err = fmt.Errorf("below %s: %w", d.path, err)
	}
	return f, err
}

// plain reports whether a path may name a file. A path with dot segments or an encoded slash
// may not: a front server may read it differently than the file system, and let it through
// although it denies the file's own path.
func plain(r *codec.Request) bool {
	path := r.Path()
	return len(path) <= maxPath && !codec.HasDotSegment(path) && !r.EncodedSlash()
}

// wantsPage reports whether a request looks like one for a page: it accepts HTML, and its last
// segment is not a file name.
func wantsPage(r *codec.Request, path string) bool {
	if strings.Contains(path[strings.LastIndexByte(path, '/')+1:], ".") {
		return false
	}
	accept := conditional.Field(r, "Accept")
	return accept == nil || strings.Contains(string(accept), "text/html") || strings.Contains(string(accept), "*/*")
}

// below reports whether path is below one of the prefixes longer than that.
func below(prefixes []string, path string, longer int) bool {
	for _, p := range prefixes {
		p = strings.TrimRight(p, "/")
		if rest, ok := strings.CutPrefix(path, p); ok && len(p) > longer && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// docRoots holds the roots that front servers have named.
type docRoots struct {
	mu    sync.Mutex
	roots map[string]*root
}

// mostDocRoots bounds the remembered ones.
const mostDocRoots = 1024

func (s *docRoots) of(path string) *root {
	if s == nil || !filepath.IsAbs(path) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.roots[path]
	if d == nil {
		d = &root{path: path}
		if s.roots == nil || len(s.roots) >= mostDocRoots {
			s.roots = map[string]*root{}
		}
		s.roots[path] = d
	}
	return d
}

// refusal returns the status for a file that exists and cannot be opened, 0 if it does not
// exist. The next handler must not answer for a file only because the server has no descriptor
// left.
func refusal(err error) int {
	if errors.Is(err, errForbidden) {
		return http.StatusForbidden
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return 0 // not a regular file, or outside of the root
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL, syscall.ENXIO, syscall.ENODEV,
		syscall.EACCES, syscall.EPERM, syscall.EILSEQ:
		return 0
	}
	return http.StatusServiceUnavailable // no descriptors or memory, or a failing disk
}

// often bounds how often failures are logged: there may be many in a row.
const often = 10 * time.Second

// tell logs why requests get that status.
func (h *Handler) tell(err error, status int) {
	now, told := time.Now().UnixNano(), h.told.Load()
	if h.logf == nil || told != 0 && now-told < int64(often) || !h.told.CompareAndSwap(told, now) {
		return
	}
	h.logf("a file cannot be opened, so its requests are answered with %d: %v", status, err)
}
