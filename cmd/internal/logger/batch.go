package logger

// batch is a list of messages in one buffer.
type batch struct {
	data []byte
	ends []uint32 // where each message ends in data
}

func (b *batch) add(message []byte) {
	b.data = append(b.data, message...)
	b.end()
}

// end ends the message that was added to data.
func (b *batch) end() { b.ends = append(b.ends, uint32(len(b.data))) }

func (b *batch) empty() bool { return len(b.ends) == 0 }

// reset empties the batch. It keeps its memory, but not that of a burst.
func (b *batch) reset() {
	if cap(b.data) > 4*gatherSize && len(b.data) < gatherSize {
		*b = batch{}
		return
	}
	b.data, b.ends = b.data[:0], b.ends[:0]
}

// each calls fn for the messages in their order.
func (b *batch) each(fn func(message []byte)) {
	start := uint32(0)
	for _, end := range b.ends {
		fn(b.data[start:end])
		start = end
	}
}

// from returns how many messages are not complete in the first n bytes.
func (b *batch) from(n int) uint64 {
	whole := 0
	for _, end := range b.ends {
		if int(end) > n {
			break
		}
		whole++
	}
	return uint64(len(b.ends) - whole)
}
