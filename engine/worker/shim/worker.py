"""The threads of one worker process: each takes a request, runs it, and takes the next."""

import sys
from collections import deque
from mmap import ACCESS_READ, MAP_ANONYMOUS, MAP_PRIVATE, mmap
from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit
from sys import getrecursionlimit, setrecursionlimit

try:
    from faulthandler import register
except ImportError:
    register = None

from . import answers, control, events, files, forked, port, websockets
from .exchange import Exchange, exceptions, write_errors
from .forked import leave
from .own import io, marshal, os, select, signal, socket, suppress, thread, time
from .port import DROPPED, NEED_BODY, RETURNED, SMALL, Once, Port, frame_head
from .trace import report

stderr = sys.stderr  # an app may remove it
CLAIM = 64  # bytes between claims, a cache line
FINISHED = 2  # in the claim's third word: the thread has finished; 1 retires it
MISSED = 0.1  # seconds after which a lost wake-up is noticed
SLOTS = 1 << 16  # slots of each loop
POLLRDHUP = getattr(select, "POLLRDHUP", 0x2000)  # PyPy has no name for it
DEPTH = 1000  # Python's own limit of recursion
MOST = 1000  # failures in a row that end a thread: each within
SOON = 1_000_000  # this many nanoseconds, or at a request that it cannot even begin
SAID = 10  # of them are logged
LOOPS = 16  # nested; exceptions would have to leave all of them
LARGEST = 384 << 10  # bytes of a request that fit into a socket's buffer
HEAD = port.credit.size  # bytes before a request that comes on a stream
ROOM = 22  # entries of a dict with room for 20 more: CPython sizes it for 21, then 42
head_of = port.credit.unpack_from

# The keys of every environ besides base, in the order of their values. The server's wire.go has
# the same list.
VARIABLES = (
    "wsgi.url_scheme",
    "SERVER_NAME",
    "SERVER_PORT",
    "REQUEST_METHOD",
    "PATH_INFO",
    "SCRIPT_NAME",
    "QUERY_STRING",
    "SERVER_PROTOCOL",
    "REMOTE_ADDR",
)

METHOD = VARIABLES.index("REQUEST_METHOD")

running = {}  # id of a thread -> its Thread


def here():
    """Return what runs the caller's request: a Thread, a hub's Slot, or None."""
    return running.get(thread.get_ident())


class Queue:
    """Requests as datagrams from the queue that all workers share."""

    HEAD = 0  # bytes in the buffer before a request

    def __init__(self, fd):
        sock = socket.socket(fileno=fd)
        sock.setblocking(True)
        self.sock = sock
        self.receive = sock.recv_into

    def again(self, buffer):
        """As receive, after an exception: the request is in the buffer already."""
        if buffer[0]:
            text = io.BytesIO(buffer)
            marshal.load(text)
            return text.tell()
        return self.receive(buffer)

    def taken(self):
        pass

    def block(self):
        """Make receive block again after the app has made its descriptors non-blocking."""
        with suppress(OSError):
            self.sock.setblocking(True)

    def over(self):
        """Tell the end of the queue from an empty datagram, which only wakes a thread."""
        poll = select.poll()
        poll.register(self.sock, POLLRDHUP)
        try:
            return bool(poll.poll(0))
        except OSError:
            # RLIMIT_NOFILE is 0, so poll fails. The thread ends, perhaps a moment too early:
            # this process is useless anyway.
            return True


