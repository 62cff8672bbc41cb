"""WebSockets: what a client can have a process hold."""

import socket
import tracemalloc

import pytest
from shim import websockets


@pytest.mark.parametrize("piece", [b"", b"x"])
def test_a_message_in_many_pieces_takes_no_more_than_its_bytes(piece):
    reader = websockets.Reader(1 << 20)
    frame = bytes((0, 0x80 | len(piece), 0, 0, 0, 0)) + piece
    reader.feed(bytes((websockets.BINARY, 0x80, 0, 0, 0, 0)))
    tracemalloc.start()
    try:
        for _ in range(100):
            reader.feed(frame * 1000)
            assert reader.next() is None
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 400_000
    reader.feed(bytes((0x80, 0x80, 0, 0, 0, 0)))
    assert reader.next() == (websockets.BINARY, piece * 100_000)


def test_others_have_their_turn_before_a_library_reads(monkeypatch):
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(websockets, "pause", lambda: theirs.send(b"b"))
    raw = websockets.Raw(None)
    raw._sock = ours
    theirs.send(b"a")
    assert raw.recv(10) == b"ab"
    ours.close()
    theirs.close()
