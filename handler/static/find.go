package static

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/uwsgo/uwsgo/handler/internal/coding"
	"github.com/uwsgo/uwsgo/handler/internal/conditional"
)

// root is a folder, or a file, and the paths that it answers for.
type root struct {
	prefix     string // "" or "/…", without a slash at its end
	path       string
	keepPrefix bool
	folder     atomic.Pointer[folder]
}

// folder is an open root and its identity.
type folder struct {
	*os.Root
	info  os.FileInfo
	real  string   // its path without links
	local *os.File // the same, if on a local file system; else nil
}

// covers reports whether a path is below the prefix.
func (d *root) covers(path string) bool {
	return strings.HasPrefix(path, d.prefix) && (len(path) == len(d.prefix) || path[len(d.prefix)] == '/')
}

// name converts a path that d covers to a name below d.
func (d *root) name(path string) string {
	if d.keepPrefix {
		return path
	}
	return path[len(d.prefix):]
}

// finder holds the rules for looking files up.
type finder struct {
	index     []string
	listing   bool
	skip      []string // in lower case
	safe      []*root
	siblings  Siblings
	expires   expirations
	immutable Matcher
	types     types
}

var (
	errNoFile = errors.New("not a regular file")
	errFolder = errors.New("a folder")
)

// errForbidden is the error for a file that the server may not read.
var errForbidden = errors.New("the file cannot be read")

// openIn opens the file of that name below top.
func openIn(top *folder, name string) (*os.File, error) {
	f, err := top.OpenFile(name, openFlags, 0)
	if errors.Is(err, os.ErrPermission) {
		// If it is a folder on the way, the file may exist or not.
		if info, statErr := top.Stat(name); statErr == nil && info.Mode().IsRegular() {
			err = errForbidden
		}
	}
	return f, err
}

// open opens a name below top, unless the name, or a name that its links lead to, must be
// skipped.
func (h *finder) open(top *folder, name string, hot bool) (*os.File, error) {
	if hot {
		if h.skips(name) {
			return nil, errNoFile
		}
		return openHot(top, name, len(h.skip) > 0)
	}
	if err := h.skipsIn(top, name); err != nil {
		return nil, err
	}
	f, err := openIn(top, name)
	if err != nil || len(h.skip) == 0 {
		return f, err
	}
	// The links may have changed since.
	if real, ok := realName(f); ok && h.skips(real) {
		_ = f.Close()
		return nil, errNoFile
	}
	return f, nil
}

// find opens the file of that name below d, or the folder's index. refusal interprets its
// errors.
func (h *finder) find(d *root, name string, q query) (*file, error) {
	top, err := d.open(q.hot)
	if err != nil {
		return nil, err
	}
	if top == nil {
		return h.only(d, q)
	}
	slash := strings.HasSuffix(name, "/") // asks for a folder
	if name = strings.Trim(name, "/"); name == "" {
		name = "."
	}
	if !slash {
		f, err := h.open(top, name, q.hot)
		if err != nil {
			return nil, err
		}
		found, err := h.chosen(d, top, name, f, nil, q)
		if err != errFolder {
			return found, err
		}
	}
	for _, i := range h.index {
		f, err := h.open(top, name+"/"+i, q.hot)
		found, err := h.chosen(d, top, name+"/"+i, f, err, q)
		if err == nil {
			found.noSlash = !slash
			return found, nil
		}
		if err == errCold || refusal(err) != 0 {
			return nil, err
		}
	}
	if h.listing {
		if q.hot {
			return nil, errCold
		}
		return h.list(top, name, slash)
	}
	return nil, errNoFile
}

// only opens the file that d is.
func (h *finder) only(d *root, q query) (*file, error) {
	if len(h.skip) > 0 {
		real, err := filepath.EvalSymlinks(d.path)
		if err != nil {
			return nil, err
		}
		if h.skips(real) || h.skips(d.path) {
			return nil, errNoFile
		}
	}
	f, err := os.OpenFile(d.path, openFlags, 0)
	found, err := h.regular(f, err, d.path)
	if err != nil {
		return nil, err
	}
	if isLocal(int(found.Fd())) {
		found.path = d.path
	}
	if found.varies = h.siblings.cover(d.path); found.varies {
		for _, c := range codings(q.takes) {
			f, err := os.OpenFile(d.path+c.Suffix(), openFlags, 0)
			if sibling, err := h.regular(f, err, d.path); err == nil {
				if found.path != "" {
					sibling.path = d.path + c.Suffix()
				}
				return found.replacedBy(sibling, c), nil
			}
		}
	}
	return found, nil
}

// chosen returns the opened file, or a sibling that the client accepts.
func (h *finder) chosen(d *root, top *folder, name string, f *os.File, err error, q query) (*file, error) {
	full := ""
	if err == nil {
		full = top.real + "/" + strings.TrimPrefix(name, "./")
	}
	found, err := h.regular(f, err, full)
	if err != nil {
		return nil, err
	}
	path := d.path + "/" + name
	if q.hot || isLocal(int(found.Fd())) { // otherwise the loop must not look at it
		found.path = path
	}
	if found.varies = h.siblings.cover(full) || h.siblings.cover(path); !found.varies {
		return found, nil
	}
	for _, c := range codings(q.takes) {
		f, err := h.open(top, name+c.Suffix(), q.hot)
		if err == errCold {
			found.close()
			return nil, err
		}
		if sibling, err := h.regular(f, err, full); err == nil {
			if found.path != "" {
				sibling.path = path + c.Suffix()
			}
			return found.replacedBy(sibling, c), nil
		}
	}
	return found, nil
}

