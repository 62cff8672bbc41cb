package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// stream is a loop's end of the socket to one worker thread. It belongs to the
// loop and lives as long as the worker process.
type stream struct {
	port     *Port
	cores    []*Core // the slots of the thread, most often one
	answers  shared.Answers
	fd       int
	in       []byte // the beginning of a frame whose rest has not come yet
	out      []byte // what did not fit
	latest   int64  // when the last request that it ended was sent
	answer   uint32 // number of streamed answers so far, as the thread counts them
	open     int    // requests with more frames to come
	data     int    // bytes missing of the present data frame
	dataID   uint32
	fileKind kind          // of the frame that announced it
	fileID   uint32        // a descriptor for this request comes next; 0 for none
	fileHead []byte        // the payload of its frame
	fileMeta int           // length of the marshalled head in fileHead
	fileCore *Core         // the core of that answer
	bodyID   uint32        // send this request's body once out is empty; 0 for none
	closing  reactor.Timer // armed when the thread's end is closed: see orphaned
	turn     reactor.Turn  // reads on
	deaf     bool          // it has broken the protocol: read no more
	closed   bool
}

var errFrame = errors.New("malformed frame")

// Ready is called by the loop.
func (st *stream) Ready(ev reactor.Events) {
	if ev&reactor.Writable != 0 && !st.closed {
		st.flush()
	}
	if ev&reactor.Readable != 0 {
		st.read(false)
	}
}

// read handles input. It stops at a short read, which saves a system call, unless everything is
// set: after a worker's death nothing wakes the loop again.
func (st *stream) read(everything bool) {
	for first := true; !st.closed && !st.deaf; first = false {
		if !first && !everything && st.port.loop.Spent() > reactor.Share {
			st.port.loop.Again(&st.turn)
			return
		}
		if st.fileID != 0 {
			if !st.receiveFile() {
				return
			}
			continue
		}
		// Not the loop's own buffer: a client may read its next request into that when it hears
		// of its answer.
		buf := st.port.rbuf
		if len(st.in) > 0 {
			if len(st.in) == cap(st.in) {
				st.in = append(st.in, make([]byte, 64<<10)...)[:len(st.in)]
			}
			buf = st.in[len(st.in):cap(st.in)]
		}
		n, err := reactor.Read(st.fd, buf)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			if n == 0 && err == nil && !st.closing.Armed() {
				st.port.loop.After(&st.closing, endAfter)
			}
			return // nothing more; the zygote reports the worker's exit
		}
		short := n < len(buf)
		b := buf[:n]
		if len(st.in) > 0 {
			st.in = st.in[:len(st.in)+n]
			b = st.in
		}
		used, err := st.parse(b)
		for _, f := range st.port.onRead {
			f()
		}
		if err != nil {
			st.distrust(err)
			return
		}
		if used == len(b) {
			st.in = nil
		} else {
			st.keep(b[used:])
		}
		if short && st.fileID == 0 && !everything {
			return
		}
	}
}

// endAfter is how long a worker may live on after its stream has ended.
const endAfter = time.Second

// orphaned handles a stream that has ended while its worker serves: the app has closed the
// descriptor. The thread's answers go nowhere, or into a file that the app has opened since,
// and its next requests would wait for ever.
func (st *stream) orphaned() {
	if st.closed || st.deaf || !st.cores[0].process.Is(shared.Serving) {
		return
	}
	st.distrust(errors.New("the app has closed a descriptor of the server"))
}

// distrust kills the worker and reads no more of it.
func (st *stream) distrust(err error) {
	st.port.pool.log(fmt.Sprintf("worker %s: %v: killing it", st.cores[0].name, err))
	st.in, st.deaf = nil, true
	st.port.deaf++
	st.port.plane.sup.Fault(st.cores[0].process)
}

// keep holds on to the beginning of a frame.
func (st *stream) keep(rest []byte) {
	need := 4 << 10
	if len(rest) >= frameHead {
		need = frameHead + int(binary.LittleEndian.Uint32(rest)) // parse has checked the size
	}
	if cap(st.in) >= max(need, len(rest)) && len(st.in) > 0 {
		st.in = st.in[:copy(st.in[:cap(st.in)], rest)]
		return
	}
	in := make([]byte, len(rest), max(need, 2*len(rest)))
	copy(in, rest)
	st.in = in
}

