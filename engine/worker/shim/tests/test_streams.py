"""Requests that come on the thread's own stream, in whatever pieces."""

import marshal
import socket
import struct
import sys
import time

import pytest
from shim import port, worker


def app(environ, start_response):
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


def request(server, path):
    server.slot += 1
    rid = 1 << 16 | server.slot
    values = tuple(path if name == "PATH_INFO" else "" for name in worker.VARIABLES)
    data = marshal.dumps((rid, 0, time.monotonic(), values, {}, None), 2)
    return rid, struct.pack("<II", port.REQUEST, len(data)) + data


LATE = struct.pack("<II", 7, 1000)  # credit for an answer that has ended

PIECES = {
    "whole": lambda data: [data],
    "pair_first": lambda data: [data[:8], data[8:]],
    "half_a_pair": lambda data: [data[:4], data[4:]],
    "pair_and_some": lambda data: [data[:20], data[20:]],
    "byte_by_byte": lambda data: [data[i : i + 1] for i in range(200)] + [data[200:]],
    "after_credit": lambda data: [LATE, data],
    "with_credit": lambda data: [LATE + data],
    "with_much_credit": lambda data: [LATE * 40 + data],
    "credit_in_pieces": lambda data: [LATE[:3], LATE[3:] + LATE[:5], LATE[5:] + data[:9], data[9:]],
}


@pytest.mark.parametrize("name", PIECES)
def test_pieces(serve, name):
    server = serve(app, stream_mode=True)
    for path in ("/first", "/second", "/" + "x" * 100_000):
        rid, data = request(server, path)
        for piece in PIECES[name](data):
            server.stream.sendall(piece)
            time.sleep(0.0005)  # so that it is read apart, though nothing depends on that
        assert server.answer(rid).body == path.encode()


class Late(BaseException):
    pass


def interrupted(function, step):
    """Call function and raise before so many instructions of it. Return whether that came."""

    def trace(frame, event, _):
        nonlocal step
        frame.f_trace_opcodes = True
        if event == "opcode":
            step -= 1
            if step < 0:
                raise Late
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except Late:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="traces no instructions")
@pytest.mark.parametrize("before", [b"", LATE, LATE * 3])
@pytest.mark.parametrize("ports", [1, 2])
def test_whatever_is_raised(before, ports):
    """Before each instruction in turn: no request is lost, none comes twice."""
    pairs = [socket.socketpair() for _ in range(ports)]
    made = [port.Port(theirs.detach(), None) for _, theirs in pairs]
    source = worker.Streams(made)
    buffer = memoryview(bytearray(1000))[source.HEAD :]
    number, step, came = 0, 0, True
    while came:
        server = pairs[number % ports][0]
        requests = [b"(%d first)" % number, b"(%d second, which is longer)" % number]
        server.sendall(before + struct.pack("<II", port.REQUEST, len(requests[0])) + requests[0])
        came = interrupted(lambda: source.receive(buffer), step)
        assert bytes(buffer[: source.receive(buffer)]) == requests[0]
        came |= interrupted(source.taken, step)
        source.taken()
        server.sendall(struct.pack("<II", port.REQUEST, len(requests[1])) + requests[1])
        assert bytes(buffer[: source.receive(buffer)]) == requests[1]
        source.taken()
        number, step = number + 1, step + 1
    assert number > 20
    server.sendall(struct.pack("<II", port.QUIT, 0))
    assert source.receive(buffer) == 0
    for ours, _ in pairs:
        ours.close()
    for p in made:
        p.sock.close()
