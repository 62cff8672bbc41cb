package static

import (
	"regexp"
	"strings"

	"github.com/uwsgo/uwsgo/handler/internal/coding"
)

// Siblings are files beside others that have the same content, compressed: site.css.br,
// site.css.zst and site.css.gz. The zero value never looks for them.
type Siblings struct {
	All      bool             // for every file (static-gzip-all)
	Folders  []string         // for those whose paths begin so (static-gzip-dir)
	Ends     []string         // for those whose names end so (static-gzip-ext)
	Patterns []*regexp.Regexp // for those whose paths match (static-gzip)
}

func (s *Siblings) any() bool {
	return s.All || len(s.Folders)+len(s.Ends)+len(s.Patterns) > 0
}

// cover reports whether siblings of the file with that path are looked for.
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

// codings returns those that a client takes, the one that it likes best first. Brotli is the smallest
// where files are compressed beforehand.
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
