package static

import (
	"sync"
	"time"

	"github.com/uwsgo/uwsgo/handler/internal/coding"
)

// memory caches look-ups of popular files, and the content of small ones. Each request checks
// that the file is unchanged. Once a second it is looked up again, because another file may
// take precedence. Loops and goroutines may use it.
type memory struct {
	mu    sync.Mutex
	files map[memoryKey]*kept
	bytes int64
}

// Bounds of the cache in bytes, and how long a look-up holds.
const (
	keepMost    = 32 << 10
	keepAll     = 16 << 20
	keepOverMap = 512 // estimated cost of a file besides its content and names
	keepFor     = time.Second
)

// keepSettled is the age of a change from which the file's time distinguishes it from a next
// one.
var keepSettled = 2 * time.Second

type memoryKey struct {
	path  string
	takes uint8 // which codings, equally preferred
}

type kept struct {
	*file
	until int64 // on the clock of the loops
}

// takes makes a key of a client's codings. Clients with preferences among codings are not
// cached.
func takes(w coding.Weights) (bits uint8, ok bool) {
	for i, c := range [...]coding.Coding{coding.Gzip, coding.Zstd, coding.Brotli} {
		switch w[c] {
		case 1000:
			bits |= 1 << i
		case 0, coding.Unset:
		default:
			return 0, false
		}
	}
	return bits, w[coding.Identity] <= 0 || w[coding.Identity] == 1000
}

// find returns the cached file for a path, if it is unchanged on disk.
func (m *memory) find(q query) *file {
	bits, ok := takes(q.takes)
	if !ok {
		return nil
	}
	m.mu.Lock()
	f := m.files[memoryKey{q.path, bits}]
	m.mu.Unlock()
	if f == nil || q.now >= f.until {
		return nil
	}
	if f.data != nil {
		if now, ok := identityAt(f.path); !ok || now != f.id {
			return nil
		}
		return f.file
	}
	opened, now := reopen(f.path)
	if opened == nil {
		return nil
	}
	if now != f.id {
		_ = opened.Close()
		return nil
	}
	again := *f.file
	again.File = opened
	return &again
}

// keep caches a file if that is of use, with its content if it is small.
func (m *memory) keep(f *file, q query) {
	if f.File == nil || f.id == (identity{}) {
		return
	}
	bits, ok := takes(q.takes)
	key := memoryKey{q.path, bits}
	m.mu.Lock()
	old := m.files[key]
	m.mu.Unlock()
	switch {
	case f.size > keepMost:
	case old != nil && old.id == f.id && old.path == f.path:
		f.data = old.data
	default:
		f.data = make([]byte, f.size)
		if q.hot && !readHot(f.File, f.data) {
			return
		}
		if !q.hot {
			if n, _ := f.File.ReadAt(f.data, 0); n < len(f.data) {
				return
			}
		}
	}
	if f.data != nil {
		f.close()
		f.File = nil
	}
	if !ok || f.path == "" || time.Since(time.Unix(0, f.id.mtim)) < keepSettled || time.Since(time.Unix(0, f.id.ctim)) < keepSettled {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = map[memoryKey]*kept{}
	}
	m.drop(key)
	for other := range m.files { // any one
		if m.bytes+weight(key, f) <= keepAll {
			break
		}
		m.drop(other)
	}
	known := *f
	known.File = nil
	m.files[key] = &kept{&known, q.now + int64(keepFor)}
	m.bytes += weight(key, f)
}

func weight(key memoryKey, f *file) int64 {
	return int64(len(f.data)+len(key.path)+len(f.path)) + keepOverMap
}

// drop forgets a file. The caller has the lock.
func (m *memory) drop(key memoryKey) {
	if f := m.files[key]; f != nil {
		delete(m.files, key)
		m.bytes -= weight(key, f.file)
	}
}
