"""Bodies of answers in shared memory."""

import pytest
from shim.answers import HEAD, Answers

ROOM = 100


@pytest.fixture
def places():
    return Answers(memoryview(bytearray(HEAD + ROOM)))


def test_one_behind_the_other(places):
    assert places.place(b"a" * 40) == 0
    assert places.place(b"b" * 40) == 40
    assert places.place(b"c" * 40) is None  # the server has read nothing
    places.read[0] = 40
    assert (
        places.place(b"c" * 41) is None
    )  # what is left at the end is too little, and so is the begin
    assert places.place(b"c" * 40) == ROOM
    assert bytes(places.room[:80]) == b"c" * 40 + b"b" * 40
    assert places.place(b"") is not None


def test_begins_anew_when_all_is_read(places):
    for _ in range(1000):
        at = places.place(b"x" * 30)
        assert at % ROOM == 0
        places.read[0] = at + 30
    assert places.place(b"y" * ROOM) % ROOM == 0
    assert places.place(b"y") is None


def test_all_is_free_after_all_was_read(places):
    places.read[0] = places.place(b"x" * 30) + 30
    assert [places.place(b"y" * 30) % ROOM for _ in range(3)] == [0, 30, 60]
    assert places.place(b"y" * 30) is None


@pytest.mark.parametrize("size", [ROOM + 1, 10 * ROOM])
def test_too_large(places, size):
    assert places.place(b"x" * size) is None
    assert places.place(b"x") == 0


def test_what_is_placed_and_never_told_of(places):
    """Something was raised in between. The next that the server reads makes room."""
    places.place(b"lost" * 10)
    assert places.place(b"x" * 60) == 40
    places.read[0] = 100
    assert places.place(b"y" * ROOM) == 100


def test_never_over_what_is_unread(places):
    unread = {}
    for i in range(5000):
        size = (i * 37) % 70 + 1
        block = bytes([i % 256]) * size
        at = places.place(block)
        if at is not None:
            unread[at] = block
        if at is None or i % 3 == 0:
            first = min(unread)
            start = first % ROOM
            block = unread.pop(first)
            assert bytes(places.room[start : start + len(block)]) == block
            places.read[0] = first + len(block)
