// Package stores makes the memory that apps share by the uwsgi module: caches, the queue and shared
// areas. It makes the memory, keeps it across reloads, puts it into a file if asked, and counts.
// Python works in it (engine/worker/shim/stores.py).
package stores

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker"
)

// Cache is a cache of uWSGI's kind.
type Cache struct {
	Name      string
	Items     int    // the most that it holds
	Blocks    int    // at least as many; 0 means one for each
	BlockSize int64  // bytes; 0 means 65536
	KeySize   int    // the longest key in bytes; 0 means 2048
	HashSize  int    // slots of the hash table; 0 means 65536
	Bitmap    bool   // an item may have several blocks
	LRU       bool   // the least recently used item makes room
	NoExpire  bool   // items do not expire
	Clear     bool   // a full cache is emptied
	Quiet     bool   // no log line about a full cache
	Initial   int64  // numbers begin with it
	Store     string // a file that outlives the server; empty for none
	Anew      bool   // a file of another shape is made again; else it ends the start
}

// Queue is a ring of blocks.
type Queue struct {
	Slots     int    // 0 for no queue
	BlockSize int64  // 0 means 8192
	Store     string // a file of uWSGI's own form; empty for none
}

// Area is a shared area.
type Area struct {
	Size   int64  // bytes
	File   string // that is mapped; empty for memory
	FD     int    // a descriptor that is, if it is not 0
	Offset int64
}

// Set has all stores. One goroutine calls its methods, any goroutine Stats.
type Set struct {
	caches []*cache
	all    []worker.Store
}

type cache struct {
	Cache
	file *os.File
}

// The parts of a cache in words, as in shim/stores.py.
const (
	headSize  = 4096
	itemSize  = 64
	magic     = 0x3145484341434f47 // GOCACHE1
	firstWord = 8                  // of what Python writes
)

// Numbers of the head, each of eight bytes.
const (
	wordDirty = firstWord + iota
	wordCount
	wordFresh
	wordFree
	wordFirst
	wordLast
	wordHits
	wordMisses
	wordFull
	wordChanged
)

// sizeMost bounds the memory of one store. No machine has as much, so sums of sizes do not
// overflow.
const sizeMost = 1 << 46

// withDefaults returns c with its defaults, or what is wrong with it.
func (c Cache) withDefaults() (Cache, error) {
	def := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	def(&c.Blocks, c.Items)
	if c.BlockSize == 0 {
		c.BlockSize = 65536
	}
	def(&c.KeySize, 2048)
	def(&c.HashSize, 65536)
	switch {
	case c.Items < 1 || c.Items > math.MaxInt32:
		return c, fmt.Errorf("cache %s: it has to hold at least one item, and at most %d", c.Name, math.MaxInt32)
	case c.Blocks < c.Items || c.Blocks > math.MaxInt32:
		return c, fmt.Errorf("cache %s: blocks must be at least items (%d)", c.Name, c.Items)
	case c.KeySize < 1 || c.KeySize >= 65535:
		return c, fmt.Errorf("cache %s: keysize must be from 1 to 65534", c.Name)
	case c.BlockSize < 1 || c.HashSize < 1 || c.HashSize > math.MaxInt32:
		return c, fmt.Errorf("cache %s: blocksize and hashsize must be at least 1", c.Name)
	case float64(c.Blocks)*float64(c.BlockSize)+float64(c.Items)*float64(c.KeySize+itemSize) > sizeMost:
		return c, fmt.Errorf("cache %s: %d blocks of %d bytes are more than there can be", c.Name, c.Blocks, c.BlockSize)
	}
	return c, nil
}

// places returns where the parts of a cache begin (hash table, free items, items, the map of
// blocks, data), and its size.
func (c *Cache) places() [6]int64 {
	align := func(n int64) int64 { return (n + 63) / 64 * 64 }
	var at [6]int64
	at[0] = headSize
	at[1] = at[0] + 4*int64(c.HashSize)
	at[2] = at[1] + 4*int64(c.Items)
	each := int64(itemSize + (c.KeySize+7)/8*8)
	at[3] = align(at[2] + each*int64(c.Items+1))
	at[4] = at[3]
	if c.Bitmap {
		at[4] = align(at[3] + int64(c.Blocks))
	}
	at[5] = at[4] + int64(c.Blocks)*c.BlockSize
	return at
}

