"""The threads of one worker process: take a request, run it, next."""

import _io as io
import sys
import threading
from mmap import mmap

try:
    from faulthandler import register
except ImportError:
    register = None

from . import files, port
from .exchange import Exchange
from .forked import child, leave
from .own import marshal, os, select, signal, socket, suppress, thread, time
from .port import DROPPED, RETURNED, SMALL, Port, frame_head
from .trace import report

CLAIM = 64  # bytes between claims, a cache line
FINISHED = 2  # in the claim's third word: the thread takes no more requests; 1: it is to
MISSED = 0.1  # seconds after which a wake-up that went amiss is noticed
SLOTS = 1 << 16  # slots of each loop
POLLRDHUP = getattr(select, "POLLRDHUP", 0x2000)  # PyPy has no name for it
LARGEST = 384 << 10  # bytes of a request: what fits a socket's buffer

POLLRDHUP = getattr(select, "POLLRDHUP", 0x2000)  # PyPy has no name for it

# What every environ has besides base, in the order in which the values come; the
# server's wire.go has the same list.
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


class Queue:
    """Requests as datagrams from the queue that all workers share."""

    def __init__(self, fd):
        sock = socket.socket(fileno=fd)
        sock.setblocking(True)
        self.sock = sock
        self.receive = sock.recv_into

    def over(self):
        """Tell the end of the queue from an empty datagram, which only wakes a thread."""
        poll = select.poll()
        poll.register(self.sock, POLLRDHUP)
        return bool(poll.poll(0))


class Streams:
    """Requests from the thread's own streams, where there is no such queue."""

    def __init__(self, ports):
        self.ports = {p.sock.fileno(): p for p in ports}
        self.poll = select.poll()
        for fd in self.ports:
            self.poll.register(fd, select.POLLIN)

    def receive(self, buffer):
        while True:
            if any(p.quit for p in self.ports.values()):
                return 0
            fd = self.poll.poll()[0][0] if len(self.ports) > 1 else next(iter(self.ports))
            p = self.ports[fd]
            head = p.sock.recv(port.credit.size, socket.MSG_WAITALL)
            if len(head) < port.credit.size:
                return 0
            tag, size = port.credit.unpack(head)
            if tag == port.QUIT:
                return 0
            if tag != port.REQUEST:
                continue  # credit that came too late
            got = 0
            while got < size:
                n = p.sock.recv_into(buffer[got:size])
                if n == 0:
                    return 0
                got += n
            return size

    def over(self):
        return True


def base(config):
    """Return what every environ has."""
    threads, processes = config["threads"], config["processes"]
    environ = {
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": threads > 1,
        "wsgi.multiprocess": processes > 1,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": files.FileWrapper,
        "uwsgi.version": config["version"],
        "uwsgi.node": config["node"],
    }
    return environ


def serve(receive, ports, claim, apps, base):
    """Answer requests until receive returns 0, or this process is to finish.

    receive fills a buffer with a marshalled (id, app, since, values, others, body).
    The id is the loop (7 bits), a number that changes (8), the slot (16); since is when
    it began to wait, in seconds of the clock of claims; values are those
    of VARIABLES, others a dict with the rest of the environ; the body is None, bytes,
    or True for one in a file.
    """
    # A copy of what every environ has costs a fraction of putting it together.
    fresh = {
        **dict.fromkeys(VARIABLES, ""),
        **base,
        "wsgi.input": None,
        "uwsgo.queue_time": 0.0,
    }.copy
    buffer = memoryview(bytearray(LARGEST))
    loads, clock, BytesIO = marshal.loads, time.monotonic_ns, io.BytesIO
    while size := receive(buffer):
        rid, index, since, values, others, body = loads(buffer)
        port = ports[rid >> 24]
        # Claim before looking at the cancel byte: the server sets that one first and
        # looks at claims then, so one of the two sees the other.
        claim[1] = taken = clock()
        claim[0] = rid
        if claim[2]:
            claim[0] = 0
            port.send(frame_head(size, rid, RETURNED) + buffer[:size])
            return
        if port.cancelled[rid & 0xFFFF]:
            claim[0] = 0
            port.send(frame_head(0, rid, DROPPED))
            continue
        if body is True:
            body = port.take_body(rid)
            if body is None:
                claim[0] = 0
                port.send(frame_head(0, rid, DROPPED))
                continue
        else:
            body = BytesIO(body)
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
        environ.update(others)  # has no wsgi.* and uwsgi.*: codec/uwsgi drops them
        environ["wsgi.input"] = body
        environ["uwsgo.queue_time"] = taken * 1e-9 - since
        exchange = Exchange()
        exchange.rid = rid
        exchange.port = port
        exchange.method = environ["REQUEST_METHOD"]
        exchange.others = others
        exchange.head = None
        exchange.started = exchange.done = exchange.gone = False
        exchange.sent = 0
        claim[4] = rid  # until here another worker may have it, should this one die
        try:
            result = apps[index](environ, exchange.start_response)
        except BaseException as e:
            exchange.fail(e)
        else:
            if child:
                leave()
            # The usual answer, a list of one bytes: no more Python than this.
            head = exchange.head
            if type(result) is list and len(result) == 1 and head and not exchange.started:
                block = result[0]
                if type(block) is bytes:
                    size = len(block)
                    length = head.length
                    if (length is None or length == size) and size <= SMALL:
                        data = head.data
                        used = len(data)
                        port.send(frame_head(used + size, rid, used) + data + block)
                        # Not before: a claim that goes without an answer never ran.
                        claim[0] = 0
                        # Nothing of a request stays alive while the thread waits.
                        environ = exchange = result = block = body = None
                        continue
            exchange.run(result)
            if child:
                leave()
        body.close()
        claim[0] = 0
        environ = exchange = result = block = body = None


