"""One thread that has several requests at a time; slots_test.go has the real server."""

import socket
import threading
import types

import pytest
from conftest import PATIENCE, Server
from hub import Hub
from shim import exchange, port, worker
from shim.port import DATA, END, HEAD

SLOTS = 4
KIB = 1 << 10


class Hubs(Server):
    """Runs a Hub in place of a worker.Thread."""

    def __init__(self, *apps):
        super().__init__(*apps)
        self.queue.shutdown(socket.SHUT_WR)
        self.thread.join(PATIENCE)
        self.queue, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.claims = [memoryview(bytearray(40)).cast("Q") for _ in range(SLOTS)]
        shim = types.SimpleNamespace(worker=worker, port=port, exchange=exchange)
        self.hub = Hub(shim, end, [self.port], self.claims, apps, {})
        self.thread = threading.Thread(target=self.hub.run, daemon=True)
        self.thread.start()

    def until(self, kind, rid):
        """Read frames up to one of that kind and request; return them."""
        seen = []
        while not seen or seen[-1][:2] != (rid, kind):
            got, what, _, payload = self.frame()
            seen.append((got, what, payload))
        return seen


@pytest.fixture
def hub():
    made = []

    def make(*apps):
        made.append(Hubs(*apps))
        return made[-1]

    yield make
    for server in made:
        server.close()


def test_answers_take_turns(hub):
    def app(environ, start_response):
        start_response("200 OK", [])
        return (environ["n"].encode() for _ in range(3))

    server = hub(app)
    ids = [server.send(n=str(n)) for n in range(SLOTS)]
    open_at_once, most, bodies = set(), 0, dict.fromkeys(ids, b"")
    while ids:
        rid, kind, _, payload = server.frame()
        open_at_once.add(rid)
        most = max(most, len(open_at_once))
        if kind == DATA:
            bodies[rid] += payload
        elif kind == END:
            open_at_once.discard(rid)
            ids.remove(rid)
    assert most > 1 and server.hub.most <= SLOTS
    assert sorted(bodies.values()) == [b"000", b"111", b"222", b"333"]


def test_credit_goes_to_the_answer_it_is_for(hub):
    def app(environ, start_response):
        start_response("200 OK", [])
        return (b"x" * 64 * KIB for _ in range(int(environ["n"])))

    server = hub(app)
    server.credit = False
    first = server.send(n="40")
    sent = 0
    while sent < port.WINDOW:
        rid, kind, _, payload = server.frame()
        assert rid == first
        sent += len(payload) if kind == DATA else 0
    second = server.send(n="15")
    frames = server.until(END, second)
    assert {rid for rid, _, _ in frames} == {second}, "the first went on without credit"
    assert [kind for _, kind, _ in frames] == [HEAD, *[DATA] * 15, END]
    server.tell(2, 1 << 20)  # of the one that has ended
    server.tell(1, port.WINDOW)
    sent = 0
    while sent < port.WINDOW:
        sent += len(server.frame()[3])
    server.tell(1, port.GONE)
    assert server.until(END, first)[-1][0] == first


def test_short_answers_beside_a_streamed_one(hub):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"whole"] if environ["n"] == "whole" else (b"s" * 64 * KIB for _ in range(17))

    server = hub(app)
    streamed = server.send(n="streamed")
    server.until(HEAD, streamed)
    whole = server.send(n="whole")
    kinds = [kind for rid, kind, _ in server.until(END, whole) if rid == whole]
    assert kinds == [HEAD, DATA, END]
    server.tell(1, 128 * KIB)
    server.until(END, streamed)
