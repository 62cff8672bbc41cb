package worker

import "encoding/binary"

// backlog holds the requests that wait for room in the queue, first in, first out. It is one
// buffer, so waiting costs a copy and no allocation.
type backlog struct {
	buf  []byte // uint32 length, uint32 id, request; and so on
	head int    // where the first one begins
}

const backlogHead = 8

// backlogKeep is the largest buffer that an empty backlog holds on to.
const backlogKeep = 1 << 20

func (b *backlog) empty() bool { return b.head == len(b.buf) }

func (b *backlog) size() int { return len(b.buf) - b.head }

func (b *backlog) push(id uint32, request []byte) {
	if n := backlogHead + len(request); b.head > 0 && len(b.buf)+n > cap(b.buf) && b.head >= len(b.buf)/2 {
		b.buf = b.buf[:copy(b.buf, b.buf[b.head:])]
		b.head = 0
	}
	b.buf = binary.LittleEndian.AppendUint32(b.buf, uint32(len(request)))
	b.buf = binary.LittleEndian.AppendUint32(b.buf, id)
	b.buf = append(b.buf, request...)
}

// front returns the first request, a view until the next push or pop.
func (b *backlog) front() (id uint32, request []byte, ok bool) {
	if b.empty() {
		return 0, nil, false
	}
	p := b.buf[b.head:]
	n := binary.LittleEndian.Uint32(p)
	return binary.LittleEndian.Uint32(p[4:]), p[backlogHead : backlogHead+n], true
}

func (b *backlog) pop() {
	b.head += backlogHead + int(binary.LittleEndian.Uint32(b.buf[b.head:]))
	if !b.empty() {
		return
	}
	b.head, b.buf = 0, b.buf[:0]
	if cap(b.buf) > backlogKeep {
		b.buf = nil
	}
}
