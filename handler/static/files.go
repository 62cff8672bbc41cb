package static

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/uwsgo/uwsgo/engine"
)

// Files answers with files that a caller, such as a rule, chooses by name.
type Files struct{ h Handler }

// NewFiles returns Files with the types in mimeFiles, in the format of /etc/mime.types. None
// means that file.
func NewFiles(mimeFiles ...string) *Files {
	return &Files{Handler{finder: finder{types: loadTypes(mimeFiles)}}}
}

// Type returns the Content-Type for a file name, nil if unknown.
func (s *Files) Type(name string) []byte {
	if kind, ok := s.h.types[strings.ToLower(filepath.Ext(name))]; ok {
		return []byte(kind)
	}
	return nil
}

// Found is an open file that is not sent yet.
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

// Close closes the file. The zero Found has none.
func (f Found) Close() {
	if f.f != nil {
		_ = f.f.Close()
	}
}

// File returns the open file and its size.
func (f Found) File() (*os.File, int64) { return f.f.File, f.f.size }

// Serve answers with the file as a Handler does: with ranges and conditions.
func (f Found) Serve(x *engine.Exchange) { f.h.serve(x, f.f) }
