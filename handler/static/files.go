package static

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/uwsgo/uwsgo/engine"
)

// Files answers with files that others choose by name, such as rules.
type Files struct{ h Handler }

// NewFiles returns Files with the types that these files have, in the format of /etc/mime.types; with
// none, that one's.
func NewFiles(mimeFiles ...string) *Files {
	return &Files{Handler{finder: finder{types: loadTypes(mimeFiles)}}}
}

// Type returns the Content-Type that the name of a file says, nil where none is known.
func (s *Files) Type(name string) []byte {
	if kind, ok := s.h.types[strings.ToLower(filepath.Ext(name))]; ok {
		return []byte(kind)
	}
	return nil
}

// Found is an open file that has not been sent yet.
type Found struct {
	h *Handler
	f *file
}

// Find opens a regular file.
func (s *Files) Find(name string) (Found, error) {
	opened, err := os.OpenFile(name, openFlags, 0)
	f, err := s.h.regular(opened, err, name)
	return Found{&s.h, f}, err
}

// Close gives the file up; the zero Found has none.
func (f Found) Close() {
	if f.f != nil {
		_ = f.f.Close()
	}
}

// File returns the open file and its size.
func (f Found) File() (*os.File, int64) { return f.f.File, f.f.size }

// Serve answers with the file as a Handler does: a part of it, or that the client has it.
func (f Found) Serve(x *engine.Exchange) { f.h.serve(x, f.f) }
