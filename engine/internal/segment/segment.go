// Package segment hands out pieces of memory that other processes map too. Request bodies lie
// there, so that they need not be sent to workers.
//
// All pieces lie in one file in memory. It is made once, and each process maps it once. Only
// written parts use memory.
package segment

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// ErrUnsupported says that the system has no files in memory.
var ErrUnsupported = errors.New("this system cannot share memory with other processes")

const (
	grain = 64 << 10 // pieces are multiples of it
	// keep is how much used memory stays for ever. Memory beyond it goes back to the system
	// after a second or two without use.
	keep      = 16 << 20
	unusedFor = time.Second
)

// Pool hands out pieces. Any goroutine may call its methods.
type Pool struct {
	file *os.File
	mem  []byte
	each int

	mu     sync.Mutex
	used   []bool // by grain
	dirty  []bool // by grain: it has memory
	lately []bool // by grain: used since giveBack last ran
	left   int    // grains that are free
	giving bool   // giveBack is due to run
}

// Segment is one piece. Its holder may write to it until it tells others of it.
type Segment struct {
	pool   *Pool
	at, n  int // in grains
	holds  atomic.Int32
	leaked atomic.Bool
}

// New makes a pool of size bytes, with pieces of at most each bytes.
func New(size, each int) (*Pool, error) {
	size = (size + grain - 1) / grain * grain
	file, mem, err := memory(size)
	if err != nil {
		return nil, err
	}
	p := &Pool{file: file, mem: mem, each: min(each, size), left: size / grain}
	p.used, p.dirty, p.lately = make([]bool, p.left), make([]bool, p.left), make([]bool, p.left)
	runtime.AddCleanup(p, unmap, mem) // with the last piece
	return p, nil
}

// Each returns the largest size of a piece in bytes; 0 for a nil Pool.
func (p *Pool) Each() int {
	if p == nil {
		return 0
	}
	return p.each
}

// File returns the file, which other processes map, and Size its length.
func (p *Pool) File() *os.File { return p.file }

// Size returns the length of the file in bytes.
func (p *Pool) Size() int { return len(p.mem) }

// Get returns the first free piece of at least size bytes, so that it reuses memory. It returns
// nil when none is free, and for a nil Pool.
func (p *Pool) Get(size int) *Segment {
	n := (size + grain - 1) / grain
	if p == nil || size > p.each || n == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n > p.left {
		return nil
	}
	run := 0
	for i, used := range p.used {
		if run++; used {
			run = 0
		}
		if run == n {
			at := i - n + 1
			for j := at; j <= i; j++ {
				p.used[j], p.dirty[j], p.lately[j] = true, true, true
			}
			p.left -= n
			s := &Segment{pool: p, at: at, n: n}
			s.holds.Store(1)
			return s
		}
	}
	return nil
}

// Bytes returns the memory of the piece.
func (s *Segment) Bytes() []byte {
	from, to := s.at*grain, (s.at+s.n)*grain
	return s.pool.mem[from:to:to]
}

// Offset returns the piece's place in the file.
func (s *Segment) Offset() int { return s.at * grain }

// Hold adds a holder, who must call Release too.
func (s *Segment) Hold() *Segment {
	s.holds.Add(1)
	return s
}

// Leak takes the piece out of use for ever: a process with an unknown end may still read it.
func (s *Segment) Leak() { s.leaked.Store(true) }

// Release lets go of the piece. After its last holder it is free again.
func (s *Segment) Release() {
	if s.holds.Add(-1) > 0 || s.leaked.Load() {
		return
	}
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free(s.at, s.n)
	if (s.at+s.n)*grain > keep && !p.giving {
		p.giving = true
		time.AfterFunc(unusedFor, p.giveBack)
	}
}

// free makes n grains free. The caller has the lock.
func (p *Pool) free(at, n int) {
	for i := at; i < at+n; i++ {
		p.used[i] = false
	}
	p.left += n
}

// giveBack returns memory to the system that has not been used since its last run, and runs
// again while there is more.
func (p *Pool) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	more := false
	for i := keep / grain; i < len(p.used); i++ {
		at := i
		for ; i < len(p.used) && p.dirty[i] && !p.used[i] && !p.lately[i]; i++ {
			p.used[i], p.dirty[i] = true, false // keep it from Get meanwhile
		}
		if n := i - at; n > 0 {
			p.left -= n
			p.mu.Unlock()
			giveBack(p.mem[at*grain : i*grain])
			p.mu.Lock()
			p.free(at, n)
		}
		if i < len(p.used) {
			more = more || p.dirty[i]
			p.lately[i] = p.used[i]
		}
	}
	if p.giving = more; more {
		time.AfterFunc(unusedFor, p.giveBack)
	}
}

// Close closes the file. Pieces in use, and the mappings of other processes, stay.
func (p *Pool) Close() {
	if p != nil {
		_ = p.file.Close()
	}
}

// Held returns how many bytes of memory the pieces take, used or not.
func (p *Pool) Held() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, dirty := range p.dirty {
		if dirty {
			n += grain
		}
	}
	return n
}

// Free returns how many bytes are not in use.
func (p *Pool) Free() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left * grain
}
