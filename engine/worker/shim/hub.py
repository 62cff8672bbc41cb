"""A worker that runs requests in gevent greenlets, several at a time.

gevent's hub watches the queue and the streams. It takes a request when a slot is free, and runs
the request's greenlet at once, until the greenlet waits. So a worker starts every request that
it takes. Everything runs in one thread. A frame is sent whole before another greenlet runs. As
in worker.Thread, an exception at any point loses nothing.
"""

import sys
from collections import deque

from . import control, events, forked, port, websockets, worker
from .exchange import Exchange
from .forked import leave
from .late import LateBody
from .locks import Locks
from .own import io, marshal, os, select, socket, suppress, thread, time
from .port import DROPPED, NEED_BODY, RETURNED, SMALL, Once, Port, frame_head
from .trace import report
from .worker import CLAIM, FINISHED, LARGEST, METHOD, MOST, SAID, keep, roomy

READ, WRITE = 1, 2  # of gevent's watchers
SHARE = 5_000_000  # nanoseconds of starting requests before the hub handles other events
LOOPS = 3  # nested loops around a step, see worker.keep
DONTWAIT = socket.MSG_DONTWAIT

gevent = None  # the package, once it is loaded


class Unusable(Exception):
    """gevent cannot be used. The message says why."""


def begin(config):
    """Load gevent, before the apps are imported."""
    global gevent
    try:
        import gevent.hub
        import gevent.monkey
    except Exception as e:
        raise Unusable(
            f"gevent: {sys.executable or 'Python'} cannot import it ({e}): install it there "
            "(pip install gevent), or give threads = N in place of gevent = N"
        ) from e
    if config["stream_mode"]:
        raise Unusable("gevent: this system has no sockets for it: give threads = N in its place")
    if config["gevent"]["early"]:
        gevent.monkey.patch_all()


