package shared

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Bounds of the memory for answers.
const (
	answersMost  = 64 << 20  // bytes, of all streams in use
	answersEach  = 2 << 20   // of one
	answersLeast = 128 << 10 // less is not worth it
)

// answersHead is the length of a stream's header in front of its answers. It has the loop's
// read position, and a mark that the memory is out of use. shim/answers.py has the same.
const answersHead = 64

// Answers is memory that one worker thread and one loop share. The thread puts bodies of answers
// there, one behind the other and again from the begin on, and tells by its stream where they are.
// The loop sends them from there, and says how far it has read. So a body is not copied into the stream
// and out of it. Where there is no room the thread uses the stream.
//
// A position counts the bytes since the process began. The loop owns it.
type Answers struct{ mem []byte }

// shareAnswers adds the memory for answers behind the first size bytes, where the system has it.
func (s *Memory) shareAnswers(size, streams, live int) {
	page := os.Getpagesize()
	each := min(answersEach, answersMost/max(live, 1)) / page * page
	if !inMemory || each < answersLeast {
		return
	}
	at := (size + page - 1) / page * page
	if s.File.Truncate(int64(at+streams*each)) != nil {
		return
	}
	mem, err := unix.Mmap(int(s.File.Fd()), int64(at), streams*each, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return
	}
	s.answers, s.AnswersAt, s.AnswersEach = mem, at, each
}

// Answers returns the memory of stream i, counted over all processes, threads and loops.
func (s *Memory) Answers(i int) Answers {
	if s.answers == nil {
		return Answers{}
	}
	from, to := i*s.AnswersEach, (i+1)*s.AnswersEach
	return Answers{s.answers[from:to:to]}
}

// Body returns n bytes from position at on. It returns nil for what cannot be there.
func (a Answers) Body(at, n int64) []byte {
	room := int64(len(a.mem) - answersHead)
	if room <= 0 || at < 0 || n <= 0 || n > room || at%room > room-n {
		return nil
	}
	from := answersHead + at%room
	return a.mem[from : from+n : from+n]
}

// Read says that all up to position at has been read.
func (a Answers) Read(at int64) { atomic.StoreUint64(a.word(0), uint64(at)) }

// Renew makes the memory ready for the next process, and gives it back to the system. Where the
// last one may live on the next does without: see [Answers.Leave].
func (a Answers) Renew() {
	if a.mem != nil && atomic.LoadUint64(a.word(8)) == 0 {
		giveBack(a.mem)
	}
}

// Leave has the memory never be used again: a process that may live on writes to it perhaps.
func (a Answers) Leave() {
	if a.mem != nil {
		atomic.StoreUint64(a.word(8), 1)
	}
}

func (a Answers) word(at int) *uint64 {
	return (*uint64)(unsafe.Pointer(&a.mem[at])) // it begins at a page
}
