package engine

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/valyala/bytebufferpool"
)

// Body is a request's body, read in full before its handler is called. It
// belongs to its exchange and goes with it.
type Body struct {
	mem  *bytebufferpool.ByteBuffer // all of it, or what is not in the file yet
	file *os.File
	size int64
}

// gather is how many bytes of a body are collected for one write to its file.
const gather = 64 << 10

// Size returns the length of the body in bytes.
func (b *Body) Size() int64 { return b.size }

// Bytes returns a body that is in memory, and nil for one in a file.
func (b *Body) Bytes() []byte {
	if b.mem == nil || b.file != nil {
		return nil
	}
	return b.mem.B
}

// File returns the file of a body too large for memory, else nil. It has no name
// any more, so it goes with its last descriptor; read it with ReadAt or dup it.
func (b *Body) File() *os.File { return b.file }

// Reader returns a reader of the whole body. It may be used by one other
// goroutine until the exchange is answered or its client has gone.
func (b *Body) Reader() io.Reader {
	if b.file != nil {
		return io.NewSectionReader(b.file, 0, b.size)
	}
	return bytes.NewReader(b.Bytes())
}

// add appends p, moving to a file past max bytes in memory. The last bytes of a
// file are written by complete.
func (b *Body) add(p []byte, max int, dir string) error {
	b.size += int64(len(p))
	if b.file == nil && b.size > int64(max) {
		if err := b.spool(dir); err != nil {
			return err
		}
	}
	if b.file != nil && (b.mem == nil || len(b.mem.B)+len(p) > gather) {
		if err := b.complete(); err != nil {
			return err
		}
		if len(p) >= gather/2 {
			return b.write(p)
		}
	}
	if b.mem == nil {
		b.mem = bytebufferpool.Get()
	}
	b.mem.B = append(b.mem.B, p...)
	return nil
}

// complete writes what has been collected for the file, if there is one.
func (b *Body) complete() error {
	if b.file == nil || b.mem == nil {
		return nil
	}
	err := b.write(b.mem.B)
	bytebufferpool.Put(b.mem)
	b.mem = nil
	return err
}

func (b *Body) write(p []byte) error {
	if _, err := b.file.Write(p); err != nil {
		return fmt.Errorf("spool request body: %w", err)
	}
	return nil
}

// spool moves the body to a file.
func (b *Body) spool(dir string) error {
	f, err := unlinked(dir)
	if err != nil {
		return fmt.Errorf("spool request body: %w", err)
	}
	b.file = f
	return b.complete()
}

func (b *Body) free() {
	if b.mem != nil {
		bytebufferpool.Put(b.mem)
	}
	if b.file != nil {
		_ = b.file.Close()
	}
	*b = Body{}
}

// unlinked makes a file without a name, so that nothing is left behind whatever
// becomes of the process.
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