class Streams:
    """Requests from the thread's own streams, on systems without such a queue.

    A request is a pair, (REQUEST, size), and that many bytes. Nothing follows until the thread
    asks for it. So one system call usually reads all of it into the buffer, which has room for
    the pair.
    """

    HEAD = HEAD

    def __init__(self, ports):
        self.ports = {p.fd: p for p in ports}
        self.only = ports[0] if len(ports) == 1 else None
        self.poll = select.poll()
        for fd in self.ports:
            self.poll.register(fd, select.POLLIN)
        self.port = self.only  # the port with input
        self.counts = deque()  # bytes that came into the buffer at once
        self.coming = None  # (size, the bytes behind it) of a request that came in pieces

    def receive(self, buffer):
        """As recv_into. After an exception the next call goes on."""
        counts, whole = self.counts, buffer.obj
        while True:
            p = self.port
            if p is None:
                for p in self.ports.values():
                    if p.quit:
                        return 0
                    if p.inbox:
                        break
                else:
                    p = self.ports[self.poll.poll()[0][0]]
                self.port = p
            if not p.inbox and self.coming is None and not p.quit:
                if not forked.mark[0]:
                    leave()  # before it takes anything
                if not counts:
                    counts.extend(map(p.sock.recv_into, (whole,)))
                come = counts[0]
                if come > HEAD:
                    tag, size = head_of(whole)
                    if tag == port.REQUEST and size == come - HEAD:
                        return size
                p.inbox.append(bytes(whole[:come]))
            size = self._piecemeal(p, buffer)
            if size is not None:
                return size

    again = receive

    def _piecemeal(self, p, buffer):
        """Receive through a port's inbox, in pieces of any size.

        Return None when that was no request.
        """
        self.counts.clear()
        if self.coming is None:
            buffer[0] = 0
            try:
                tag, size = (port.QUIT, 0) if p.quit else p.peek()
                if tag == port.REQUEST:
                    come = p.gather(HEAD + size)
            except ConnectionResetError:
                return 0
            if tag == port.QUIT:
                p.quit = True
                return 0
            if tag != port.REQUEST:
                self.port = self.only  # first: another port may be next
                p.deal(tag, size)  # credit, mostly late
                return None
            buffer[:size] = come[HEAD : HEAD + size]
            self.coming = size, come[HEAD + size :]
        size, rest = self.coming
        p.inbox = deque((rest,)) if rest else deque()
        return size

    def taken(self):
        """Mark the request that receive returned as done."""
        self.counts.clear()
        self.coming = None
        self.port = self.only

    def block(self):
        for p in self.ports.values():
            with suppress(OSError):
                p.sock.setblocking(True)

    def over(self):
        return True


def base(config):
    """Return the entries of every environ."""
    threads, processes = config["threads"], config["processes"]
    environ = {
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.stderr or stderr,
        "wsgi.multithread": threads > 1 or config["slots"] > 1,
        "wsgi.multiprocess": processes > 1,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": files.FileWrapper,
        "uwsgi.version": config["version"],
        "uwsgi.node": config["node"],
    }
    if not config["file_wrapper"]:
        del environ["wsgi.file_wrapper"]
    return environ


def roomy(base):
    """Return a dict for environs to be copies of: that costs a fraction of making each.

    It has room for more, which its copies have, too: so they need not grow.
    """
    environ = {
        **dict.fromkeys(VARIABLES, ""),
        **base,
        "wsgi.input": None,
        "uwsgo.queue_time": 0.0,
    }
    names = [f"room {n}" for n in range(ROOM - len(environ))]
    environ.update(dict.fromkeys(names))
    for name in names:
        del environ[name]
    return environ


def keep(going, step, note, loops):
    """Return what takes a step again and again as long as going says so.

    note gets whatever is raised.

    The outer loop catches an exception at the jump of an inner loop. From Python 3.12 on, no
    try block in a function covers the jump back to the start of its loop, where signal
    handlers run. So each loop is a function of its own. On a busy machine several signals may
    come in a row.
    """

    def around(step):
        def loop():
            while going():
                try:
                    step()
                except BaseException as e:
                    note(e)

        return loop

    for _ in range(loops):
        step = around(step)
    return step


def keep_on(going, step, note):
    keep(going, step, note, LOOPS)()


