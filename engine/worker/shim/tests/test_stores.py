"""Caches, the queue and areas: against a model, by several processes, and through kills."""

import os
import random
import signal
import time

import pytest
from shim import stores


def cache(items=100, block=64, keys=32, slots=16, bitmap=False, lru=False, **ways):
    def align(n):
        return (n + 63) // 64 * 64

    free = 4096 + 4 * slots
    first = free + 4 * items
    table = align(first + (64 + (keys + 7) // 8 * 8) * (items + 1))
    data = align(table + items) if bitmap else table
    size = data + items * block
    fd = os.memfd_create("cache")
    os.ftruncate(fd, size)
    keep, clear = ways.get("keep", False), ways.get("clear", False)
    shape = {
        "sizes": [items, items, block, keys],
        "ways": [bitmap, lru, keep, clear, True, ways.get("initial", 0)],
        "places": [4096, free, first, table, data, size],
    }
    return stores.Cache("test", fd, shape)


@pytest.mark.parametrize("bitmap", [False, True])
def test_cache_is_a_dict(bitmap):
    chance = random.Random(7)
    c, model = cache(bitmap=bitmap), {}
    for n in range(20_000):
        key = b"k%d" % chance.randrange(150)
        what = chance.randrange(6)
        if what < 2:
            value = b"%d " % n + b"x" * chance.randrange(200 if bitmap else 50)
            if c.set(key, value, 0, what == 1):
                assert what == 1 or key not in model
                model[key] = value
            elif not bitmap:
                assert key in model or len(model) == 100
        elif what == 2:
            assert c.get(key) == model.get(key)
        elif what == 3:
            assert c.delete(key) == (True if key in model else None)
            model.pop(key, None)
        elif what == 4 and n % 20 == 0:
            assert sorted(c.list()) == sorted(model)
            assert c.head[stores.COUNT] == len(model)
        elif what == 5 and n % 50 == 0:
            c.head[stores.DIRTY] = 1  # as one leaves it who is killed
    for key in list(model):
        assert c.exists(key)
    assert c.clear()
    assert c.list() == []


def test_the_least_used_makes_room():
    c = cache(items=3, lru=True)
    for key in (b"a", b"b", b"c"):
        c.set(key, b"v", 0, False)
    assert c.get(b"a")
    assert c.set(b"d", b"v", 0, False)
    assert sorted(c.list()) == [b"a", b"c", b"d"]


def test_a_full_cache():
    c = cache(items=2)
    for key in (b"a", b"b"):
        assert c.set(key, b"v", 0, False)
    assert c.set(b"c", b"v", 0, False) is None
    assert c.head[stores.FULL] == 1
    assert c.set(b"a", b"w", 0, True)
    cleared = cache(items=2, clear=True)
    for key in (b"a", b"b", b"c"):
        assert cleared.set(key, b"v", 0, False)
    assert cleared.list() == [b"c"]


def test_expiry(monkeypatch):
    now = [1000.5]
    monkeypatch.setattr(stores, "_now", lambda: now[0])
    c, kept = cache(items=2), cache(items=2, keep=True)
    for one in (c, kept):
        one.set(b"a", b"v", 10, False)
        one.set(b"b", b"v", 0, False)
    now[0] += 9
    assert c.get(b"a") == b"v"
    now[0] += 2
    assert (c.get(b"a"), kept.get(b"a"), c.list()) == (None, b"v", [b"b"])
    assert c.set(b"a", b"w", 5, False), "what has expired is not there"
    now[0] += 6
    assert c.set(b"c", b"v", 0, False), "what has expired makes room"


def test_what_does_not_fit():
    c = cache(block=64, keys=32)
    for key, value in ((b"", b"v"), (b"k", b""), (b"k" * 33, b"v"), (b"k", b"v" * 65)):
        assert c.set(key, value, 0, True) is None
    wide = cache(items=4, block=64, bitmap=True)
    assert wide.set(b"k", b"v" * 256, 0, False)
    assert wide.set(b"l", b"v", 0, False) is None
    assert wide.set(b"k", b"v" * 65, 0, True)
    assert wide.set(b"l", b"w" * 128, 0, False)
    assert (wide.get(b"k"), wide.get(b"l")) == (b"v" * 65, b"w" * 128)


@pytest.mark.parametrize(
    ("start", "change", "want"),
    [
        (5, lambda n: n + (1 << 63) - 1, -(1 << 63) + 4),
        (-7, lambda n: stores.quotient(n, 2), -3),
        (7, lambda n: stores.quotient(n, 0), 0),
        (1 << 62, lambda n: n * 4, 0),
    ],
)
def test_numbers_are_those_of_64_bits(start, change, want):
    c = cache(initial=start)
    assert c.math(b"n", change, 0)
    assert c.number(b"n") == want


def test_many_processes_count_right():
    c = cache()
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            c.begin()
            for _ in range(2000):
                c.math(b"n", lambda n: n + 1, 0)
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    assert c.number(b"n") == 8000


@pytest.mark.parametrize("bitmap", [False, True])
def test_kills_leave_whole_values(bitmap):
    """Whoever is killed in the middle of a change holds no lock, and spoils nothing."""
    c = cache(items=50, block=64 if bitmap else 4096, bitmap=bitmap, lru=True)
    chance = random.Random(3)
    for n in range(30):
        pid = os.fork()
        if pid == 0:
            c.begin()
            while True:
                key = b"k%d" % chance.randrange(80)
                c.set(key, key * chance.randrange(1, 200 if bitmap else 1000), 0, True)
        time.sleep(0.002 * (n % 7))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for key in c.list():
            value = c.get(key)
            if key != b"mine":
                assert value is None or value == key * (len(value) // len(key))
        assert c.set(b"mine", b"value", 0, True)
        assert c.get(b"mine") == b"value"
        assert c.head[stores.COUNT] == len(c.list())


def test_queue():
    fd = os.memfd_create("queue")
    os.ftruncate(fd, 16 + 3 * 32)
    q = stores.Queue(fd, 3, 32)
    assert (q.pull(), q.pop(), q.push(b""), q.push(b"x" * 17)) == (None, None, None, None)
    for message in (b"a", b"b", b"c"):
        assert q.push(message)
    assert q.last(2) == [b"c", b"b"]
    assert (q.last(0), q.get(1), q.get(3)) == (b"c", b"b", None)
    assert (q.pull(), q.pop(), q.pull(), q.pull()) == (b"a", b"c", b"b", None)
    assert q.set(2, b"z")
    assert q.get(2) == b"z"


def test_area():
    fd = os.memfd_create("area")
    os.ftruncate(fd, 4096)
    area = stores.Area(fd, 4096, 0)
    for _ in range(2):  # a thread may take it again
        area.hold()
    area.add(8, 8, 1)
    for _ in range(3):  # one time more than it has it
        area.leave()
    assert area.lock.owner is None and not area.lock.inner.locked()
    area.write(0, b"hello")
    assert area.read(1, 3) == b"ell"
    area.put(8, 4, -5)
    area.add(8, 4, 7)
    assert area.get(8, 4) == 2
    area.put(16, 8, (1 << 63) - 1)
    area.add(16, 8, 1)
    assert area.get(16, 8) == -(1 << 63)
    area.hold()
    area.add(8, 4, 1)
    area.leave()
    for at, size in ((4095, 2), (-1, 1), (4096, 1)):
        with pytest.raises(ValueError, match="not in the shared area"):
            area.get(at, size)


def test_one_room_for_each_value():
    """A cache that is cleared for want of items forgets no blocks that are being taken."""
    c = cache(items=8, block=8, bitmap=True, clear=True)
    c.items, c.head[stores.FRESH] = 2, 0
    for key, size in ((b"a", 16), (b"b", 16), (b"c", 16), (b"d", 48)):
        assert c.set(key, key * size, 0, False)
    assert [c.get(key) for key in (b"c", b"d")] == [b"c" * 16, b"d" * 48]


@pytest.mark.parametrize("bitmap", [False, True])
def test_exceptions_spoil_nothing(bitmap):
    """A handler of a signal that raises, between any two steps, leaves whole values and no lock."""
    c = cache(items=10, block=64, bitmap=bitmap, lru=True)

    class Now(BaseException):
        pass

    def late(*_):
        raise Now

    chance = random.Random(5)
    before = signal.signal(signal.SIGALRM, late)
    raised = 0
    try:
        for _ in range(400):
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, 4e-4))
                while True:
                    key = b"k%d" % chance.randrange(20)
                    c.set(key, key * chance.randrange(1, 100 if bitmap else 20), 0, True)
            except Now:
                raised += 1
            assert not c.lock.inner.locked()
            for key in c.list():
                value = c.get(key)
                assert value == key * (len(value) // len(key))
            assert c.head[stores.COUNT] == len(c.list())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert raised == 400
    pid = os.fork()
    if pid == 0:
        c.begin()
        os._exit(0 if c.set(b"child", b"value", 0, True) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert c.clear()
    assert all(c.set(b"n%d" % n, b"v" * 64, 0, False) for n in range(10)), "all is there"


def test_a_sweep_mends_first():
    c = cache(items=4)
    c.set(b"b", b"v", 0, False)
    c.set(b"a", b"v", -5, False)  # it has expired
    c.head[stores.COUNT], c.head[stores.DIRTY] = 99, 1
    assert c.set(b"c", b"v", 0, False)
    assert c.head[stores.COUNT] == len(c.list()) == 2


def test_a_change_within_a_change_is_an_error():
    c = cache()

    def within(n):
        c.set(b"other", b"v", 0, True)
        return n

    with pytest.raises(RuntimeError, match="in the middle of another change"):
        c.math(b"n", within, 0)
    assert c.set(b"n", b"v", 0, True)


def test_lock_outlives_a_close_of_its_file(tmp_path):
    """A process loses record locks of a file that it closes; the guard's stay."""
    name, guard = tmp_path / "area", tmp_path / "guard"
    name.write_bytes(bytes(4096))
    guard.write_bytes(b"")
    fd, other = os.open(name, os.O_RDWR), os.open(guard, os.O_RDWR)
    area = stores.Area(fd, 4096, 0)
    area.lock.guard(other, 1 << 41)
    area.hold()
    name.read_bytes()  # what an app may do
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        area.begin()
        os.write(tell, b"waits")
        area.add(0, 8, 1)
        os._exit(0)
    assert os.read(told, 5) == b"waits"
    time.sleep(0.05)
    assert area.get(0, 8) == 0, "another process has changed it meanwhile"
    area.leave()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert area.get(0, 8) == 1
