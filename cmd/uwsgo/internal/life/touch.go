package life

import (
	"context"
	"os"
	"time"
)

// touched finds files whose modification time has changed, as uWSGI's touch options do. It belongs
// to one goroutine.
type touched struct {
	paths []string
	deep  bool        // the contents of a directory count, too
	seen  []time.Time // zero for a missing file
	count []int       // entries of a directory
}

// touchEach is the time between two looks; uWSGI's.
const touchEach = time.Second

func newTouched(paths []string, deep bool) *touched {
	t := &touched{paths: paths, deep: deep, seen: make([]time.Time, len(paths)), count: make([]int, len(paths))}
	t.look()
	return t
}

// look returns a file that has changed or come since the last look; empty for none.
func (t *touched) look() (path string) {
	for i, name := range t.paths {
		at, count := t.state(name)
		if !at.IsZero() && (!at.Equal(t.seen[i]) || count != t.count[i]) {
			path = name
		}
		t.seen[i], t.count[i] = at, count
	}
	return path
}

// mostEntries bounds the entries of a directory that count.
const mostEntries = 10_000

// state returns when a file was modified last. For a directory whose contents count it also looks
// at the entries, and returns their number.
func (t *touched) state(name string) (at time.Time, count int) {
	info, err := os.Stat(name)
	if err != nil {
		return at, 0
	}
	at = info.ModTime()
	if !t.deep || !info.IsDir() {
		return at, 0
	}
	dir, err := os.Open(name)
	if err != nil {
		return at, 0
	}
	defer dir.Close()
	entries, _ := dir.ReadDir(mostEntries)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().After(at) {
			at = info.ModTime()
		}
	}
	return at, len(entries)
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
		seen = append(seen, newTouched(w.Paths, false))
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
