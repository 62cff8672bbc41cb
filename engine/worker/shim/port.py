"""A thread's stream to one of the server's event loops.

The server gets frames: a head of three little-endian uint32, then the payload.

    payload length | request id | kind << 24 | length of the marshalled head

The thread gets pairs of uint32 (tag, n): credit for the streamed answer with that number, or
one of the tags below.
"""

import struct
from array import array
from collections import deque
from errno import ECONNRESET

from .late import LateBody
from .own import io, os, select, socket, suppress

# Kinds of frames. HEAD, WHOLE and FILE begin with a marshalled (status, headers).
WHOLE = 0  # the head and the whole body
HEAD = 1 << 24  # the head of a streamed answer
DATA = 2 << 24  # a piece of its body
END = 3 << 24  # its end
ABORT = 4 << 24  # the app failed after the head had gone out
FAILED = 5 << 24  # the app failed before; with a page for its client, or nothing
RENEW = 1  # with ABORT and FAILED: replace this process
PAGE = 32 << 10  # the largest page about an exception, in bytes
FILE = 6 << 24  # head, then offset and length in a file; its descriptor follows on demand
NEED_BODY = 7 << 24  # the request's body is in a file: send its descriptor
DROPPED = 8 << 24  # the request was cancelled before it ran
RETURNED = 9 << 24  # the request as it came: this process is retired, another gets it
LOG_VARIABLE = 10 << 24  # marshalled (name, value) for the log; no name: log this request
TUNNEL = 12 << 24  # the head, as FILE has it: the app takes the connection over, by a socket
PLACED = 11 << 24  # the head, then position and length of the whole body in shared memory

# Tags of the server's pairs. All others are numbers of streamed answers.
DESCRIPTOR = 0  # n = 1: a descriptor comes with it, or may be sent; 0: the client has gone
REQUEST = 0xFFFFFFFF  # stream mode: a request of n bytes follows
QUIT = 0xFFFFFFFE  # stream mode: finish

# The values of a slot's byte besides 0, which forbid its request.
CANCELLED = 1  # also stop it: its client has gone

GONE = 0xFFFFFFFF  # as n of a credit: the client has gone

WINDOW = 1 << 20  # bytes that a streamed answer may be ahead of its client
SMALL = 64 << 10  # from this size on, a copy costs more than a system call

frame_head = struct.Struct("<III").pack
credit = struct.Struct("<II")
CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
WAITALL = socket.MSG_WAITALL
RIGHTS = socket.CMSG_SPACE(array("i").itemsize)
ENDED, BROKEN = "ended", "broken"  # values of Port.state

TRIES = 1000  # how often an exception during a frame is put off


class Once:
    """A frame to send exactly once, and whether it has gone out."""

    __slots__ = ("done", "frame", "port")

    def __init__(self, port, frame):
        self.port = port
        self.frame = frame
        self.done = False


