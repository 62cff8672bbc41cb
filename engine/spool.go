package engine

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine/internal/segment"
)

// Body is a request's body, complete once a handler has awaited it. It belongs to its exchange
// and ends with it.
type Body struct {
	mem    *bytebufferpool.ByteBuffer // the whole body, or the part not yet in the file
	shared *segment.Segment           // the whole body, when it lies there
	file   *os.File
	size   int64
	length int64 // the announced length, -1 for unknown

	srv      *Server // its budget counts the body
	stored   int64   // bytes in the file
	inMemory bool    // the file is memory
	weight   int64   // bytes counted in the budget
}

const (
	gather = 256 << 10 // bytes collected for one write to the file
	// rescueMax bounds how much of a body moves to memory when its disk is full.
	rescueMax = 32 << 20
	// slowClose is the size from which a goroutine closes the file.
	slowClose = 1 << 20
	// sharedLeast is the size from which a body lies in shared memory. Sending a smaller one
	// costs less.
	sharedLeast = 16 << 10
	sharedMost  = 128 << 20 // bytes of shared memory
)

// Size returns the length of the body in bytes.
func (b *Body) Size() int64 { return b.size }

// Bytes returns a body in memory, nil for one in a file.
func (b *Body) Bytes() []byte {
	if b.shared != nil {
		return b.shared.Bytes()[:b.size]
	}
	if b.mem == nil || b.file != nil {
		return nil
	}
	return b.mem.B
}

// File returns the file of a body too large for memory, else nil. It has no name and ends with
// its last descriptor. Read it with ReadAt or dup it.
func (b *Body) File() *os.File { return b.file }

// Shared returns the memory, shared with workers, that holds the body, else nil. See
// [Options].SharedBodies.
func (b *Body) Shared() *segment.Segment { return b.shared }

// share finds shared memory for a body of known length before its first byte.
func (b *Body) share(s *Server) {
	if s.shared == nil || b.size > 0 || b.file != nil || b.length <= sharedLeast || b.length > int64(s.shared.Each()) || s.memoryTight() {
		return
	}
	b.srv = s
	b.shared = s.shared.Get(int(b.length))
}

// unshare gives back unused shared memory.
func (b *Body) unshare() {
	if b.shared != nil && b.size == 0 {
		b.shared.Release()
		b.shared = nil
	}
}

// room returns the free part of the body's shared memory, nil without any.
func (b *Body) room() []byte {
	if b.shared == nil {
		return nil
	}
	return b.shared.Bytes()[b.size:b.length]
}

// Reader returns a reader of the whole body. It may be used by one other
// goroutine until the exchange is answered or its client has gone.
func (b *Body) Reader() io.Reader {
	if b.file != nil {
		return io.NewSectionReader(b.file, 0, b.size)
	}
	return bytes.NewReader(b.Bytes())
}

// collect appends p in memory. store writes it to a file when due says so. Its error carries a
// status.
func (b *Body) collect(p []byte, s *Server) error {
	b.srv = s
	if b.size == 0 && b.shared == nil {
		b.share(s)
	}
	if b.shared != nil {
		to := b.room()
		switch {
		case len(p) > len(to):
			return codec.ErrBodyTooLarge
		case len(p) > 0 && &to[0] != &p[0]:
			copy(to, p)
		}
		b.size += int64(len(p))
		b.weigh()
		return nil
	}
	b.size += int64(len(p))
	if b.mem == nil {
		b.mem = bytebufferpool.Get()
	}
	b.mem.B = append(b.mem.B, p...)
	b.weigh()
	return nil
}

// due reports whether collected bytes should go to the file: the body is large, or memory is
// short. last says that no more follow: then the rest goes to a file that exists.
func (b *Body) due(last bool) bool {
	if b.mem == nil || len(b.mem.B) == 0 {
		return false
	}
	most, collect := int64(b.srv.opt.BodyMemory), gather
	if b.srv.memoryTight() {
		most, collect = min(most, tightBody), tightBody
	}
	if b.file == nil {
		return b.size > most
	}
	return last || len(b.mem.B) >= collect
}

// store writes the collected bytes to the file. It may wait for a disk. Its error carries a
// status.
func (b *Body) store() error {
	if b.file == nil {
		if err := b.spool(b.srv); err != nil {
			return err
		}
	}
	return b.complete()
}

// trim frees the memory reserved for later pieces.
func (b *Body) trim() {
	if b.file != nil && b.mem != nil {
		putBuffer(b.mem)
		b.mem = nil
		b.weigh()
	}
}

// store stores the collected part of x's body on a goroutine, and then runs then. Collect
// nothing until then.
func (l *loop) store(x *Exchange, then func(x *Exchange, err error)) {
	body := x.body
	x.body = Body{size: body.size}
	var err error
	back := func(x *Exchange) {
		x.body = body
		then(x, err)
	}
	// When memory is full, or too much waits for disks, the loop waits too. That makes room;
	// otherwise other requests would be refused.
	if l.srv.memoryFull() || x.Offload(func() { err = body.store() }, back, body.free) != nil {
		err = body.store()
		back(x)
	}
}

