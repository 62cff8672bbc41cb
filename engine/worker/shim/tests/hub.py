"""A thread that has several requests at a time, by slots, as a hub of greenlets will.

It takes turns by itself: an app's iterable is asked for one block each time. Tests run it in
place of worker.Thread, with the server's side played or real.
"""

import marshal
import select
import socket
import time

FINISHED = 2


class Slot:
    """What may have one request: a claim, and the answer to it."""

    def __init__(self, claim):
        self.claim = claim
        self.exchange = None
        self.blocks = None


class Hub:
    """shim has the modules worker, port and exchange."""

    def __init__(self, shim, queue, ports, claims, apps, base):
        self.shim = shim
        self.queue = queue
        self.ports = ports
        self.slots = [Slot(claim) for claim in claims]
        self.apps = apps
        self.base = base
        self.most = 0  # requests at a time so far
        self.poll = select.poll()
        for p in ports:
            self.poll.register(p.fd, select.POLLIN)
        for p in ports:
            p.wait = self.never

    def never(self):
        raise AssertionError("a slot without credit was run")

    def run(self):
        import _thread

        for p in self.ports:
            p.thread = _thread.get_ident()
        while True:
            free = [s for s in self.slots if s.exchange is None]
            self.most = max(self.most, len(self.slots) - len(free))
            for slot in free:
                if slot.claim[2]:
                    slot.claim[2] = FINISHED
            free = [s for s in free if not s.claim[2]]
            if not free and all(s.claim[2] for s in self.slots) and not self.busy():
                return
            ready = self.runnable()
            self.poll.register(self.queue, select.POLLIN if free else 0)
            for fd, _ in self.poll.poll(0 if ready else 20):
                if fd != self.queue.fileno():
                    next(p for p in self.ports if p.fd == fd).collect()
                elif free and not self.take(free[0]):
                    return
            for slot in self.runnable():
                self.step(slot)

    def busy(self):
        return any(s.exchange is not None for s in self.slots)

    def runnable(self):
        # A block of the tests' apps is at most 64 KiB.
        return [
            s
            for s in self.slots
            if s.exchange is not None
            and (s.exchange.gone or not s.exchange.answer or s.exchange.room >= 64 << 10)
        ]

    def take(self, slot):
        """Take a request. Return False at the end of the queue."""
        try:
            data = self.queue.recv(400_000, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        if not data:
            return any(s.claim[2] for s in self.slots) or not self.over()
        rid, index, _, values, others, body = marshal.loads(data)
        port, worker = self.ports[rid >> 24], self.shim.worker
        head = self.shim.port.frame_head
        slot.claim[1] = time.monotonic_ns()
        slot.claim[0] = rid
        if slot.claim[2]:
            slot.claim[0] = 0
            port.send(head(len(data), rid, self.shim.port.RETURNED) + data)
            return True
        if port.cancelled[rid & 0xFFFF]:
            slot.claim[0] = 0
            port.send(head(0, rid, self.shim.port.DROPPED))
            return True
        environ = dict(zip(worker.VARIABLES, values), **self.base, **others)
        environ["wsgi.input"] = body
        x = slot.exchange = self.shim.exchange.Exchange()
        x.rid, x.port, x.claim, x.others = rid, port, slot.claim, others
        x.method = values[worker.METHOD]
        x.head = x.frame = x.result = None
        x.started = x.done = x.gone = x.sending = False
        x.sent = x.answer = 0
        slot.claim[4] = rid
        try:
            slot.blocks = iter(self.apps[index](environ, x.start_response))
        except Exception as e:
            self.end(slot, e)
        return True

    def over(self):
        poll = select.poll()
        poll.register(self.queue, 0x2000)
        return bool(poll.poll(0))

    def step(self, slot):
        x = slot.exchange
        try:
            block = next(slot.blocks, None)
            if block is not None and not x._left():
                if block:
                    x._block(block)
                return
            if x.frame is None:
                x._finish()
        except Exception as e:
            self.end(slot, e)
            return
        self.end(slot)

    def end(self, slot, e=None):
        x, slot.exchange, slot.blocks = slot.exchange, None, None
        if e is not None:
            x.fail(e)
        slot.claim[0] = 0
        x.port.forget(x)
        x.port = None
