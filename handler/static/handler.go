package static

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
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
	// Index are the names of static-index: the first that is a file is served for a
	// folder. Folders without one go to the next handler.
	Index []string
	// SkipExt are the ends of names, such as ".py", of files that are not served but
	// left to the next handler (static-skip-ext), in upper or lower case. The names that
	// were asked for count, and those that links lead to.
	SkipExt []string
	// Safe are folders that links may lead to from elsewhere (static-safe).
	Safe []string
	// Logf is told why a file could not be opened, once in ten seconds. Default: nobody.
	Logf func(format string, args ...any)
}

// Handler serves files, and has the next handler answer what is none. It may
// serve any number of loops.
type Handler struct {
	next  engine.Handler
	roots []*root
	index []string
	skip  []string // in lower case
	safe  []*root
	types types
	logf  func(format string, args ...any)
	told  atomic.Int64 // when logf was, in Unix nanoseconds
}

// root is a folder, or a file, and the paths that it answers for.
type root struct {
	prefix     string // "" or "/…", without a slash at its end
	path       string
	keepPrefix bool
	folder     atomic.Pointer[folder]
}

// folder is an open root and what it was when it was opened.
type folder struct {
	*os.Root
	info os.FileInfo
}

// New returns a Handler in front of next. Relative paths are taken from the
// current folder. It returns an error for a map that could never match.
func New(next engine.Handler, o Options) (*Handler, error) {
	h := &Handler{next: next, index: o.Index, types: loadTypes(mimeTypes), logf: o.Logf}
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
	for _, m := range o.Maps {
		if !strings.HasPrefix(m.Prefix, "/") || m.Path == "" {
			return nil, fmt.Errorf("static-map %s=%s: write it as /prefix=folder", m.Prefix, m.Path)
		}
		path, err := filepath.Abs(m.Path)
		if err != nil {
			return nil, fmt.Errorf("static-map %s=%s: %w", m.Prefix, m.Path, err)
		}
		h.roots = append(h.roots, &root{prefix: strings.TrimRight(m.Prefix, "/"), path: path, keepPrefix: m.KeepPrefix})
	}
	for _, name := range o.Index {
		if name == "" || name != filepath.Base(name) {
			return nil, fmt.Errorf("static-index %q: write the name of a file, such as index.html", name)
		}
	}
	return h, nil
}

// Serve implements [engine.Handler].
func (h *Handler) Serve(x *engine.Exchange) {
	r := x.Request()
	path := r.Path()
	if (r.Head || string(r.Bytes(r.Method)) == "GET") && plain(r, path) {
		for _, d := range h.roots {
			name, ok := d.name(path)
			if !ok {
				continue
			}
			f, err := h.find(d, name)
			if err != nil && len(h.safe) > 0 && refusal(err) == 0 {
				f, err = h.findSafe(d, name)
			}
			if err == nil {
				h.serve(x, f)
				return
			}
			if status := refusal(err); status != 0 {
				if status == http.StatusServiceUnavailable {
					h.tell(d, err)
				}
				refuse(x, status)
				return
			}
		}
	}
	h.next.Serve(x)
}

// plain reports whether a path may name a file. One with dot segments, or with a slash
// that is encoded, does not: a front server may have taken it for something else than
// the file system would, and have let it through although the file's own path is denied.
func plain(r *codec.Request, path []byte) bool {
	return len(path) <= maxPath && !codec.HasDotSegment(path) && !r.EncodedSlash()
}

// name returns what the path asks for, as a name below the root.
func (d *root) name(path []byte) (string, bool) {
	if len(path) < len(d.prefix) || string(path[:len(d.prefix)]) != d.prefix {
		return "", false
	}
	rest := path[len(d.prefix):]
	if len(rest) > 0 && rest[0] != '/' {
		return "", false
	}
	if d.keepPrefix {
		rest = path
	}
	return string(rest), true
}

var errNoFile = errors.New("no regular file")

