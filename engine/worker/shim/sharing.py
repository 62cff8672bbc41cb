"""The uwsgi module's functions for caches, the queue and shared areas.

As in uWSGI, they exist only with their options. stores implements them.
"""

from . import stores
from .arguments import bytes_of, int_of, text_of

GUARDS = 1 << 41  # offset of the first lock's byte in the shared file

_caches = {}  # name -> cache; the first is the default
_queue = None
_areas = []


def open_all(described, shared):
    """Map the stores that the server has made. Return the uwsgi module's functions for them.

    shared is a file for locks. No app can open it.
    """
    global _queue
    for number, (kind, name, fd, shape) in enumerate(described):
        if kind == "cache":
            store = _caches[name.encode()] = stores.Cache(name, fd, shape)
        elif kind == "queue":
            store = _queue = stores.Queue(fd, *shape["sizes"])
        else:
            store = stores.Area(fd, shape["size"], shape["offset"])
            _areas.append(store)
        if shape.get("named"):
            store.lock.guard(shared, GUARDS + number)
    there = (_caches, CACHES), (_queue, QUEUE), (_areas, AREAS)
    return [function for store, functions in there if store for function in functions]


def begin():
    """Start anew in a forked process."""
    for store in [*_caches.values(), *((_queue,) if _queue else ()), *_areas]:
        store.begin()


def _cache(name):
    if not name and isinstance(name, (str, type(None))):
        return next(iter(_caches.values()))
    name = text_of(name, "the name of a cache")
    if b"@" in name:
        raise NotImplementedError("uwsgo has no caches of other servers")
    return _caches.get(name)


def _seconds(expires):
    """Return an item's lifetime in seconds. As in uWSGI, a negative one is over already."""
    return max(int_of(expires, -(1 << 63), 1 << 62), -1)


def cache_get(key, cache=None):
    there = _cache(cache)
    return there.get(bytes_of(key, "the key")) if there else None


def cache_set(key, value, expires=0, cache=None):
    return _cache_set(key, value, expires, cache, update=False)


def cache_update(key, value, expires=0, cache=None):
    return _cache_set(key, value, expires, cache, update=True)


def _cache_set(key, value, expires, cache, update):
    there = _cache(cache)
    key, value = bytes_of(key, "the key"), bytes_of(value, "the value")
    expires = _seconds(expires)
    return there.set(key, value, expires, update) if there else None


def cache_del(key, cache=None):
    there = _cache(cache)
    return there.delete(bytes_of(key, "the key")) if there else None


def cache_exists(key, cache=None):
    there = _cache(cache)
    return there.exists(bytes_of(key, "the key")) if there else None


def cache_clear(cache=None):
    there = _cache(cache)
    return there.clear() if there else None


def cache_keys(cache=None):
    there = _cache(cache)
    if there is None:
        raise ValueError("no local uWSGI cache available")
    return there.list()


def cache_num(key, cache=None):
    there = _cache(cache)
    return there.number(bytes_of(key, "the key")) if there else 0


def cache_inc(key, value=1, expires=0, cache=None):
    return _math(key, value, expires, cache, int.__add__)


def cache_dec(key, value=1, expires=0, cache=None):
    return _math(key, value, expires, cache, int.__sub__)


def cache_mul(key, value=2, expires=0, cache=None):
    return _math(key, value, expires, cache, int.__mul__)


def cache_div(key, value=2, expires=0, cache=None):
    return _math(key, value, expires, cache, stores.quotient)


def _math(key, value, expires, cache, how):
    there = _cache(cache)
    key, value = bytes_of(key, "the key"), int_of(value, -(1 << 63), (1 << 63) - 1)
    expires = _seconds(expires)
    return there.math(key, lambda old: how(old, value), expires) if there else None


def queue_push(message):
    return _queue.push(bytes_of(message, "the message"))


def queue_set(slot, message):
    return _queue.set(int_of(slot, -(1 << 62), 1 << 62), bytes_of(message, "the message"))


def queue_get(slot):
    return _queue.get(int_of(slot, -(1 << 62), 1 << 62))


def queue_last(count=0):
    return _queue.last(int_of(count, 0, 1 << 62))


def queue_pull():
    return _queue.pull()


def queue_pop():
    return _queue.pop()


def queue_slot():
    return _queue.slot(0)


def queue_pull_slot():
    return _queue.slot(1)


def _area(number):
    if not 0 <= int_of(number) < len(_areas):
        raise ValueError(f"there is no shared area {number}")
    return _areas[number]


def sharedarea_read(area, at, size=0):
    return _area(area).read(int_of(at, 0, 1 << 62), int_of(size, 0, 1 << 62))


def sharedarea_write(area, at, value):
    _area(area).write(int_of(at, 0, 1 << 62), bytes_of(value, "the value"))


def sharedarea_rlock(area):
    _area(area).hold()


def sharedarea_unlock(area):
    _area(area).leave()


def sharedarea_memoryview(area):
    return memoryview(_area(area).mem)


def _area_functions():
    """Make the functions for each size of number, under all of uWSGI's names."""

    def reads(size):
        return lambda area, at: _area(area).get(int_of(at, 0, 1 << 62), size)

    def writes(size):
        def write(area, at, value):
            value = int_of(value, -(1 << (8 * size - 1)), (1 << (8 * size)) - 1)
            _area(area).put(int_of(at, 0, 1 << 62), size, value)

        return write

    def adds(size, sign):
        def add(area, at, value=1):
            value = int_of(value, -(1 << 63), (1 << 63) - 1)
            _area(area).add(int_of(at, 0, 1 << 62), size, sign * value)

        return add

    made = {"read8 readbyte": reads(1), "read16": reads(2), "read32": reads(4)}
    made.update({"read64 readlong": reads(8), "write8 writebyte": writes(1)})
    made.update({"write16": writes(2), "write32": writes(4), "write64 writelong": writes(8)})
    made.update({"inc64 inclong": adds(8, 1), "inc32": adds(4, 1)})
    made.update({"dec64": adds(8, -1), "dec32": adds(4, -1)})
    for names, function in made.items():
        for name in names.split():
            yield _named(f"sharedarea_{name}", function)
    yield _named("sharedarea_wlock", sharedarea_rlock)
    yield _named("sharedarea_object", sharedarea_memoryview)


def _named(name, function):
    def named(*args):
        return function(*args)

    named.__name__ = named.__qualname__ = name
    return named


CACHES = (
    *(cache_get, cache_set, cache_update, cache_del, cache_exists, cache_clear, cache_keys),
    *(cache_num, cache_inc, cache_dec, cache_mul, cache_div),
)
QUEUE = (
    *(queue_push, queue_set, queue_get, queue_last, queue_pull, queue_pop),
    *(queue_slot, queue_pull_slot),
)
AREAS = (
    *(sharedarea_read, sharedarea_write, sharedarea_rlock, sharedarea_unlock),
    *(sharedarea_memoryview, *_area_functions()),
)
