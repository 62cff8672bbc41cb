"""A body that was asked for, and not taken: it is not the next request's."""

import os
import sys

import pytest
from shim import port


class Raises:
    """A socket whose recvmsg is interrupted once."""

    def __init__(self, sock, meanwhile, error=None):
        self.sock = sock
        self.error = error or TimeoutError("as asked")
        self.meanwhile = meanwhile

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def recvmsg(self, *arguments):
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
            raise self.error
        return self.sock.recvmsg(*arguments)


def app(environ, start_response):
    start_response("200 OK", [("X", "y")])
    return [environ["wsgi.input"].read()]


def descriptors():
    return len(os.listdir("/proc/self/fd")) if sys.platform.startswith("linux") else 0


@pytest.mark.parametrize("stream_mode", [False, True])
def test_client_goes_while_the_body_comes(serve, capsys, stream_mode):
    server = serve(app, stream_mode=stream_mode)
    real = server.port.sock
    server.get()
    before = descriptors()

    def gone():
        server.cancelled[server.slot] = port.CANCELLED

    server.port.sock = Raises(real, gone)
    for body in (b"first", b"second", b"third"):
        a = server.get("POST", file=body)
        assert a.body == (b"" if body == b"first" else body)
        assert (a.kinds[-1] == port.DROPPED) == (body == b"first")
    server.get()
    server.port.sock = real
    assert descriptors() == before


def test_the_thread_is_to_finish_while_the_body_comes(serve, capsys):
    """The server takes nothing back that it was asked for the body of: it is answered."""
    server = serve(app)
    real = server.port.sock

    def finish():
        server.claim[2] = 1

    server.port.sock = Raises(real, finish)
    a = server.get("POST", file=b"first")
    assert (a.kinds, a.body) == ([port.NEED_BODY, port.WHOLE], b"first")
    server.port.sock = real


def test_what_was_taken_goes_back_when_the_thread_finishes(serve, capsys):
    """Something raises after a request has come; then the thread is to finish."""
    server = serve(app)
    real = server.worker.source.receive
    server.get()

    taken = []

    def receive(buffer):
        size = real(buffer)
        if size and not taken:
            taken.append(size)
            server.claim[2] = 1
            raise TimeoutError("as asked")
        return size

    # The thread waits in the real one: a request that it answers has it take this one.
    server.worker.source.receive = receive
    server.queue.send(b"")  # only wakes the thread, which looks at receive anew
    rid = server.send()
    got, kind, _, payload = server.frame()
    assert (got, kind) == (rid, port.RETURNED)
    assert payload