// parse handles the frames in b and returns how many bytes they took.
func (st *stream) parse(b []byte) (used int, err error) {
	for {
		if st.data > 0 {
			n := min(st.data, len(b)-used)
			if n == 0 {
				return used, nil
			}
			st.data -= n
			used += n
			if s := st.port.slot(st.dataID); s != nil && s.client != nil {
				st.port.tellData(s.client, st.dataID, b[used-n:used])
			}
			continue
		}
		if len(b)-used < frameHead {
			return used, nil
		}
		p := b[used:]
		size := int(binary.LittleEndian.Uint32(p))
		id := binary.LittleEndian.Uint32(p[4:])
		what := binary.LittleEndian.Uint32(p[8:])
		k, head := kind(what>>24), int(what&0xffffff)
		// A file's descriptor comes before anything else.
		if st.fileID != 0 || !st.expected(k, id, size, head) {
			return used, fmt.Errorf("%w: kind %d, id %x, %d bytes", errFrame, k, id, size)
		}
		if k == kindData {
			used += frameHead
			st.port.slots[id&slotMask].room -= size
			st.data, st.dataID = size, id
			continue
		}
		if len(p) < frameHead+size {
			return used, nil
		}
		used += frameHead + size
		payload := p[frameHead : frameHead+size : frameHead+size]
		var placed []byte
		if k == kindPlaced {
			if placed = st.answers.Body(extent(payload[head:])); placed == nil {
				return used, fmt.Errorf("%w: an answer at a wrong place in shared memory", errFrame)
			}
		}
		err := st.frame(k, id, payload, placed, head)
		if placed != nil {
			at, n := extent(payload[head:])
			st.answers.Read(at + n)
		}
		if err != nil || st.closed {
			return used, err
		}
	}
}

// expected reports whether a frame may come now. The thread's frames are right, whatever its
// app does. If one is wrong, by a fault of ours or because the app has written to the stream,
// nothing after it can be trusted: it could become another client's answer.
func (st *stream) expected(k kind, id uint32, size, head int) bool {
	i := int(id & slotMask)
	if id>>loopShift != uint32(st.port.index) || i >= len(st.port.slots) {
		return false
	}
	s := &st.port.slots[i]
	if !s.open && st.open >= len(st.cores) {
		return false // a thread ends one request before it begins the next
	}
	if s.reuse != uint8(id>>reuseShift) || s.state < slotSent || s.stream != nil && s.stream != st {
		return false // it is not a request of this thread, or has ended
	}
	if s.stream == nil && k != kindWhole && st.port.claimedElsewhere(id, st) {
		return false // a whole answer is not worth the look
	}
	switch k {
	case kindWhole:
		return !s.headed && 0 < head && head <= size && size <= maxFrame
	case kindHead:
		return !s.headed && 0 < head && head == size && size <= maxHead
	case kindFile, kindTunnel:
		return !s.headed && 0 < head && head <= maxHead && size == head+16
	case kindPlaced:
		return !s.headed && 0 < head && head <= maxHead && size == head+16
	case kindData:
		return s.headed && head == 0 && 0 < size && size <= s.room
	case kindEnd:
		// An answer for a client that has gone need not begin.
		return (s.headed || s.client == nil) && head == 0 && size == 0
	case kindNeedBody:
		return !s.open && st.bodyID == 0 && head == 0 && size == 0
	case kindAbort:
		return head <= renew && size == 0
	case kindFailed:
		return head <= renew && size <= maxPage
	case kindDropped:
		return !s.headed && head == 0 && size == 0
	case kindReturned:
		return !s.open && head == 0 && 0 < size && size <= MaxRequest
	case kindLogVariable:
		return head == 0 && 0 < size && size <= maxLogVariable
	default:
		return false
	}
}