class Thread:
    """Takes requests and answers them, one at a time, despite any exception.

    As in Port, an exception may come between any two instructions, most often while a thread
    waits. No request may be lost or run twice. So the state of the thread is here, and settle
    goes on from it.
    """

    __slots__ = (
        "apps",
        "ask",
        "base",
        "began",
        "bodies",
        "buffer",
        "claim",
        "exchange",
        "failures",
        "first",
        "last",
        "late",
        "number",
        "ports",
        "running",
        "source",
    )

    def __init__(self, source, ports, claim, apps, base):
        self.source = source
        self.ports = ports
        self.claim = claim
        self.apps = apps
        self.base = roomy(base)
        # The present request. Its first byte is 0 once it is done: results of calls can get
        # lost. The kernel provides the memory on the first write.
        room = mmap(-1, source.HEAD + LARGEST, flags=MAP_PRIVATE | MAP_ANONYMOUS)
        self.buffer = memoryview(room)[source.HEAD :]
        self.exchange = None  # its answer, a Once or an Exchange, once begun
        self.ask = None  # a Once, for its body
        self.late = None  # an exception that waits
        self.failures = 0  # in a row
        self.last = 0  # id of the last request begun before it
        self.began = 0  # when it last went on
        self.running = True
        self.bodies = None  # a Bodies
        self.first = None  # called once, before the first request
        self.number = 0  # among the worker's threads

    def run(self):
        """Answer requests until this thread is retired, or the queue ends."""
        keep_on(lambda: self.running, self.work, self.put_off)

    def put_off(self, e):
        self.late = e

    def work(self):
        now = time.monotonic_ns()
        late = self.late
        if not forked.mark[0]:
            leave(late)
        first, self.first = self.first, None
        if first is not None:
            first()
        if late is None:
            ident = thread.get_ident()
            for p in self.ports:
                p.thread = ident
        else:
            stuck = now - self.began < SOON or (self.buffer[0] and self.exchange is None)
            self.failures = self.failures + 1 if stuck and self.last == self.claim[4] else 0
            self.last = self.claim[4]
            self.began = now
            state = None
            if isinstance(late, OSError):
                # A signal handler may have raised it about one of the app's files.
                state = next(filter(None, [p.state() for p in self.ports]), None)
            if state == port.ENDED:
                report(late)
                return self.finish()  # the server has gone
            if state == port.BROKEN or self.failures > MOST:
                # Without this thread the process would be slow, and silent about it.
                report(late)
                os._exit(1)
            self.source.block()
            self.settle(late)
            self.late = None
        self.began = now
        # A request that was taken goes back, or is answered, before this thread ends.
        while not self.claim[2] or self.buffer[0]:
            self.serve()
            if self.source.over():
                break
        self.finish()

    def finish(self):
        self.claim[2] = FINISHED
        self.running = False

    def settle(self, e):
        """Finish the work that e interrupted."""
        if isinstance(e, RecursionError) and getrecursionlimit() < DEPTH:
            setrecursionlimit(DEPTH)  # otherwise nothing could be answered
        exchange = self.exchange
        if exchange is None:
            if self.failures < SAID:
                report(e)
        elif type(exchange) is Once:
            report(e)
            exchange.port.once(exchange)
        elif exchange.port is not None:
            exchange.settle(e)
        if self.ask is not None:
            self.ask.port.once(self.ask)
        for p in self.ports:
            p.finish()
        if exchange is not None:
            self.end()

    def end(self):
        """Mark the request in the buffer as done."""
        exchange = self.exchange
        self.claim[0] = 0
        if self.ask is not None:
            for p in self.ports:
                p.forget_body(self.ask)
            self.ask = None
        self.source.taken()
        self.buffer[0] = 0
        if isinstance(exchange, Exchange) and exchange.port is not None:
            websockets.forget(exchange)
            exchange.port.forget(exchange)
            exchange.port = None
        self.exchange = None

    def drop(self, port, frame):
        """Send a request back."""
        self.exchange = Once(port, frame)
        port.once(self.exchange)
        self.end()

    def serve(self):
        """Answer requests until receive returns 0, or this process is retired.

        receive fills a buffer with a marshalled (id, app, since, values, others, body).
        The id is the loop (7 bits), a number that changes (8), the slot (16); since is when
        it began to wait, in seconds of the clock of claims; values are those
        of VARIABLES, others a dict with the rest of the environ; the body is None, bytes,
        (offset, size) for one in shared memory, True for one in a file, or False for one that
        is still to come.
        """
        claim, ports, apps, fresh = self.claim, self.ports, self.apps, self.base.copy
        buffer, source = self.buffer, self.source
        receive, raw, first = source.receive, buffer.obj, source.HEAD
        taken = None if type(source) is Queue else source.taken
        loads, clock, BytesIO = marshal.loads, time.monotonic_ns, io.BytesIO
        mark = forked.mark
        size = source.again(buffer)
        # CPython 3.11 specializes code after many unconditional jumps back. `while size` would
        # have a conditional one.
        while True:
            if not size:
                return
            if not mark[0]:
                leave()
            rid, index, since, values, others, body = loads(buffer)
            port = ports[rid >> 24]
            # Claim before reading the cancel byte: the server sets the byte first and then
            # looks at claims. So one of the two sees the other.
            claim[1] = now = clock()
            claim[0] = rid
            # The server moves no request whose body was asked for.
            if claim[2] and self.ask is None:
                claim[0] = 0
                self.drop(port, frame_head(size, rid, RETURNED) + buffer[:size])
                return
            if port.cancelled[rid & 0xFFFF]:
                claim[0] = 0
                self.drop(port, frame_head(0, rid, DROPPED))
                size = receive(buffer)
                continue
            if body is None or type(body) is bytes:
                body = BytesIO(body)
            elif type(body) is tuple:
                # A copy: bytes that the app keeps must not change with the next request.
                body = BytesIO(self.bodies.read(*body))
            else:
                if self.ask is None:
                    self.ask = Once(port, frame_head(0, rid, NEED_BODY))
                body = port.take_body(self.ask, not body)
                if body is None:
                    claim[0] = 0
                    self.drop(port, frame_head(0, rid, DROPPED))
                    size = receive(buffer)
                    continue
            environ = fresh()
            (
                environ["wsgi.url_scheme"],
                environ["SERVER_NAME"],
                environ["SERVER_PORT"],
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"],
                environ["SCRIPT_NAME"],
                environ["QUERY_STRING"],
                environ["SERVER_PROTOCOL"],
                environ["REMOTE_ADDR"],
            ) = values
            # Last, because a front server knows names and addresses better. It sends no wsgi.*
            # or uwsgi.*: codec/uwsgi drops them.
            environ.update(others)
            environ["wsgi.input"] = body
            environ["uwsgo.queue_time"] = now * 1e-9 - since
            exchange = Exchange()
            exchange.rid = rid
            exchange.port = port
            exchange.method = values[METHOD]
            exchange.others = others
            exchange.head = exchange.frame = exchange.result = frame = None
            exchange.started = exchange.done = exchange.gone = exchange.sending = False
            exchange.sent = exchange.answer = 0
            exchange.claim = claim
            if "HTTP_UPGRADE" in others:
                websockets.offer(environ, exchange)
            self.exchange = exchange  # from here on it must not begin again
            claim[4] = rid  # until here it moves to another worker if this one dies
            try:
                result = apps[index](environ, exchange.start_response)
            except BaseException as e:
                exchange.fail(e)
            else:
                if not mark[0]:
                    leave()
                # The usual answer, a list of one bytes object: as little Python as possible.
                head = exchange.head
                if type(result) is list and len(result) == 1 and head:
                    block = result[0]
                    if type(block) is bytes:
                        size = len(block)
                        length = head.length
                        if (length is None or length == size) and size <= SMALL:
                            data = head.data
                            used = len(data)
                            frame = frame_head(used + size, rid, used) + data + block
                            # As in Exchange._only, Port.put and Port.once.
                            was, exchange.sending = exchange.sending, True
                            if was or exchange.started or exchange.frame is not None:
                                exchange.sending = was
                                frame = None
                            else:
                                exchange.frame = frame
                                port.clear()
                                port.frame = frame
                                port.note(map(port.push, (frame,)))
                                if port.counts[0] != len(frame):
                                    port.complete()
                                exchange.port = port.frame = None
                if frame is None:
                    exchange.run(result)
                    if not mark[0]:
                        leave()
            try:
                body.close()
            except Exception:
                pass  # the app has detached it, or holds a view of it
            # After the answer: a request whose claim is cleared without one counts as never
            # run.
            claim[0] = 0
            if frame is not None and self.ask is None and not websockets.opened:
                if taken is not None:
                    taken()
                raw[first] = 0
                self.exchange = None
            else:
                self.end()
            # Keep no object of a request alive while the thread waits.
            environ = exchange = result = block = body = frame = None
            size = receive(buffer)


