"""wsgi.input of a request whose body is still to come."""

import array
import socket
import tempfile
import threading

import pytest
from shim.late import LateBody


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    body = LateBody(theirs.detach())
    yield ours, body
    body.close()
    ours.close()


def say(sock, what, content=None):
    rights = []
    with tempfile.TemporaryFile() as f:
        if content is not None:
            f.write(content)
            f.flush()
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [f.fileno()]))]
        sock.sendmsg([what], rights)


def test_comes(pair):
    ours, body = pair
    reader = threading.Timer(0.05, say, (ours, b"f", b"one\ntwo"))
    reader.start()
    assert body.readline() == b"one\n"
    assert ours.recv(1) == b"r"
    assert body.tell() == 4 and list(body) == [b"two"]
    body.seek(0)
    assert body.read(3) == b"one" and body.readable() and body.seekable()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"t", "timeout during read(7) on wsgi.input"),
        (b"e", "error during read(7) on wsgi.input"),
        (None, "error during read(7) on wsgi.input"),
        (b"f", "error during read(7) on wsgi.input: no descriptor is left for it"),
    ],
)
def test_does_not_come(pair, said, text):
    ours, body = pair
    if said:
        say(ours, said)
    else:
        ours.close()
    for _ in range(2):
        with pytest.raises(OSError) as e:
            body.read(7)
        assert str(e.value) == text


def test_closed_without_waiting(pair):
    ours, body = pair
    body.close()
    with pytest.raises(ValueError):
        body.read()
    assert ours.recv(1) == b""


def test_raised_while_it_waits(pair):
    """Nothing that came is lost by what is raised in between."""
    ours, body = pair

    class Late(Exception):
        pass

    take = body._sock.recvmsg

    class Raising:
        def __init__(self, sock):
            self.sock = sock

        def recvmsg(self, *args):
            return take(*args)

        def send(self, data):
            raise Late

        def __getattr__(self, name):
            return getattr(self.sock, name)

    real, body._sock = body._sock, Raising(body._sock)
    with pytest.raises(Late):
        body.read()
    body._sock = real
    say(ours, b"f", b"all of it")
    assert body.read() == b"all of it"