// words are the beginning of a file: what it is, and its shape.
func (c *Cache) words() [firstWord]uint64 {
	return [firstWord]uint64{magic, uint64(c.Items), uint64(c.Blocks), uint64(c.BlockSize), uint64(c.KeySize), uint64(c.HashSize), uint64(bit(c.Bitmap) | bit(c.LRU)<<1)}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Open makes all stores. It opens those in files, and makes missing files.
func Open(caches []Cache, queue Queue, areas []Area, logf func(format string, args ...any)) (s *Set, err error) {
	s = &Set{}
	made := s
	defer func() {
		if err != nil {
			made.Close()
		}
	}()
	for _, c := range caches {
		if c, err = c.withDefaults(); err != nil {
			return nil, err
		}
		f, err := c.open(logf)
		if err != nil {
			return nil, fmt.Errorf("cache %s: %w", c.Name, err)
		}
		at := c.places()
		s.caches = append(s.caches, &cache{c, f})
		s.all = append(s.all, worker.Store{Kind: "cache", Name: c.Name, File: f, Shape: map[string]any{
			"named": c.Store != "", "sizes": []any{c.Items, c.Blocks, int(c.BlockSize), c.KeySize},
			"ways":   []any{c.Bitmap, c.LRU, c.NoExpire, c.Clear, c.Quiet, int(c.Initial)},
			"places": []any{int(at[0]), int(at[1]), int(at[2]), int(at[3]), int(at[4]), int(at[5])},
		}})
	}
	if queue.Slots > 0 {
		if queue.BlockSize == 0 {
			queue.BlockSize = 8192
		}
		f, err := queue.open()
		if err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
		s.all = append(s.all, worker.Store{Kind: "queue", File: f, Shape: map[string]any{"named": queue.Store != "", "sizes": []any{queue.Slots, int(queue.BlockSize)}}})
	}
	for i, a := range areas {
		f, err := a.open()
		if err != nil {
			return nil, fmt.Errorf("shared area %d: %w", i, err)
		}
		s.all = append(s.all, worker.Store{Kind: "area", File: f, Shape: map[string]any{"named": a.File != "", "size": int(a.Size), "offset": int(a.Offset)}})
	}
	return s, nil
}

// open returns the file of a cache, with the shape of now.
func (c *Cache) open(logf func(format string, args ...any)) (*os.File, error) {
	size := c.places()[5]
	var head []byte
	for _, w := range c.words() {
		head = binary.NativeEndian.AppendUint64(head, w)
	}
	if c.Store == "" {
		f, err := memory(size)
		if err == nil {
			_, err = f.WriteAt(head, 0)
		}
		return f, err
	}
	f, fresh, err := openStore(c.Store)
	if err != nil {
		return nil, err
	}
	if !fresh {
		was := make([]byte, len(head))
		info, err := f.Stat()
		if err == nil {
			_, err = f.ReadAt(was, 0)
		}
		if err == nil && info.Size() == size && string(was) == string(head) {
			logf("cache %s goes on with what %s holds", c.Name, c.Store)
			return f, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			_ = f.Close()
			return nil, err
		}
		if !c.Anew {
			_ = f.Close()
			return nil, fmt.Errorf("%s has another shape than the option asks for, or is no cache of uwsgo's: remove it, or write store_delete=1 to have it made anew", c.Store)
		}
		logf("cache %s: %s had another shape and is made anew", c.Name, c.Store)
	}
	if err := errors.Join(f.Truncate(0), f.Truncate(size)); err != nil {
		_ = f.Close()
		return nil, err
	}
	if _, err := f.WriteAt(head, 0); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (q *Queue) open() (*os.File, error) {
	size := 16 + int64(q.Slots)*q.BlockSize
	if q.Slots > math.MaxInt32 || q.BlockSize <= 16 || size > sizeMost {
		return nil, errors.New("queue and queue-blocksize are out of bounds: blocks have more than 16 bytes")
	}
	if q.Store == "" {
		return memory(size)
	}
	f, fresh, err := openStore(q.Store)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !fresh && info.Size() != size {
		_ = f.Close()
		return nil, errors.Join(err, fmt.Errorf("%s does not have the size that queue and queue-blocksize ask for: remove it, or change them", q.Store))
	}
	if err := f.Truncate(size); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (a *Area) open() (*os.File, error) {
	if a.Size < 1 || a.Size > sizeMost {
		return nil, errors.New("its size is missing, or out of bounds")
	}
	if page := int64(os.Getpagesize()); a.Offset < 0 || a.Offset%page != 0 {
		return nil, fmt.Errorf("offset has to be a multiple of the size of a page, which is %d", page)
	}
	switch {
	case a.File != "":
		f, err := os.OpenFile(a.File, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		return f, a.fits(f)
	case a.FD > 0:
		fd, err := unix.FcntlInt(uintptr(a.FD), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, fmt.Errorf("fd=%d: %w", a.FD, err)
		}
		f := os.NewFile(uintptr(fd), "sharedarea")
		return f, a.fits(f)
	}
	return memory(a.Size)
}

// fits refuses a file that is shorter than the area: who touches memory behind its end dies.
func (a *Area) fits(f *os.File) error {
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() < a.Offset+a.Size {
		_ = f.Close()
		return fmt.Errorf("%s is shorter than the area", f.Name())
	}
	return nil
}

// openStore opens a regular file for reading and writing, and makes it if it is missing.
func openStore(name string) (f *os.File, fresh bool, err error) {
	_, err = os.Stat(name)
	fresh = errors.Is(err, os.ErrNotExist)
	f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, false, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, false, errors.Join(err, fmt.Errorf("%s is no regular file", name))
	}
	return f, fresh, nil
}

// memory returns a file that nobody else sees. Pages that nobody has written cost nothing.
func memory(size int64) (*os.File, error) {
	f, err := anonymous()
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(size); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Stores returns the stores for workers.
func (s *Set) Stores() []worker.Store { return s.all }

// Close closes the stores. Files stay.
func (s *Set) Close() {
	for _, st := range s.all {
		_ = st.File.Close()
	}
}

// Stats are the counters of a cache.
type Stats struct {
	Cache
	Count, Hits, Misses, Full, Changed uint64
}

// Stats reads the counters of the caches.
func (s *Set) Stats() (all []Stats) {
	if s == nil {
		return nil
	}
	for _, c := range s.caches {
		var b [(wordChanged + 1) * 8]byte
		if _, err := c.file.ReadAt(b[:], 0); err != nil {
			continue
		}
		word := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
		all = append(all, Stats{c.Cache, word(wordCount), word(wordHits), word(wordMisses), word(wordFull), word(wordChanged)})
	}
	runtime.KeepAlive(s)
	return all
}