// frame handles one complete frame. placed is a body that lies in shared memory.
func (st *stream) frame(k kind, id uint32, payload, placed []byte, head int) error {
	p := st.port
	s := &p.slots[id&slotMask]
	if k == kindLogVariable {
		return st.logVariable(s, id, payload)
	}
	headed := s.headed
	if (k == kindAbort || k == kindFailed) && head == renew {
		p.plane.sup.Raised(st.cores[0].process)
	}
	open := k == kindHead || k == kindNeedBody || k == kindTunnel
	if open != s.open {
		if s.open = open; open {
			st.open++
		} else {
			st.open--
		}
	}
	s.headed = k == kindHead || k == kindTunnel
	core := st.core(id)
	if s.state == slotLost && !open {
		if k == kindFile {
			st.tell(tagDescriptor, 0)
		}
		took, app := st.took(core, s), s.app
		p.recycle(int(id & slotMask)) // nobody has it any more
		st.freeCore(core, took, app)
		return nil
	}
	if s.state == slotSent && k != kindDropped {
		s.told = k != kindReturned
	}
	switch k {
	case kindWhole, kindPlaced:
		c := st.end(core, id)
		if c == nil {
			return nil
		}
		status, ok := p.headers.head(payload[:head])
		if !ok {
			return st.badHead(c)
		}
		body := payload[head:]
		if k == kindPlaced {
			body = placed
		}
		p.tellReply(c, core, status, body)
	case kindHead:
		st.answer = st.answer%0xFFFFFFF0 + 1
		s.answer, s.room, s.credit = st.answer, Window, 0
		s.stream = st
		if s.state == slotSent {
			s.state = slotStreaming
		}
		if s.client == nil {
			st.tell(st.answer, gone)
			return nil
		}
		p.waited = waited(core, s)
		status, ok := p.headers.head(payload)
		if !ok {
			c := s.client
			p.Cancel(id)
			return st.badHead(c)
		}
		p.tellHead(s.client, id, core, status)
	case kindEnd:
		if c := st.end(core, id); c != nil {
			p.tellEnd(c)
		}
	case kindAbort, kindFailed:
		// An interrupted thread may not know whether the head is out.
		err := ErrAppFailed
		switch {
		case headed:
			err = ErrAborted
		case len(payload) > 0:
			err = &RaisedError{Page: string(payload)}
		}
		core.counts.Apps[s.app].Exceptions.Add(1)
		if c := st.end(core, id); c != nil {
			p.tellFail(c, err)
		}
	case kindDropped:
		late := s.late
		if s.barredAt != 0 && !late && s.client != nil { // another thread gets it
			took, app := st.took(core, s), s.app
			p.again(id)
			st.freeCore(core, took, app)
			return nil
		}
		if s.told && !late && s.client != nil { // the thread could not take the body's descriptor
			took, app := st.took(core, s), s.app
			p.short(core, id)
			st.freeCore(core, took, app)
			return nil
		}
		switch c := st.dropped(core, id); {
		case c == nil:
		case late:
			p.late.Add(1)
			p.tellFail(c, ErrQueueTimeout)
		default:
			p.tellFail(c, ErrWorkerDied)
		}
	case kindReturned:
		p.again(id)
	case kindTunnel:
		s.stream = st
		if s.state == slotSent {
			s.state, s.answer = slotStreaming, 0
		}
		if _, ok := s.client.(Tunneler); !ok {
			st.tell(tagDescriptor, 0)
			return nil
		}
		p.waited = waited(core, s)
		st.announce(k, id, payload, head, core)
	case kindFile:
		if from, n := extent(payload[head:]); from < 0 || n < 0 || from+n < 0 {
			return fmt.Errorf("%w: %d bytes of a file from %d", errFrame, n, from)
		}
		s.stream = st
		if s.client == nil {
			st.tell(tagDescriptor, 0)
			st.end(core, id)
			return nil
		}
		st.announce(k, id, payload, head, core)
	case kindNeedBody:
		s.stream = st
		st.bodyID = id
		st.flush()
	default:
		return fmt.Errorf("%w: kind %d", errFrame, k)
	}
	return nil
}

// announce notes that a descriptor comes next, and asks for it.
func (st *stream) announce(k kind, id uint32, payload []byte, head int, core *Core) {
	st.fileCore = core // its claim may be another's when the descriptor comes
	st.fileKind, st.fileID, st.fileMeta = k, id, head
	st.fileHead = append(st.fileHead[:0], payload...)
	st.tell(tagDescriptor, 1)
}

// badHead handles a head that the shim should never send.
func (st *stream) badHead(c Client) error {
	st.port.tellFail(c, ErrAppFailed)
	return fmt.Errorf("%w: unreadable head", errFrame)
}

// end ends a request after its last frame: it frees the slot and the core, and returns the
// waiting client, if any.
func (st *stream) end(core *Core, id uint32) Client {
	p := st.port
	s := &p.slots[id&slotMask]
	if p.lanes.ran(s.route, st.took(core, s)) {
		p.proved(s.route)
	}
	return st.dropped(core, id)
}