// file is an open regular file.
type file struct {
	*os.File
	size     int64
	modified time.Time
	noSlash  bool // it is the index of a folder that was asked for without the slash
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

// tell logs that a file which is there could not be opened.
func (h *Handler) tell(d *root, err error) {
	now, told := time.Now().UnixNano(), h.told.Load()
	if h.logf == nil || told != 0 && now-told < int64(often) || !h.told.CompareAndSwap(told, now) {
		return
	}
	h.logf("a file below %s cannot be opened, so its requests are answered with 503: %v", d.path, err)
}

func refuse(x *engine.Exchange, status int) {
	resp := x.Response()
	resp.Status = status
	if status == http.StatusServiceUnavailable {
		resp.Header = append(resp.Header, codec.Header{Name: []byte("Retry-After"), Value: []byte("1")})
	}
	resp.Header = append(resp.Header, codec.Header{Name: []byte("Content-Type"), Value: []byte("text/plain; charset=utf-8")})
	x.Reply(resp, []byte(http.StatusText(status)+"\n"))
}

// errForbidden is for a file that the server must not read.
var errForbidden = errors.New("the file cannot be read")

// openIn opens the file of that name below top.
func openIn(top *folder, name string) (*os.File, error) {
	f, err := top.OpenFile(name, openFlags, 0)
	if errors.Is(err, os.ErrPermission) {
		// Where it is a folder on the way, nobody knows whether there is such a file.
		if info, statErr := top.Stat(name); statErr == nil && info.Mode().IsRegular() {
			err = errForbidden
		}
	}
	return f, err
}

// find opens the file of that name below d, or the index of the folder of that name. What
// an error means is told by refusal.
func (h *Handler) find(d *root, name string) (*file, error) {
	info, err := os.Stat(d.path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if len(h.skip) > 0 {
			real, err := filepath.EvalSymlinks(d.path)
			if err != nil {
				return nil, err
			}
			if h.skips(real) || h.skips(d.path) {
				return nil, errNoFile
			}
		}
		return regular(os.OpenFile(d.path, openFlags, 0))
	}
	top, err := d.open(info)
	if err != nil {
		return nil, err
	}
	slash := strings.HasSuffix(name, "/") // asks for a folder
	if name = strings.Trim(name, "/"); name == "" {
		name = "."
	}
	if !slash {
		if err := h.skipsIn(top, name); err != nil {
			return nil, err
		}
		f, err := openIn(top, name)
		if err != nil {
			return nil, err
		}
		if info, err = f.Stat(); err != nil || !info.IsDir() {
			return regular(f, err)
		}
		_ = f.Close()
	}
	for _, i := range h.index {
		var found *file
		err := h.skipsIn(top, name+"/"+i)
		if err == nil {
			found, err = regular(openIn(top, name+"/"+i))
		}
		if err == nil {
			found.noSlash = !slash
			return found, nil
		}
		if refusal(err) != 0 {
			return nil, err
		}
	}
	return nil, errNoFile
}

// findSafe does what find does where links lead from d into a folder of Safe.
func (h *Handler) findSafe(d *root, name string) (*file, error) {
	if h.skips(strings.TrimRight(name, "/")) || slices.Contains(strings.Split(name, "/"), "..") {
		return nil, errNoFile
	}
	real, err := filepath.EvalSymlinks(d.path + "/" + strings.Trim(name, "/"))
	if err != nil {
		return nil, err
	}
	for _, safe := range h.safe {
		folder, err := filepath.EvalSymlinks(safe.path)
		if err != nil {
			continue
		}
		rest, below := strings.CutPrefix(real, folder)
		if !below || rest != "" && rest[0] != '/' {
			continue
		}
		if strings.HasSuffix(name, "/") {
			rest += "/"
		}
		return h.find(safe, rest)
	}
	return nil, errNoFile
}

// skips reports whether a file of that name is left to the next handler.
func (h *Handler) skips(name string) bool {
	for _, end := range h.skip {
		if len(name) >= len(end) && strings.EqualFold(name[len(name)-len(end):], end) {
			return true
		}
	}
	return false
}

// maxLinks bounds the links that one name leads through, as Linux does.
const maxLinks = 40

// skipsIn is skips for the file below top, under each name that it has on the way through
// links. It returns an error for one to be skipped, and where that cannot be told: the
// content may be anything.
func (h *Handler) skipsIn(top *folder, name string) error {
	if len(h.skip) == 0 {
		return nil
	}
	for range maxLinks {
		if h.skips(name) {
			return errNoFile
		}
		info, err := top.Lstat(name)
		if err != nil {
			return err // there is no such file, or it is outside
		}
		if info.Mode()&os.ModeSymlink == 0 {
			return nil
		}
		target, err := top.Readlink(name)
		if err != nil {
			return err
		}
		if strings.HasPrefix(target, "/") {
			return errNoFile
		}
		name = strings.TrimRight(name[:strings.LastIndexByte(name, '/')+1]+target, "/")
	}
	return errNoFile
}

// open opens the folder that is at the root's path now. It is kept open as long
// as the same folder is there, which halves the time of a lookup. The old one is
// closed by the garbage collector, since another loop may be using it.
func (d *root) open(info os.FileInfo) (*folder, error) {
	if now := d.folder.Load(); now != nil && os.SameFile(now.info, info) {
		return now, nil
	}
	opened, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, err
	}
	if info, err = opened.Stat("."); err != nil {
		_ = opened.Close()
		return nil, err
	}
	now := &folder{opened, info}
	d.folder.Store(now)
	return now, nil
}