class HubPort(Port):
    """A stream of a hub. A greenlet that waits for it lets others run."""

    def watch(self, hub):
        """Let a hub watch the stream from now on."""
        self.hub = hub
        self.waiters = []  # of greenlets that wait for credit or for room
        self.poll = select.poll()
        self.poll.register(self.fd, select.POLLOUT)
        self.outgoing = hub.loop.io(self.fd, WRITE)
        self.incoming = hub.loop.io(self.fd, READ)
        self.incoming.start(self._arrived)

    def _arrived(self):
        try:
            self.collect()
            lost = port.gone() if self.inbox and not self.inbox[-1] else None
        except OSError as e:
            lost = e
        if lost is not None:
            self.hub.lost(lost)

    def credit(self, tag, n):
        super().credit(tag, n)
        self.wake()

    def wake(self):
        """Let all waiting greenlets check again."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            self.hub.loop.run_callback(waiter.switch, None)

    def wait(self):
        if self.hub.over:
            raise port.gone()
        waiter = gevent.hub.Waiter()
        self.waiters.append(waiter)
        waiter.get()

    def data(self, exchange, block):
        """Send a piece of a streamed body. Return False when the client has gone."""
        if len(block) <= SMALL:
            return self._piece(exchange, block)
        view = memoryview(block)
        pieces = (view[at : at + SMALL] for at in range(0, len(view), SMALL))
        return all(self._piece(exchange, piece) for piece in pieces)

    def _piece(self, exchange, piece):
        # A send to a full stream would block the hub, and all requests with it.
        while not self.poll.poll(0):
            self._room()
        if type(piece) is memoryview and len(piece) <= exchange.room:
            piece = bytes(piece)
        return super().data(exchange, piece)

    def _room(self):
        """Wait until the stream has room."""
        waiter = gevent.hub.Waiter()
        self.waiters.append(waiter)
        self.outgoing.start(self.wake)
        try:
            waiter.get()
        finally:
            if not self.waiters:
                self.outgoing.stop()


class Slot:
    """Runs one request at a time. Each request has its own greenlet."""

    __slots__ = (
        "apps",
        "claim",
        "exchange",
        "failures",
        "fresh",
        "greenlet",
        "hub",
        "late",
        "number",
        "request",
        "run",
    )

    def __init__(self, hub, number, claim, apps, base):
        self.hub = hub
        self.number = number
        self.claim = claim
        self.apps = apps
        self.fresh = roomy({**base, "uwsgi.core": number}).copy
        self.exchange = None  # set just before the app is called
        self.failures = 0  # of this request
        self.greenlet = None  # of the request
        self.late = None  # the exception to handle
        self.request = None  # the fields and the body; None between requests
        self.run = keep(lambda: self.request is not None, self.step, self.put_off, LOOPS)

    def put_off(self, e):
        self.late = e

    def step(self):
        late, self.late = self.late, None
        if late is None:
            return self.serve()
        self.failures += 1
        if self.failures > MOST:
            report(late)
            os._exit(1)
        if isinstance(late, OSError):
            states = {p.state() for p in self.hub.ports}
            if port.ENDED in states:
                self.request = None
                return self.hub.lost(late)
            if port.BROKEN in states:
                report(late)
                os._exit(1)
        exchange = self.exchange
        for p in self.hub.ports:
            p.finish()
        if exchange is None:
            report(late)
            return self.serve()
        if exchange.port is not None:
            exchange.settle(late)
        self.end()

    def serve(self):
        """Answer the request."""
        hub, claim = self.hub, self.claim
        rid, index, queued, values, others, body = self.request
        p = hub.ports[rid >> 24]
        environ = self.fresh()
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
        environ.update(others)
        environ["wsgi.input"] = body
        environ["uwsgo.queue_time"] = queued
        exchange = Exchange()
        exchange.rid = rid
        exchange.port = p
        exchange.method = values[METHOD]
        exchange.others = others
        exchange.head = exchange.frame = exchange.result = None
        exchange.started = exchange.done = exchange.gone = exchange.sending = False
        exchange.sent = exchange.answer = 0
        exchange.claim = claim
        if "HTTP_UPGRADE" in others:
            websockets.offer(environ, exchange)
        self.exchange = exchange  # from here on the request is not started again
        claim[4] = rid
        try:
            result = self.apps[index](environ, exchange.start_response)
        except BaseException as e:
            exchange.fail(e)
        else:
            if not forked.mark[0]:
                leave()
            exchange.run(result)
        if not forked.mark[0]:
            leave()
        try:
            body.close()
        except Exception:
            pass  # the app has detached it, or holds a view of it
        self.end()

    def end(self):
        """Finish the request."""
        exchange = self.exchange
        self.claim[0] = 0  # after the answer: a claim that goes without one never ran
        if exchange is not None and exchange.port is not None:
            websockets.forget(exchange)
            exchange.port.forget(exchange)
            exchange.port = None
        self.exchange = self.greenlet = None
        self.failures = 0
        self.request = None
        self.hub.freed(self)


class Hub:
    """Takes requests and gives them to slots. It belongs to the thread's gevent hub."""

    def __init__(self, queue, ports, bodies):
        self.queue = queue
        self.ports = ports
        self.bodies = bodies
        self.slots = []
        self.free = {}  # number -> slot without a request; the last one is used next
        self.loop = gevent.get_hub().loop
        self.main = gevent.getcurrent()
        self.buffer = memoryview(bytearray(LARGEST))  # its first byte is 0 if it holds no request
        self.receive = (self.queue.receive, ((self.buffer,), (0,), (DONTWAIT,)))
        self.sizes = deque()  # filled by the C code that receives, as in Port
        self.ask = None  # a Once that asks for the body of the request in the buffer
        self.next = None  # the slot whose greenlet starts next
        self.more = False  # there may be a request to take
        self.until = 0  # when the hub must handle other events, see SHARE
        self.over = False
        self.failures = 0
        self.watcher = self.loop.io(queue.sock.fileno(), READ)
        self.woken = self.loop.async_(ref=False)  # wakes the hub for uWSGI signals
        self.take = keep(lambda: self.more, self.step, self.note, LOOPS)

        class Request(gevent.Greenlet):
            slot = None  # the one that it serves

        self.request = Request

    # While it runs.

    def run(self, first):
        """Serve until this process must finish. first is called before the first request."""
        ident = thread.get_ident()
        for p in self.ports:
            p.thread = ident
            p.watch(self)
        self.woken.start(gevent.spawn, events.handle_all)
        self.watcher.start(self._arrived)
        steps = iter((first, None))

        def step():
            do = next(steps, None)
            if do is not None:
                return do()
            gevent.get_hub().switch()

        worker.keep_on(lambda: not self.over, step, self.note)
        self.watcher.stop()
        for p in self.ports:
            p.incoming.stop()

    def note(self, e):
        """Report an exception between requests. Too many of them end the process."""
        self.failures += 1
        if self.failures < SAID:
            report(e)
        if gevent.get_hub().dead or self.failures > MOST:
            report(e)
            os._exit(1)

    def lost(self, e):
        """Finish: the server has gone, so no answer reaches a client."""
        if not self.over:
            report(e)
        self.finish()

    def finish(self):
        self.over = True
        self.watcher.stop()
        for p in self.ports:
            p.incoming.stop()
            p.wake()
        for slot in self.slots:
            slot.claim[2] = FINISHED
        self.loop.run_callback(self.main.switch)

    def _arrived(self):
        self.until = time.monotonic_ns() + SHARE
        self.more = True
        self.take()

    def step(self):
        """Take a request and start it. Clear more when the loop must stop."""
        if not forked.mark[0]:
            self.more = False  # the last request has forked, and this is the child
            return
        slot = self.next
        if slot is None:
            if not self.buffer[0] and not self._receive():
                self.more = False
                return
            slot = self._accept()
            if slot is None:
                return
            self.next = slot
            self.buffer[0] = 0
        if slot.request is not None and (slot.greenlet is None or slot.greenlet.dead):
            slot.greenlet = self.request(slot.run)
            slot.greenlet.slot = slot
            slot.greenlet.switch()  # returns when the greenlet waits
        self.next = None
        self.failures = 0
        if time.monotonic_ns() > self.until:
            self.more = False  # the watcher calls again

    def _receive(self):
        """Receive a request into the buffer. Return False if none can be taken."""
        if not self.free:
            self.watcher.stop()
            return False
        call, arguments = self.receive
        self.sizes.clear()
        try:
            self.sizes.extend(map(call, *arguments))
        except BlockingIOError:
            return False
        if self.sizes[0]:
            return True
        # An empty datagram asks this process to check whether it must finish.
        self._retire_free()
        if self.queue.over() and not self.over:
            self.finish()
        return False

    def _retire_free(self):
        for slot in list(self.free.values()):
            self._retire(slot)

    def _retire(self, slot):
        """Retire a free slot if its claim says so. Return whether it is retired."""
        if not slot.claim[2]:
            return False
        self.free.pop(slot.number, None)
        slot.claim[2] = FINISHED
        if not self.over and all(s.claim[2] == FINISHED for s in self.slots):
            self.finish()
        return True

    def _accept(self):
        """Claim the request in the buffer. Return its slot, or None if no slot takes it."""
        buffer = self.buffer
        rid, index, since, values, others, body = marshal.loads(buffer)
        p = self.ports[rid >> 24]
        slot = next(reversed(self.free.values()), None)
        claim = slot.claim if slot is not None else None
        if claim is not None:
            # As in worker.Thread: claim first, then check what the server has said.
            claim[1] = now = time.monotonic_ns()
            claim[0] = rid
        if claim is None or (claim[2] and self.ask is None):
            size = self._size()
            if claim is not None:
                claim[0] = 0
            self._drop(p, frame_head(size, rid, RETURNED) + buffer[:size])
            return self._retire_free()
        if p.cancelled[rid & 0xFFFF]:
            claim[0] = 0
            return self._drop(p, frame_head(0, rid, DROPPED))
        if body is None or type(body) is bytes:
            body = io.BytesIO(body)
        elif type(body) is tuple:
            body = io.BytesIO(self.bodies.read(*body))
        else:
            # The server answers at once. Nothing else may come on the stream before that.
            if self.ask is None:
                self.ask = Once(p, frame_head(0, rid, NEED_BODY))
            body = p.take_body(self.ask, not body)
            if body is None:
                claim[0] = 0
                return self._drop(p, frame_head(0, rid, DROPPED))
        slot.request = rid, index, now * 1e-9 - since, values, others, body
        self.free.pop(slot.number, None)
        self._forget_body()
        return slot

    def _drop(self, p, frame):
        """Give up the request in the buffer. frame tells the server."""
        p.send(frame)
        self._forget_body()
        self.buffer[0] = 0

    def _forget_body(self):
        if self.ask is not None:
            for p in self.ports:
                p.forget_body(self.ask)
            self.ask = None

    def _size(self):
        text = io.BytesIO(self.buffer)
        marshal.load(text)
        return text.tell()

    def part(self):
        """Stop watching, in a process that the app has forked."""
        self.loop.reinit()  # first: until then the parent's poller is in use
        self.watcher.stop()
        for p in self.ports:
            p.incoming.stop()
            p.outgoing.stop()

    def freed(self, slot):
        """Take back a slot that has finished its request."""
        if self.over:
            return
        self.free[slot.number] = slot
        if not self._retire(slot) and not self.watcher.active:
            self.watcher.start(self._arrived)

    def wait(self, fd, what, seconds):
        """Wait until a descriptor is ready. Return whether it is."""
        return self.wait_any([(fd, what)], seconds) >= 0

    def wait_any(self, watched, seconds):
        """Return the first ready descriptor of (descriptor, events) pairs, or -1 for none."""
        waiter = gevent.hub.Waiter()
        watchers = [
            (self.loop.io(fd, READ if what & select.POLLIN else WRITE), fd) for fd, what in watched
        ]
        timer = None
        try:
            for watcher, fd in watchers:
                watcher.start(waiter.switch, fd)
            if seconds is not None:
                timer = self.loop.timer(max(0, seconds))
                timer.start(waiter.switch, -1)
            return waiter.get()
        finally:
            for watcher, _ in watchers:
                watcher.stop()
                watcher.close()
            if timer is not None:
                timer.stop()
                timer.close()

    def pause(self):
        """Let other greenlets run. Do nothing in a thread of the app."""
        if thread.get_ident() in worker.running:
            gevent.sleep()

    def can_read(self, fd):
        """Wait until a descriptor can be read."""
        watcher = self.loop.io(fd, READ)
        try:
            gevent.get_hub().wait(watcher)
        finally:
            watcher.close()


