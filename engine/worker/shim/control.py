"""The channel to the server for everything but requests. engine/worker/control has the frames.

Any thread may call. The caller reads its answer itself, until serve starts a thread that reads.
A zygote must not have threads, so it never calls serve.
"""

from collections import deque

from . import interrupts
from .own import marshal, os, socket, suppress, thread
from .trace import report

MOST = 1 << 20  # the largest frame that the server accepts, in bytes

KINDS = {
    "ValueError": ValueError,
    "RuntimeError": RuntimeError,
    "NotImplementedError": NotImplementedError,
}


class Call:
    """A call that waits for its answer."""

    __slots__ = ("answer", "gate")

    def __init__(self):
        self.answer = None  # the frame, a list
        self.gate = thread.allocate_lock()  # released when the answer has come
        self.gate.acquire()


class Channel:
    """This process's end of the channel.

    As in Port, an exception must not cut a frame. The C code that sends counts the sent bytes,
    and the next sender sends the rest.
    """

    def __init__(self, fd):
        self.sock = socket.socket(fileno=fd)
        self.sock.setblocking(True)
        self.pid = os.getpid()
        self.lock = thread.RLock()  # a signal handler may call during a call
        self.last = 0  # number of the last call
        self.calls = {}  # number -> Call
        self.frame = b""  # being sent
        self.counts = deque()  # its sent bytes
        self.inbox = deque()  # pieces of the next frame
        self.handlers = {}  # name of a notice -> function
        self.receiving = False  # a call is reading
        self.reader = 0  # the thread that reads, 0 for none

    def call(self, name, *args):
        """Ask the server and return its answer. Raise its refusal."""
        call = Call()
        with self.lock:
            self.last += 1
            number = self.last
            self.calls[number] = call
            try:
                self._send((number, name, *args))
                if not self.reader:
                    self._read_for(call)
            finally:
                if call.answer is not None or not self.reader:
                    self.calls.pop(number, None)
        if call.answer is None and self.reader:
            try:
                if thread.get_ident() == self.reader:
                    while call.answer is None:
                        self._receive()
                else:
                    call.gate.acquire()
            finally:
                self.calls.pop(number, None)
        answer = call.answer
        if answer is None:
            raise gone()
        if answer[0] < 0:
            raise KINDS.get(answer[1], OSError)(answer[2])
        return answer[1]

    def tell(self, name, *args):
        """Send a notice."""
        with self.lock:
            self._send((0, name, *args))

    def subscribe(self, name, handler):
        """Call handler with the arguments of each notice of a name.

        It runs in the thread that reads, so it must not take long.
        """
        self.handlers[name] = handler

    def serve(self):
        """Start a thread that reads from now on. Never in a zygote."""
        with self.lock:
            if self.reader or self.receiving:
                return
            gate = thread.allocate_lock()
            gate.acquire()

            def run():
                self.reader = thread.get_ident()
                gate.release()
                try:
                    while True:
                        self._receive()
                except OSError:
                    pass  # the server has gone, or the app has closed this
                except BaseException as e:
                    report(e)
                for call in list(self.calls.values()):
                    call.gate.release()

            # A signal to this thread would not wake the thread that handles it.
            with interrupts.blocked():
                thread.start_new_thread(run, ())
            gate.acquire()

    def _send(self, message):
        if os.getpid() != self.pid:
            raise OSError("a process that the app has forked cannot speak with the server")
        data = marshal.dumps(message, 2)
        if len(data) > MOST:
            raise ValueError(f"{len(data)} bytes are more than the {MOST} that a message may have")
        self._complete()
        self.counts.clear()
        self.frame = len(data).to_bytes(4, "little") + data
        self._complete()

    def _complete(self):
        while (at := sum(self.counts)) < len(self.frame):
            self.counts.extend(map(self.sock.send, (self.frame[at:],)))
        self.frame = b""
        self.counts.clear()

    def _read_for(self, call):
        outer, self.receiving = self.receiving, True
        try:
            while call.answer is None:
                self._receive()
        finally:
            self.receiving = outer
            if outer and any(c.answer for c in list(self.calls.values()) if c is not call):
                # A signal handler made this call within another call. The outer call's answer
                # has come, but it still waits at the socket. The answer to this wakes it.
                self.last += 1
                self._send((self.last, "wake"))

    def _receive(self):
        """Take one frame.

        A signal handler may call meanwhile, and take this frame and others. So nothing is kept
        between two looks at the inbox, and an answer that is handled twice does no harm.
        """
        while True:
            data = b"".join(self.inbox)
            size = 4 + int.from_bytes(data[:4], "little") if len(data) >= 4 else 4
            if 4 < size <= len(data):
                break
            self.inbox.extend(map(self.sock.recv, (size - len(data),)))
            if self.inbox and not self.inbox[-1]:
                raise gone()
        self.inbox.clear()  # the same one: a call around this one may be about to add to it
        if rest := data[size:]:
            self.inbox.append(rest)
        message = marshal.loads(data[4:size])
        number = message[0]
        if number:
            call = self.calls.get(abs(number))
            if call is not None:
                call.answer = message
                with suppress(RuntimeError):  # it has been released
                    call.gate.release()
            return
        handler = self.handlers.get(message[1])
        if handler is not None:
            try:
                handler(*message[2:])
            except BaseException as e:
                report(e)


class Silence:
    """Stands in for a channel when there is no server, as in a trial import."""

    def call(self, name, *args):
        raise OSError("no server: this process only tries whether the apps can be imported")

    def tell(self, name, *args):
        pass

    def subscribe(self, name, handler):
        pass

    def serve(self):
        pass


def gone():
    return ConnectionResetError("the server has gone")


channel = Silence()


def begin(fd):
    """Use this descriptor from now on. The channel that a worker has from its zygote is closed."""
    global channel
    before, channel = channel, Channel(fd) if fd >= 0 else Silence()
    if type(before) is Channel:
        if type(channel) is Channel:
            channel.handlers = before.handlers
        before.sock.close()
    return channel