// regular makes a file of what has been opened, unless that has failed or is
// something else: a folder, a FIFO, a device.
func regular(f *os.File, err error) (*file, error) {
	if f == nil {
		return nil, err
	}
	var info os.FileInfo
	if err == nil {
		info, err = f.Stat()
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errNoFile
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &file{File: f, size: info.Size(), modified: info.ModTime()}, nil
}

// redirect sends the client to the same path with a slash at its end. The address
// is relative, hence right behind a proxy that serves the path elsewhere, and can
// lead to no other host. It returns false when the target has that slash already:
// what a web server in front made of it has not.
func redirect(x *engine.Exchange) bool {
	r := x.Request()
	target, query, asked := bytes.Cut(r.Bytes(r.Target), []byte("?"))
	segment := target[bytes.LastIndexByte(target, '/')+1:]
	if len(segment) == 0 {
		return false
	}
	location := append(append([]byte("./"), segment...), '/')
	if asked {
		location = append(append(location, '?'), query...)
	}
	resp := x.Response()
	resp.Status = 301
	resp.Header = append(resp.Header, codec.Header{Name: []byte("Location"), Value: location})
	x.Reply(resp, nil)
	return true
}

// serve answers with the file, a part of it, or why not. It takes f over.
func (h *Handler) serve(x *engine.Exchange, f *file) {
	if f.noSlash && redirect(x) {
		_ = f.Close()
		return
	}
	v := f.validators()
	resp := x.Response()
	resp.Header = append(resp.Header,
		codec.Header{Name: []byte("Last-Modified"), Value: v.modified},
		codec.Header{Name: []byte("ETag"), Value: v.etag})
	if status := v.check(x.Request()); status != 200 {
		_ = f.Close()
		resp.Status = status
		x.Reply(resp, nil)
		return
	}
	resp.Header = append(resp.Header, codec.Header{Name: []byte("Accept-Ranges"), Value: []byte("bytes")})
	part, verdict := v.part(x.Request(), f.size)
	if verdict != rangeNone {
		resp.Header = append(resp.Header, codec.Header{Name: []byte("Content-Range"), Value: part.appendContentRange(nil, verdict, f.size)})
	}
	if verdict == rangeUnsatisfiable {
		_ = f.Close()
		resp.Status = 416
		x.Reply(resp, nil)
		return
	}
	if verdict == rangeValid {
		resp.Status = 206
	}
	resp.Header = append(resp.Header, codec.Header{Name: []byte("Content-Type"), Value: h.types.of(f.Name())})
	x.ReplyFile(resp, f.File, part.from, part.size)
}

// validators returns what tells this version of the file from others.
func (f *file) validators() validators {
	v := validators{at: f.modified.Truncate(time.Second)}
	v.modified = f.modified.UTC().AppendFormat(nil, httpTime)
	v.etag = strconv.AppendInt([]byte{'"'}, f.modified.UnixNano(), 16)
	v.etag = strconv.AppendInt(append(v.etag, '-'), f.size, 16)
	v.etag = append(v.etag, '"')
	return v
}