homes = [Thread.serve.__code__]  # whose local variable environ is that of a request


def yield_to_loops():
    """Stop the kernel from preempting a running thread when a request wakes this one.

    A worker thread gains nothing from an earlier start, and an event loop that is preempted
    for each request loses a lot. With as many busy threads as processors a small request costs
    a quarter less this way. Priority and share of the processor stay the same. So do the app's
    own processes, and a policy that the administrator chose.
    """
    try:
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            return
        policy = os.SCHED_BATCH | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(0))
    except (AttributeError, OSError):
        pass  # not Linux, or not allowed in this container


def give_stacks(fd, signum):
    """Make each thread write its Python stack to fd when it gets the signal.

    That works even while C code holds the interpreter's lock.
    """
    try:
        register(signum, file=fd, all_threads=False)
    except (TypeError, OSError, RuntimeError, ValueError):
        # Not on this Python. The log lacks the stack, and the signal must not end the process.
        with suppress(OSError, ValueError):
            signal.signal(signum, signal.SIG_IGN)


def share(config):
    """Return the memory shared with the server."""
    return memoryview(mmap(config["shared"], config["shared_size"]))


class Bodies:
    """The server's memory for bodies. The slot of a request keeps its piece unchanged."""

    def __init__(self, fd, size):
        self.fd = fd
        self.memory = None
        # Leave a limited address space to the app.
        if fd >= 0 and getrlimit(RLIMIT_AS)[0] == RLIM_INFINITY:
            with suppress(OSError):
                self.memory = mmap(fd, size, access=ACCESS_READ)

    def read(self, at, size):
        if self.memory is not None:
            return self.memory[at : at + size]
        parts = []
        while size:
            part = os.pread(self.fd, size, at)
            if not part:
                raise EOFError("the memory with bodies is shorter than it was")
            parts.append(part)
            at += len(part)
            size -= len(part)
        return b"".join(parts)