def yield_to_loops():
    """Have the kernel not stop a running thread when a request wakes this one.

    A thread that is to run for a while gains nothing from starting a moment earlier,
    and an event loop that is stopped for each request it hands out loses a lot: with
    as many busy threads as processors a small request costs a quarter less this
    way. Neither priority nor share of the processor change, and what the app starts
    is as usual. A policy that the administrator chose stays.
    """
    try:
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            return
        policy = os.SCHED_BATCH | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(0))
    except (AttributeError, OSError):
        pass  # not Linux, or not allowed in this container


def give_stacks(fd, signum):
    """Have each thread write its Python stack to fd when it gets the signal.

    That works even while C code runs and nobody else gets the interpreter's lock.
    """
    try:
        register(signum, file=fd, all_threads=False)
    except (TypeError, OSError, RuntimeError, ValueError):
        # Not on this Python: the log does without, and the signal must not end the process.
        with suppress(OSError, ValueError):
            signal.signal(signum, signal.SIG_IGN)


def run(config, place, number, fds, shared, apps):
    """Be a process of worker number (from 1) until the server ends it or the queue.

    place, from 0, says which claims are those of its threads. fds are the streams,
    thread by thread, each thread's in the order of loops. shared is the descriptor
    of the memory shared with the server.
    """
    loops, threads = config["loops"], config["threads"]
    memory = memoryview(mmap(shared, config["shared_size"]))
    cancelled = [memory[at : at + SLOTS] for at in range(config["cancel_at"], len(memory), SLOTS)]
    environ = base(config)
    if config["stacks"] >= 0:
        give_stacks(config["stacks"], config["stack_signal"])
    queue = None if config["stream_mode"] else Queue(config["queue"])
    os.register_at_fork(after_in_child=lambda: child.append(True))

    def core(t):
        yield_to_loops()
        name(number, t)
        at = (place * threads + t) * CLAIM
        claim = memory[at : at + 40].cast("Q")
        # From here on the server takes it for one that may have a request; it says first
        # that this thread is to finish, and looks then. So one of the two sees the other.
        claim[3] = thread.get_native_id()
        own = fds[t * loops : (t + 1) * loops]
        ports = [Port(fd, c, claim) for fd, c in zip(own, cancelled)]
        source = queue or Streams(ports)
        constant = dict(environ, **{"uwsgi.core": t}) if threads > 1 else environ
        try:
            while not claim[2]:
                serve(source.receive, ports, claim, apps, constant)
                if source.over():
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has gone
        except BaseException as e:
            # Without this thread the process would be slow and silent about it.
            report(e)
            os._exit(1)
        claim[2] = FINISHED

    finished = []
    wake = thread.allocate_lock()
    wake.acquire()

    def other(t):
        core(t)
        finished.append(t)
        with suppress(RuntimeError):  # nobody waits, or has been woken
            wake.release()

    # Threads of the system, whatever threading gives by now, and waited for likewise.
    for t in range(1, threads):
        thread.start_new_thread(other, (t,))
    core(0)
    while len(finished) < threads - 1:
        wake.acquire(True, MISSED)


def name(number, core):
    """Call this thread as uWSGI does, for logs."""
    with suppress(Exception):
        threading.current_thread().name = f"uWSGIWorker{number}Core{core}"