def here():
    """Return the slot of the caller's request, or None outside a request."""
    return getattr(gevent.getcurrent(), "slot", None)


def prepare(config, place, number, fds, memory, apps, held):
    """Prepare a process, as worker.prepare does, with slots in place of threads."""
    slots, patch = config["slots"], config["gevent"]["patch"]
    environ, cancelled, queue, bodies = worker.common(config, memory)
    if patch:
        gevent.monkey.patch_all()
    gevent.reinit()  # except the loop, what the app started in the zygote stays there
    ports = [HubPort(fd, c) for fd, c in zip(fds, cancelled)]
    hub = Hub(queue, ports, bodies)
    for n in range(slots):
        at = (place * slots + n) * CLAIM
        hub.slots.append(Slot(hub, n, memory[at : at + 40].cast("Q"), apps, environ))
    for slot in reversed(hub.slots):
        hub.free[slot.number] = slot
    forked.parting.append(hub.part)
    forked.serve(*(p.sock for p in ports), queue.sock, control.channel.sock)
    worker.homes.append(Slot.serve.__code__)
    worker.here = here
    worker.running[thread.get_ident()] = hub
    Locks.sleep = staticmethod(gevent.sleep)
    LateBody.wait = staticmethod(hub.can_read)
    websockets.wait, websockets.wait_any = hub.wait, hub.wait_any
    websockets.pause = hub.pause
    events.wake_by(hub.woken.send, gevent.sleep)

    def go():
        if events.handlers:
            events.serve()
        worker.yield_to_loops()
        worker.name(number, 0)
        for slot in hub.slots:
            slot.claim[3] = thread.get_native_id()
        hub.run(held.give_back)
        if config["gevent"]["wait"]:
            with suppress(gevent.hub.LoopExit):
                gevent.get_hub().join()

    return go