class NoThread(Exception):
    """A thread cannot be started; the message says which, and why."""


def common(config, memory):
    """Do what threads and hubs have in common.

    Return what every environ has, the cancel bytes of each loop, the queue or None, and
    the memory with bodies.
    """
    write_errors(*config["write_errors"])
    exceptions(*config["exceptions"])
    websockets.begin(config)
    if config["stacks"] >= 0:
        give_stacks(config["stacks"], config["stack_signal"])
    at = config["cancel_at"]
    cancelled = [memory[n : n + SLOTS] for n in range(at, len(memory), SLOTS)]
    queue = None if config["stream_mode"] else Queue(config["queue"])
    return base(config), cancelled, queue, Bodies(config["bodies"], config["bodies_size"])


def prepare(config, place, number, fds, memory, apps, held):
    """Prepare a process of worker number (from 1), with all of its threads.

    place, from 0, selects the claims of its threads. fds are the streams, thread by thread,
    each thread's in the order of loops. memory is the result of share. held is the app code to
    restore while they serve, see interrupts. Return the function that serves until the server
    ends it or the queue.
    """
    loops, threads, slots = config["loops"], config["threads"], config["slots"]
    environ, cancelled, queue, bodies = common(config, memory)
    count = threads * loops
    # Requests that share a thread may tell of their answers in another order.
    places = answers.share(config, place * count, count) if slots == 1 else [None] * count

    def make(t):
        at = (place * threads + t) * slots * CLAIM  # of the first slot, the only one here
        claim = memory[at : at + 40].cast("Q")
        own = fds[t * loops : (t + 1) * loops]
        ports = [Port(fd, c) for fd, c in zip(own, cancelled)]
        for p, there in zip(ports, places[t * loops :]):
            p.places = there
        source = queue or Streams(ports)
        constant = dict(environ, **{"uwsgi.core": t}) if threads > 1 else environ
        made = Thread(source, ports, claim, apps, constant)
        made.bodies = bodies
        return made

    # All before any thread takes a request: this may fail.
    made = [make(t) for t in range(threads)]
    made[0].first = held.give_back
    for t in made[1:]:
        t.first = held.give_back_mask
    socks = [p.sock for t in made for p in t.ports]
    forked.serve(*socks, *([queue.sock] if queue else []), control.channel.sock)

    def core(t):
        yield_to_loops()
        name(number, t)
        # From here on the server assumes that this thread may have a request. The server
        # retires the thread first and looks then. So one of the two sees the other.
        running[thread.get_ident()] = made[t]
        made[t].number = t
        made[t].claim[3] = thread.get_native_id()
        made[t].run()

    finished = []
    gate, wake = thread.allocate_lock(), thread.allocate_lock()
    gate.acquire()
    wake.acquire()

    def other(t):
        gate.acquire()
        gate.release()
        try:
            core(t)
        finally:
            finished.append(t)
        with suppress(RuntimeError):  # nobody waits, or it was woken already
            wake.release()

    if threads > 1:
        import threading  # noqa: F401  what imports it first is the main thread to it

    # System threads, even if the app has patched threading, and joined in the same way. They
    # have the system's stack size: the app chose one for its own threads.
    size = thread.stack_size(0)
    try:
        for t in range(1, threads):
            try:
                thread.start_new_thread(other, (t,))
            except Exception as e:  # also from an audit hook of the app
                raise NoThread(f"thread {t + 1} of {threads}: {e}") from e
    finally:
        thread.stack_size(size)

    def go():
        gate.release()
        if events.handlers:
            events.serve(made[0] if threads == 1 else None)
        core(0)
        keep_on(lambda: len(finished) < threads - 1, lambda: wake.acquire(True, MISSED), report)

    return go


def name(number, core):
    """Call this thread as uWSGI does, for logs, which have its name from threading."""
    threading = sys.modules.get("threading")
    if threading is None:
        return
    with suppress(Exception):
        threading.current_thread().name = f"uWSGIWorker{number}Core{core}"
