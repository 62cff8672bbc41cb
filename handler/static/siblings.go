package static

import (
	"regexp"
	"strings"

	"github.com/uwsgo/uwsgo/handler/internal/coding"
)

// Siblings are compressed files beside the originals: site.css.br, site.css.zst and
// site.css.gz. The zero value never looks for them.
type Siblings struct {
	All      bool             // for every file (static-gzip-all)
	Folders  []string         // for paths with such a prefix (static-gzip-dir)
	Ends     []string         // for names with such a suffix (static-gzip-ext)
	Patterns []*regexp.Regexp // for paths that match (static-gzip)
}

func (s *Siblings) any() bool {
	return s.All || len(s.Folders)+len(s.Ends)+len(s.Patterns) > 0
}

// cover reports whether the file with that path may have siblings.
func (s *Siblings) cover(path string) bool {
	if s.All {
		return true
	}
	for _, folder := range s.Folders {
		if strings.HasPrefix(path, folder) {
			return true
		}
	}
	for _, end := range s.Ends {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	for _, p := range s.Patterns {
		if p.MatchString(path) {
			return true
		}
	}
	return false
}

// codings returns the codings that a client accepts, its preferred one first. Brotli comes
// first among equals: it is smallest for files compressed in advance.
func codings(w coding.Weights) (list []coding.Coding) {
	order := []coding.Coding{coding.Brotli, coding.Zstd, coding.Gzip}
	for len(order) > 0 {
		best, _ := w.Best(order...)
		if best == coding.Identity {
			return list
		}
		list = append(list, best)
		for i, c := range order {
			if c == best {
				order = append(order[:i], order[i+1:]...)
				break
			}
		}
	}
	return list
}
