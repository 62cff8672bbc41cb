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

// maxPath bounds the paths that are looked up, in bytes: PATH_MAX on Linux.
const maxPath = 4096

// Map is one static-map: requests below Prefix are looked up below Path.
type Map struct {
	// Prefix is a path that begins with "/"; a slash at its end means nothing.
	Prefix string
	// Path is a folder, or a file that is served for every path below Prefix. It
	// need not exist yet, and may be replaced at any time.
	Path string
	// KeepPrefix looks up the whole request path below Path (static-map2).
	KeepPrefix bool
}

// Options configures a [Handler].
type Options struct {
	// Check are the folders of check-static: the request path is looked up below
	// each of them, before Maps.
	Check []string
	// Maps are looked through in order.
	Maps []Map
	// DocumentRoot looks files up below the folder that the front server calls DOCUMENT_ROOT, after
	// Maps (check-static-docroot).
	DocumentRoot bool
	// Index are the names of static-index: the first that is a file is served for a
	// folder. Folders without one go to the next handler.
	Index []string
	// Listing answers for a folder without an index with the names that are in it.
	Listing bool
	// SkipExt are the ends of names, such as ".py", of files that are not served but
	// left to the next handler (static-skip-ext), in upper or lower case. The names that
	// were asked for count, and those that links lead to; the end of a coding, such as ".gz", does not.
	SkipExt []string
	// Safe are folders that links may lead to from elsewhere (static-safe).
	Safe []string
	// Siblings says which files are answered for by those beside them that are compressed, where
	// the client takes that.
	Siblings Siblings
	// Expires says until when clients may keep files without asking. The first that fits counts.
	Expires []Expires
	// Immutable has names, without their folders, whose content never changes: clients keep them for a year.
	Immutable Matcher
	// Fallback are files that answer for all paths below Prefix that name no file, and
	// look like those of pages: of an app that runs in the browser.
	Fallback []Map
	// FallbackExcept are prefixes that a Fallback with a shorter one is not for.
	FallbackExcept []string
	// NotFound is a file that is sent with 404 where a path below one of Maps names no file. Without
	// it such a path goes to the next handler.
	NotFound string
	// MimeFiles have types in the format of /etc/mime.types, which is read where there are none. What
	// they say goes before what is built in.
	MimeFiles []string
	// Logf is told why a file could not be opened, once in ten seconds. Default: nobody.
	Logf func(format string, args ...any)
}

// Handler serves files, and has the next handler answer what is none. It may
// serve any number of loops.
type Handler struct {
	next     engine.Handler
	roots    []*root // of Check, then of Maps
	maps     []*root
	fallback []*root
	except   []string
	notFound *root
	docRoots *docRoots // nil without
	finder
	memory memory
	told   atomic.Int64 // when logf was, in Unix nanoseconds
	logf   func(format string, args ...any)
}

// New returns a Handler in front of next. Relative paths are taken from the
// current folder. It returns an error for a map that could never match.
func New(next engine.Handler, o Options) (*Handler, error) {
	h := &Handler{next: next, logf: o.Logf, except: o.FallbackExcept}
	h.index, h.listing, h.siblings, h.expires = o.Index, o.Listing, o.Siblings, newExpirations(o.Expires)
	h.immutable = o.Immutable
	h.types = loadTypes(o.MimeFiles)
	for _, end := range o.SkipExt {
		if end == "" || strings.Contains(end, "/") {
			return nil, fmt.Errorf("static-skip-ext %q: write the end of a name, such as .py", end)
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

// NotAFile is set on an exchange by a handler in front whose request may not come to a file,
// because its path is another name of one.
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

// answer answers with what a look-up has found.
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

// covers reports whether a path may be that of a file.
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

// query is what is looked up, apart from the exchange: a goroutine may do it.
type query struct {
	path    string
	takes   coding.Weights // codings
	docRoot string
	page    bool  // the client takes a page that stands for the path
	hot     bool  // errCold where it would have to be waited for
	now     int64 // on the clock of the loops
}

// errCold is for what cannot be told without a wait for the disk.
var errCold = errors.New("not in memory")

// lookUp opens the file that a path names, or one that stands for it. What an error means is told by
// refusal.
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

// in looks below d, and where links lead to a folder of Safe.
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

// plain reports whether a path may name a file. One with dot segments, or with a slash
// that is encoded, does not: a front server may have taken it for something else than
// the file system would, and have let it through although the file's own path is denied.
func plain(r *codec.Request) bool {
	path := r.Path()
	return len(path) <= maxPath && !codec.HasDotSegment(path) && !r.EncodedSlash()
}

// wantsPage reports whether a request looks like one for a page: it takes HTML, and its last segment
// is no name of a file.
func wantsPage(r *codec.Request, path string) bool {
	if strings.Contains(path[strings.LastIndexByte(path, '/')+1:], ".") {
		return false
	}
	accept := conditional.Field(r, "Accept")
	return accept == nil || strings.Contains(string(accept), "text/html") || strings.Contains(string(accept), "*/*")
}

// below reports whether path is below one of the prefixes that are longer than that.
func below(prefixes []string, path string, longer int) bool {
	for _, p := range prefixes {
		p = strings.TrimRight(p, "/")
		if rest, ok := strings.CutPrefix(path, p); ok && len(p) > longer && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// docRoots are the roots that front servers have named.
type docRoots struct {
	mu    sync.Mutex
	roots map[string]*root
}

// mostDocRoots bounds those that are remembered.
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

// refusal returns the status for a file that is there and cannot be opened, and 0
// where there is none. The next handler must not answer in place of a file because
// the server has no descriptor left for it.
func refusal(err error) int {
	if errors.Is(err, errForbidden) {
		return http.StatusForbidden
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return 0 // no regular file, or outside of the root
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL, syscall.ENXIO, syscall.ENODEV,
		syscall.EACCES, syscall.EPERM, syscall.EILSEQ:
		return 0
	}
	return http.StatusServiceUnavailable // descriptors or memory are out, or the disk fails
}

// often is how often a failure to open files is logged: there may be many in a row.
const often = 10 * time.Second

// tell logs why requests are answered with that status.
func (h *Handler) tell(err error, status int) {
	now, told := time.Now().UnixNano(), h.told.Load()
	if h.logf == nil || told != 0 && now-told < int64(often) || !h.told.CompareAndSwap(told, now) {
		return
	}
	h.logf("a file cannot be opened, so its requests are answered with %d: %v", status, err)
}
