package life

import (
	"os"
	"time"
)

// touched looks at files for a change of their modification time, as uWSGI's
// touch options do. It belongs to one goroutine.
type touched struct {
	paths []string
	seen  []time.Time // zero for a file that is not there
}

// touchEach is how often files are looked at; uWSGI's interval.
const touchEach = time.Second

func newTouched(paths []string) *touched {
	t := &touched{paths: paths, seen: make([]time.Time, len(paths))}
	t.look()
	return t
}

// look returns a file that has changed, or come, since the last look; empty for none.
func (t *touched) look() (path string) {
	for i, name := range t.paths {
		var at time.Time
		if info, err := os.Stat(name); err == nil {
			at = info.ModTime()
		}
		if !at.IsZero() && !at.Equal(t.seen[i]) {
			path = name
		}
		t.seen[i] = at
	}
	return path
}
