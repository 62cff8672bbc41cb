package life

import (
	"context"
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

// Watched are files, and what is done when one of them is touched.
type Watched struct {
	Paths []string
	Do    func()
}

// Watch looks at files once a second, until ctx ends.
func Watch(ctx context.Context, all ...Watched) {
	var seen []*touched
	paths := 0
	for _, w := range all {
		seen = append(seen, newTouched(w.Paths))
		paths += len(w.Paths)
	}
	if paths == 0 {
		return
	}
	t := time.NewTicker(touchEach)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			for i, w := range all {
				if seen[i].look() != "" {
					w.Do()
				}
			}
		}
	}
}