class Port:
    """Belongs to one thread. It may carry answers to several requests, frame by frame.

    A signal handler or another thread may raise between any two instructions here. No frame
    may be cut or sent twice. So the C code that makes a system call puts its result into a
    deque, because an exception can lose a result. And each step is noted before it begins. So
    complete and once go on after any exception.
    """

    def __init__(self, fd, cancelled):
        self.sock = socket.socket(fileno=fd)
        self.sock.setblocking(True)
        self.fd = fd
        self.inode = inode(fd)
        self.push = self.sock.send
        self.cancelled = cancelled  # one byte for each slot of the loop; not 0: do not run it
        self.thread = 0  # its owner
        self.places = None  # an Answers, if there is one
        self.frame = None  # being sent
        self.counts = deque()  # its sent bytes, by system call; cleared before a frame is set
        self.note = self.counts.extend
        self.clear = self.counts.clear
        self.heading = None  # (frame, the exchange whose streamed answer it begins, its number)
        self.giving = None  # (frame, descriptor that follows it)
        self.given = deque()
        self.ready = None  # the server's answer to NEED_BODY or FILE
        self.kept = None  # why it could not be sent
        self.inbox = deque()  # read and not handled
        self.letters = deque()  # the same of recvmsg
        self.bodies = deque()  # the file that came with the last one
        self.opened = False  # its descriptor is a file's, or closed
        self.quit = False
        self.answer = 0  # number of streamed answers so far
        self.answers = {}  # exchanges that are streamed now, by number
        self.due = False  # unread credit may have come

    def state(self):
        """Return ENDED when the server has gone, BROKEN when this is no longer its stream.

        The number of an OSError is no proof: the app may have raised it. A descriptor that the
        app has made non-blocking blocks again.
        """
        if inode(self.fd) != self.inode:
            return BROKEN  # the app has closed it
        poll = select.poll()
        poll.register(self.fd, 0)
        with suppress(OSError):  # poll fails when RLIMIT_NOFILE is 0
            if poll.poll(0):
                return ENDED
            self.sock.setblocking(True)
        return None

    def put(self, frame):
        """Send a frame, bytes or (bytes, view), and leave it in self.frame."""
        if self.frame is not None:
            self.finish()
        counts = self.counts
        self.clear()
        self.frame = frame
        try:
            if type(frame) is bytes:
                counts.extend(map(self.push, (frame,)))
            else:
                counts.extend(map(self.sock.sendmsg, (frame,)))
        except BlockingIOError:
            pass  # the app has made it non-blocking: complete goes on
        finally:
            if type(frame) is tuple or not counts or counts[0] < len(frame) or self.giving:
                self.complete()

    def send(self, frame):
        self.put(frame)
        self._forget()

    def once(self, what):
        """Send the frame of a Once, or an Exchange, unless it has been sent."""
        if what.done:
            return
        if self.frame is not what.frame:
            self.put(what.frame)
        else:
            self.complete()
        what.done = True
        self.frame = None

    def finish(self):
        """Complete the present frame, and forget it."""
        self.complete()
        self._forget()

    def _forget(self):
        if self.heading is not None and self.heading[0] is self.frame:
            _, exchange, number = self.heading
            self.answers[number] = exchange
            exchange.answer = self.answer = number
        self.frame = None

    def complete(self):
        """Send the rest of the present frame. Raise afterwards what was raised meanwhile.

        Only without memory or stack the rest is left to the next call, which comes before
        anything else is sent.
        """
        late = None
        for _ in range(TRIES):
            try:
                self._rest()
                break
            except (RecursionError, MemoryError):
                raise
            except BaseException as e:
                if isinstance(e, OSError) and self.state():
                    raise  # from the system call
                if type(e) is not BlockingIOError:
                    late = e
        if late is not None:
            raise late

    def _rest(self):
        frame = self.frame
        if frame is None:
            return
        first, second = frame if type(frame) is tuple else (frame, b"")
        while (at := sum(self.counts)) < len(first) + len(second):
            rest = first[at:] if at < len(first) else second[at - len(first) :]
            self.counts.extend(map(self.push, (rest,)))
        if self.giving is not None and self.giving[0] is frame:
            self._give(self.giving[1])
            self.giving = None

    def offer(self, frame, fd):
        """Attach a descriptor to a frame before it is sent."""
        self.given.clear()
        self.ready = self.kept = None
        self.giving = (frame, fd)

    def give(self, what):
        """Send a Once whose frame a descriptor follows. Return False if nobody wants it."""
        self.once(what)
        if self.kept is not None:
            kept, self.kept = (
                self.kept,
                None,
            )  # break its reference to this frame and the app's objects
            raise kept
        return self.ready != 0

    def _give(self, fd):
        while self.ready is None:
            tag, n = self.peek()
            if tag == DESCRIPTOR:
                self.ready = n
            else:
                self.deal(tag, n)
        if self.inbox:  # it is the answer: nothing else comes before it
            self.take()
        if self.ready == 0:
            return
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [fd]))]
        tries = 0
        while not self.given:
            try:
                os.fstat(fd)
                self.given.extend(map(self.sock.sendmsg, ([b"f"],), (rights,)))
            except OSError as e:
                tries += 1
                if not rights or self.given or self.state():
                    raise
                if tries < 3:
                    continue  # a handler of the app may have raised it: try again
                # It was closed, or the system does not pass it on. The server waits for a
                # descriptor and finds none.
                rights = []
                self.kept = e

    def open(self, exchange, frame, block):
        """Begin a streamed answer with the frame of its head, and as much of a block as fits.

        Return the rest of the block.
        """
        # Credit comes when a quarter of the window has left. An answer without a client gets a
        # pair of its own.
        if self.due or self.answer % 16 == 0:
            self.due = False
            self.collect()
        size = min(len(block), WINDOW)
        exchange.room = WINDOW - size
        if size:
            frame += frame_head(size, exchange.rid, DATA)
            if size <= SMALL:
                frame += block
            else:
                self.due |= exchange.room <= WINDOW * 3 // 4
                frame = (frame, memoryview(block)[:size])
        self.heading = (frame, exchange, self.answer % 0xFFFFFFF0 + 1)
        self.send(frame)
        return memoryview(block)[size:] if size < len(block) else None

    def data(self, exchange, block):
        """Send a piece of a streamed body. Return False when the client has gone."""
        size = len(block)
        if size <= exchange.room and size <= SMALL:
            exchange.room -= size
            self.due |= exchange.room <= WINDOW * 3 // 4
            self.send(frame_head(size, exchange.rid, DATA) + block)
            return True
        view = memoryview(block)
        while size:
            self.due |= exchange.room <= WINDOW * 3 // 4
            while exchange.room <= 0:
                if exchange.gone:
                    return False
                self.wait()
            piece = view[: exchange.room]
            exchange.room -= len(piece)
            self.send((frame_head(len(piece), exchange.rid, DATA), piece))
            size -= len(piece)
            view = view[len(piece) :]
        return True

    def wait(self):
        """Wait for a pair, mostly credit, and handle it.

        A hub has a method of its own: it runs its other requests meanwhile, and calls collect
        when there is input.
        """
        self.deal(*self.peek())

    def deal(self, tag, n):
        """Handle the pair that peek has returned."""
        if tag == QUIT:
            self.quit = True
        self.take()
        self.credit(tag, n)

    def credit(self, tag, n):
        """Add credit to an answer, unless it has ended."""
        exchange = self.answers.get(tag)
        if exchange is None:
            return
        if n == GONE:
            exchange.gone = True
        else:
            exchange.room += n

    def forget(self, exchange):
        """Forget an exchange."""
        self.answers.pop(exchange.answer, None)
        if self.heading is not None and self.heading[1] is exchange:
            self.heading = None

    def peek(self):
        """Return the next pair, which stays until it is taken."""
        return credit.unpack_from(self.gather(credit.size))

    def gather(self, size):
        """Return size bytes of the inbox, once they are there."""
        while len(data := b"".join(self.inbox)) < size:
            try:
                self.inbox.extend(map(self.sock.recv, (size - len(data),), (WAITALL,)))
            except BlockingIOError:
                self.sock.setblocking(True)  # the app has changed that
                continue
            if not self.inbox[-1]:
                raise gone()
        return data

    def take(self):
        rest = b"".join(self.inbox)[credit.size :]
        self.inbox = deque((rest,)) if rest else deque()

    def collect(self):
        """Handle all waiting pairs, so that late credit never fills the stream."""
        while True:
            while sum(map(len, self.inbox)) >= credit.size:
                self.deal(*self.peek())
            try:
                self.inbox.extend(map(self.sock.recv, (8192,), (socket.MSG_DONTWAIT,)))
            except BlockingIOError:
                return
            if not self.inbox[-1]:
                return

    def take_body(self, ask, late):
        """Ask for the file with the request's body, by a Once, or for a late body's socket.

        Return None when the client has gone. The file is kept until forget_body, so a second
        call does no harm.
        """
        self.once(ask)
        fds = self._body_letter()
        if not fds:
            return None
        if not self.bodies:
            self.opened = True
            if late:
                self.bodies.extend(map(LateBody, (fds[0],)))
            else:
                self.bodies.extend(map(io.open, (fds[0],), ("rb",), (64 << 10,)))
        body = self.bodies[0]
        if not late:
            body.seek(0)  # the descriptor shares its position with the server's
        return body

    def _body_letter(self):
        """Return the descriptors in the server's answer to NEED_BODY: one, or none."""
        while True:
            if not self.letters:
                try:
                    receive = self.sock.recvmsg
                    self.letters.extend(map(receive, (credit.size,), (RIGHTS,), (CLOEXEC,)))
                except BlockingIOError:
                    self.sock.setblocking(True)  # the app has changed that
                    continue
            data, ancillary, _, _ = self.letters[0]
            if len(data) < credit.size:
                raise gone()
            tag, n = credit.unpack(data)
            if tag == DESCRIPTOR:
                break
            if tag == QUIT:
                self.quit = True
            self.letters.clear()
            self.credit(tag, n)
        fds = array("i")
        for _, _, content in ancillary:
            fds.frombytes(content[: fds.itemsize])
        return fds if n else None

    def forget_body(self, ask):
        """Forget the answer to a request for a body, taken or not.

        The next request must not take this answer for its own.
        """
        if ask.port is self and ask.done and ask.frame is not None:
            fds = self._body_letter()
            if fds and not self.opened:
                self.opened = True
                os.close(fds[0])
            ask.frame = None  # this may be called again, and must read on only once
        self.letters.clear()
        self.bodies.clear()
        self.opened = False


def inode(fd):
    """Return the identity of an open file, None when it is closed."""
    for _ in range(100):
        try:
            status = os.fstat(fd)
        except OSError:
            continue  # a handler of the app may have raised it, so once proves nothing
        return status.st_dev, status.st_ino
    return None


def gone():
    return ConnectionResetError(ECONNRESET, "the server has gone")