// weigh counts the memory that the body holds now.
func (b *Body) weigh() {
	n := int64(0)
	if b.mem != nil {
		n = int64(cap(b.mem.B))
	}
	if b.inMemory {
		n += b.stored
	}
	if b.shared != nil {
		n += b.size
	}
	if n != b.weight {
		b.srv.hold(n - b.weight)
		b.weight = n
	}
}

// complete writes the rest of the collected bytes to the file, if there is one.
func (b *Body) complete() error {
	if s := b.shared; b.file != nil && s != nil {
		err := b.write(s.Bytes()[:b.size])
		b.shared = nil
		s.Release()
		b.weigh()
		return err
	}
	if b.file == nil || b.mem == nil {
		return nil
	}
	err := b.write(b.mem.B)
	if cap(b.mem.B) <= keepBuffer {
		putBuffer(b.mem)
		b.mem = nil
	} else { // the next piece goes there
		b.mem.B = b.mem.B[:0]
	}
	b.weigh()
	return err
}

// write writes to the file, or to a file in memory when the disk is full.
func (b *Body) write(p []byte) error {
	if b.inMemory && b.srv.memory.Load()+int64(len(p)) > b.srv.maxMemory {
		return b.noSpace(errors.New("connections hold all the memory they may"))
	}
	n, err := b.file.Write(p)
	b.stored += int64(n)
	if b.inMemory {
		b.weigh()
	}
	if err == nil {
		return nil
	}
	if b.inMemory {
		return b.noSpace(err)
	}
	if err := b.rescue(err); err != nil {
		return err
	}
	return b.write(p[n:])
}

// spool opens a file for the body: a file in memory when the folder takes none.
func (b *Body) spool(s *Server) error {
	b.srv = s
	if !s.takeFile() {
		return errBusy
	}
	f, err := newBodyFile(s.opt.TempDir)
	if err != nil && !outOfFiles(err) {
		s.sayTempDir(err)
		if inMemory, memErr := memoryFile(); memErr == nil {
			f, b.inMemory, err = inMemory, true, nil
		}
	}
	if err != nil {
		s.giveFile()
		if outOfFiles(err) {
			if s.maySay(sayFiles) {
				s.opt.Logf("store request body: %v: requests that need a file get 503; raise the limit on open files (ulimit -n)", err)
			}
			return errBusy
		}
		return b.noSpace(err)
	}
	b.file = f
	return nil
}

// rescue moves the file's content to memory, because the disk is full.
func (b *Body) rescue(why error) error {
	b.srv.sayTempDir(why)
	if b.stored > rescueMax || b.srv.memory.Load()+b.stored > b.srv.maxMemory {
		return b.noSpace(why)
	}
	f, err := memoryFile()
	if err != nil {
		return b.noSpace(why)
	}
	n, err := io.Copy(f, io.NewSectionReader(b.file, 0, b.stored))
	if err != nil || n < b.stored {
		_ = f.Close()
		return b.noSpace(why)
	}
	_ = b.file.Close()
	b.file, b.inMemory = f, true
	b.weigh()
	return nil
}

func (b *Body) noSpace(err error) error {
	if b.srv.maySay(sayNoSpace) {
		b.srv.opt.Logf("store request body: %v: set TMPDIR to a folder with room", err)
	}
	return errNoSpace
}

func (b *Body) free() {
	if b.srv == nil {
		return
	}
	if b.mem != nil {
		putBuffer(b.mem)
	}
	if b.shared != nil {
		b.shared.Release() // a worker that reads it holds it too
	}
	if b.weight != 0 {
		b.srv.hold(-b.weight)
	}
	if f, s := b.file, b.srv; f != nil {
		s.closeFile(f, b.stored)
	}
	*b = Body{}
}

// closeFile closes a file of that size that takeFile has counted. Freeing a large file takes
// the system a while.
func (s *Server) closeFile(f *os.File, size int64) {
	end := func() {
		_ = f.Close()
		s.giveFile()
	}
	if size < slowClose || s.do(end) != nil {
		end()
	}
}

// outOfFiles reports whether err is a lack of descriptors.
func outOfFiles(err error) bool { return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) }

// unlinked makes a file without a name, so no file stays behind when the process dies.
func unlinked(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "uwsgo-body-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

var newBodyFile = unlinked // tests put a slow disk in its place

// checkTempDir warns when it cannot write files to TempDir.
func (s *Server) checkTempDir() {
	f, err := unlinked(s.opt.TempDir)
	if err == nil {
		_, err = f.Write([]byte("x"))
		_ = f.Close()
	}
	if err != nil {
		s.sayTempDir(err)
	}
}

func (s *Server) sayTempDir(err error) {
	if !s.maySay(sayTempDir) {
		return
	}
	instead := "refused with 507"
	if f, err := memoryFile(); err == nil {
		_ = f.Close()
		instead = "kept in memory, as far as there is room"
	}
	s.opt.Logf("*** WARNING: request bodies above %d KiB cannot be stored in %s: %v: they are %s: set TMPDIR to a folder that can be written ***",
		s.opt.BodyMemory>>10, s.opt.TempDir, err, instead)
}