// dropped is end for a request that did not run: lanes learn nothing from it.
func (st *stream) dropped(core *Core, id uint32) Client {
	p := st.port
	s := &p.slots[id&slotMask]
	took, waited, app := st.took(core, s), waited(core, s), s.app
	st.latest = s.sentAt
	c := p.release(id)
	st.freeCore(core, took, app)
	p.waited = waited // set last, because other clients may have been told on the way
	return c
}

// core returns the core that has a request.
func (st *stream) core(id uint32) *Core {
	for _, c := range st.cores[1:] {
		if st.port.plane.shared.Called(c.index) == id {
			return c
		}
	}
	return st.cores[0]
}

// has reports whether a claim belongs to the thread.
func (st *stream) has(claim int) bool {
	first := st.cores[0].index
	return first <= claim && claim < first+len(st.cores)
}

// took returns how long a core has had a request: since it was sent, or since the core's last
// one ended if that is later.
func (st *stream) took(c *Core, s *slot) int64 {
	return max(0, st.port.loop.Now()-max(s.sentAt, c.free.Load()))
}

// waited returns how long a request waited for the core.
func waited(c *Core, s *slot) time.Duration {
	return time.Duration(max(0, max(s.sentAt, c.free.Load())-s.askedAt))
}

func (st *stream) freeCore(core *Core, took int64, app uint8) {
	p := st.port
	now := p.loop.Now()
	core.count(took, app)
	core.free.Store(now)
	if p.plane.queue < 0 {
		p.idle(st)
		return
	}
	p.pump()
	p.pace.answered(now)
	p.loop.Gather(p.pace.gather(p.inflight - p.limit + queueAhead))
}

// receiveFile reads the descriptor that a file frame announced. It returns false when there is
// nothing to read.
func (st *stream) receiveFile() bool {
	var b [1]byte
	var oob [64]byte
	n, oobn, flags, _, err := unix.Recvmsg(st.fd, b[:], oob[:], recvCloexec)
	if err == unix.EINTR {
		return true
	}
	if err != nil || n == 0 {
		return false
	}
	if b[0] != 'f' {
		if f := descriptor(oob[:oobn]); f != nil {
			_ = f.Close()
		}
		st.fileID, st.fileHead = 0, nil
		st.distrust(fmt.Errorf("%w: a descriptor is missing", errFrame))
		return false
	}
	f := descriptor(oob[:oobn])
	id, payload, head := st.fileID, st.fileHead, st.fileMeta
	st.fileID, st.fileHead = 0, nil
	p := st.port
	if st.fileKind == kindTunnel {
		st.tunnel(id, payload[:head], f)
		return true
	}
	var c Client
	if s := p.slot(id); s != nil && s.stream == st {
		c = st.end(st.fileCore, id)
	}
	status, ok := p.headers.head(payload[:head])
	if c == nil || f == nil || !ok {
		if f != nil {
			_ = f.Close()
		}
		switch {
		case c == nil:
		case f == nil && flags&unix.MSG_CTRUNC != 0:
			p.cannotTake("the descriptor of an answer's file", whyCut(st.fd))
			p.tellFail(c, ErrNoDescriptors)
		default: // the app has closed it, or the system did not pass it on: see the app's log
			p.tellFail(c, ErrAppFailed)
		}
		return true
	}
	offset, size := extent(payload[head:])
	p.tellFile(c, st.fileCore, status, f, offset, size)
	return true
}

// tunnel gives a client's connection to the app that has sent f, which is nil where that did
// not pass. The app sees it by the end of its own socket when it does not get it.
func (st *stream) tunnel(id uint32, head []byte, f *os.File) {
	p := st.port
	s := p.slot(id)
	if f == nil {
		return
	}
	if s == nil || s.stream != st || s.client == nil {
		_ = f.Close()
		return
	}
	to := s.client.(Tunneler)
	status, ok := p.headers.head(head)
	t := p.tunnel(f, to)
	if t == nil || !ok {
		p.Cancel(id)
		p.tellFail(to, ErrNoDescriptors)
		return
	}
	if p.tellTunnel(to, id, st.fileCore, status, t) {
		t.read()
		return
	}
	t.Close()
	p.Cancel(id)
}