// findSafe is find for links from d into a folder of Safe.
func (h *finder) findSafe(d *root, name string, q query) (*file, error) {
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
		f, err := h.find(safe, rest, q)
		if err == nil {
			f.path = "" // not the requested file
		}
		return f, err
	}
	return nil, errNoFile
}

// skips reports whether a file of that name is left to the next handler. It ignores the suffix
// of a coding.
func (h *finder) skips(name string) bool {
	for {
		for _, end := range h.skip {
			if len(name) >= len(end) && strings.EqualFold(name[len(name)-len(end):], end) {
				return true
			}
		}
		bare := withoutCoding(name)
		if bare == name {
			return false
		}
		name = bare
	}
}

// withoutCoding removes the suffix of a coding from a name.
func withoutCoding(name string) string {
	for _, end := range [...]string{".gz", ".br", ".zst", ".bz2", ".xz", ".zip"} {
		if len(name) > len(end) && strings.EqualFold(name[len(name)-len(end):], end) {
			return name[:len(name)-len(end)]
		}
	}
	return name
}

// maxLinks bounds the links on the way of one name, as Linux does.
const maxLinks = 40

// skipsIn is skips for the file below top, under each name on the way through links. It returns
// an error for a file to skip, and when it cannot tell.
func (h *finder) skipsIn(top *folder, name string) error {
	if len(h.skip) == 0 {
		return nil
	}
	for range maxLinks {
		if h.skips(name) {
			return errNoFile
		}
		info, err := top.Lstat(name)
		if err != nil {
			return err // no such file, or it is outside
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

// open opens the folder at the root's path; nil means a file. It stays open while the same
// folder is there, which halves the time of a lookup. The garbage collector closes an old one,
// because another loop may use it.
func (d *root) open(hot bool) (*folder, error) {
	now := d.folder.Load()
	switch {
	case hot && now == nil:
		return nil, missing(d.path)
	case hot && now.local == nil:
		return nil, errCold
	}
	info, err := os.Stat(d.path)
	if err == nil && now != nil && os.SameFile(now.info, info) {
		return now, nil
	}
	if hot {
		return nil, errCold
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, nil
	}
	opened, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, err
	}
	if info, err = opened.Stat("."); err != nil {
		_ = opened.Close()
		return nil, err
	}
	now = &folder{Root: opened, info: info, real: d.path, local: openLocal(opened)}
	if real, err := filepath.EvalSymlinks(d.path); err == nil {
		now.real = real
	}
	d.folder.Store(now)
	return now, nil
}

// file is a regular file, or a generated answer in its place. A file in memory never changes,
// because loops share it.
type file struct {
	*os.File // nil if data has the content
	data     []byte
	path     string // its path; empty if that does not identify it, or it is not on a local file system
	id       identity
	size     int64
	noSlash  bool // the index of a folder requested without the slash
	made     bool // generated, so it has no validators
	status   int  // its status; 0 means 200
	conditional.Validators
	head
}

// head is the part of a response that follows from a file's name.
type head struct {
	contentType []byte
	coding      coding.Coding
	varies      bool     // by Accept-Encoding
	expires     *Expires // by the name
	expiresType *Expires // by the type
	immutable   bool
}

// regular returns an opened regular file. It returns an error if opening failed, or for a
// folder, FIFO or device. full is its path.
func (h *finder) regular(f *os.File, err error, full string) (*file, error) {
	if f == nil {
		return nil, err
	}
	var info os.FileInfo
	if err == nil {
		info, err = f.Stat()
	}
	switch {
	case err != nil || info.Mode().IsRegular():
	case info.IsDir():
		err = errFolder
	default:
		err = errNoFile
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	found := &file{File: f, size: info.Size(), id: identify(info)}
	found.Validators = validatorsOf(info.ModTime(), info.Size())
	found.contentType = h.types.of(full)
	found.immutable = h.immutable != nil && h.immutable.MatchString(filepath.Base(full))
	found.expires, found.expiresType = h.expires.of(full, found.contentType)
	return found, nil
}

// replacedBy returns the sibling in that coding instead of f.
func (f *file) replacedBy(sibling *file, c coding.Coding) *file {
	f.close()
	sibling.head = f.head
	sibling.coding = c
	// A sibling is made from the file, and may have the same time.
	sibling.ETag = append(append(sibling.ETag[:len(sibling.ETag)-1], '-'), append(c.Name(), '"')...)
	return sibling
}

// close closes a file that is not sent. f may be nil.
func (f *file) close() {
	if f != nil && f.File != nil {
		_ = f.File.Close()
	}
}

// identity identifies one version of a file.
type identity struct {
	dev, ino   uint64
	size       int64
	mtim, ctim int64 // nanoseconds
}