// extent reads the offset and size of the answer in its file.
func extent(b []byte) (offset, size int64) {
	return int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))
}

// descriptor returns the file that came with a message, nil for none.
func descriptor(oob []byte) *os.File {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil || len(fds) == 0 {
			continue
		}
		for _, fd := range fds[1:] {
			_ = unix.Close(fd)
		}
		return os.NewFile(uintptr(fds[0]), "wsgi.file_wrapper")
	}
	return nil
}

// request sends a request to the thread by one system call, in stream mode. It returns false
// when the process has exited: then the request never ran.
func (st *stream) request(dst []byte) bool {
	b := appendPair(st.port.joined[:0], tagRequest, uint32(len(dst)))
	b = append(b, dst...)
	if cap(b) <= keepAtMost {
		st.port.joined = b
	}
	return st.write(b)
}

// quit tells a core to finish, in stream mode. If the core has a request, idle does so when
// that ends.
func (st *stream) quit(c *Core) {
	if c.busy.CompareAndSwap(false, true) {
		st.tell(tagQuit, 0)
	}
}

// tell sends a pair to the thread. It returns false when the process has exited.
func (st *stream) tell(tag, n uint32) bool {
	var b [8]byte
	return st.write(appendPair(b[:0], tag, n))
}

func appendPair(dst []byte, tag, n uint32) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(dst, tag), n)
}

func (st *stream) write(b []byte) bool {
	if st.closed {
		return false
	}
	if len(st.out) == 0 {
		n, err := reactor.Write(st.fd, b)
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			return false // the worker has died; the zygote reports it
		}
		b = b[max(n, 0):]
	}
	st.out = append(st.out, b...)
	return true
}

// flush sends output that the socket did not take before, and then a body's descriptor.
func (st *stream) flush() {
	for len(st.out) > 0 {
		n, err := unix.Write(st.fd, st.out)
		if err != nil {
			return
		}
		st.out = st.out[n:]
	}
	st.out = nil
	if st.bodyID == 0 {
		return
	}
	var body *os.File
	if s := st.port.slot(st.bodyID); s != nil {
		body = s.body
	}
	if body == nil {
		st.bodyID = 0
		st.tell(tagDescriptor, 0)
		return
	}
	var pair [8]byte // tagDescriptor is 0
	binary.LittleEndian.PutUint32(pair[4:], 1)
	if err := unix.Sendmsg(st.fd, pair[:], unix.UnixRights(int(body.Fd())), nil, 0); err != unix.EAGAIN {
		id := st.bodyID
		st.bodyID = 0
		if err == unix.EPIPE || err == unix.ECONNRESET {
			return // the worker died before it called the app: another one gets the request
		}
		if err != nil { // the thread waits for a reply
			st.tell(tagDescriptor, 0)
			st.port.undeliverable(id, err)
		}
	}
}

// undeliverable ends a request whose body cannot be sent to any thread. The thread that has the
// request drops it.
func (p *Port) undeliverable(id uint32, err error) {
	c := p.slot(id).client
	p.Cancel(id)
	p.cannotTake("the descriptor of a request's body", fmt.Sprintf("%v: nothing runs the request", err))
	p.waited = 0
	p.tellFail(c, ErrNoDescriptors)
}

// cannotTake logs, at most once a second, that a descriptor did not pass between server and
// worker.
func (p *Port) cannotTake(what, why string) {
	now := p.loop.Now()
	if p.saidAt != 0 && now-p.saidAt < int64(time.Second) {
		return
	}
	p.saidAt = now
	p.pool.log(fmt.Sprintf("cannot pass on %s: %s", what, why))
}

// whyCut says why a message lost its descriptor.
func whyCut(fd int) string {
	another, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(another)
		return "there was no room for it, and is now"
	}
	var limit unix.Rlimit
	if err != unix.EMFILE && err != unix.EINVAL || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return err.Error() // a limit of the whole system
	}
	return fmt.Sprintf("%v: this process has all %d open that RLIMIT_NOFILE allows: raise it (ulimit -n, LimitNOFILE=)", unix.EMFILE, limit.Cur)
}

func (st *stream) close() {
	if st.closed {
		return
	}
	st.closed = true
	st.port.loop.Cancel(&st.turn)
	st.port.loop.Forget(st.fd)
	_ = unix.Close(st.fd)
	st.in, st.out = nil, nil
}
