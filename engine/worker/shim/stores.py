"""The memory that workers of all generations share through the uwsgi module: caches, the queue,
areas.

The server makes the memory, an unnamed file or one that outlives it, and every process maps
it. There is no round trip: an operation takes a record lock of the kernel, which ends with its
owner, and works here. A mark shows the unfinished change of a killed process; the next process
repairs it.
"""

import _struct
import binascii
import mmap
import sys

from .own import fcntl, thread, time

crc32 = binascii.crc32
pack_into, unpack_from = _struct.pack_into, _struct.unpack_from
_monotonic, _now = time.monotonic, time.time
MARK = 1 << 40  # the byte that is locked, behind the end of the file


class Lock:
    """One owner at a time, of all threads of all processes.

    A process loses a record lock when it closes any descriptor of that file, which an app
    may do to a file that has a name. So guard(fd, at) adds one in a file that has none.
    """

    def __init__(self, fd):
        self.records = ((fd, MARK),)
        self.begin()

    def guard(self, fd, at):
        self.records = ((fd, at), *self.records)

    def begin(self):
        """Start anew in a process that was forked."""
        self.inner = thread.allocate_lock()
        self.owner = None
        self.depth = 0  # how often its owner has taken it, by take

    def take(self):
        if self.owner == thread.get_ident():
            self.depth += 1
            return
        self.inner.acquire()
        try:
            for fd, at in self.records:
                fcntl.lockf(fd, fcntl.LOCK_EX, 1, at)
            self.owner = thread.get_ident()
            self.depth = 1
        except BaseException:
            self._release()
            raise

    def leave(self):
        self.depth -= 1
        if self.depth <= 0:
            self.owner = None
            self._release()

    def _release(self):
        try:
            for fd, at in self.records:
                fcntl.lockf(fd, fcntl.LOCK_UN, 1, at)
        finally:
            self.inner.release()


def alone(do):
    """A method that only one owner of self.lock runs at a time.

    A signal handler or another thread may raise between any two steps. Python itself holds the
    inner lock here, so no lock stays behind.
    """

    def run(self, *args):
        lock = self.lock
        if lock.owner == thread.get_ident():
            # A signal handler or __del__ would wait for its own thread.
            raise RuntimeError(f"{do.__name__}: this thread is in the middle of another change")
        with lock.inner:
            try:
                lock.owner = thread.get_ident()
                for fd, at in lock.records:
                    fcntl.lockf(fd, fcntl.LOCK_EX, 1, at)
                return do(self, *args)
            finally:
                lock.owner = None
                for fd, at in lock.records:
                    fcntl.lockf(fd, fcntl.LOCK_UN, 1, at)

    return run


# A cache. Numbers of its head, each of eight bytes; those of cmd/internal/stores.
DIRTY, COUNT, FRESH, FREE, HEAD, TAIL, HITS, MISSES, FULL, CHANGED, HAND, BLOCK = range(8, 20)
# An item: expires, size, hits, first block, hash, previous and next of its slot, the same of
# all items by their use, number of bytes of the key. The key follows.
ITEM = "=QQQQIIIIIH"
FIELDS = 64
KEY = 52  # where in it the number of bytes of the key is
SWEEP = 8  # items that each set looks at for those that have expired
U64 = 1 << 64


class Cache:
    """A cache of uWSGI's kind: fixed numbers of items and blocks, keys of any bytes.

    An expired item is never returned, though it may keep its place for a while.
    """

    def __init__(self, name, fd, shape):
        self.name = name
        self.items, self.blocks, self.block, self.keys = shape["sizes"]
        self.bitmap, self.lru, self.keep, self.clears, self.quiet, self.initial = shape["ways"]
        table, self.free_at, self.items_at, self.map_at, self.data_at, size = shape["places"]
        self.each = FIELDS + (self.keys + 7) // 8 * 8
        self.most = self.block * self.blocks if self.bitmap else self.block
        self.mem = mmap.mmap(fd, size)
        view = memoryview(self.mem)
        self.head = view[:4096].cast("Q")
        self.table = view[table : self.free_at].cast("I")
        self.free = view[self.free_at : self.items_at].cast("I")
        self.lock = Lock(fd)
        self.told = 0

    def begin(self):
        self.lock.begin()

    # What the lock must be held for.

    def find(self, key):
        """Where the item of a key is, and its fields; (0, None) for none."""
        h, n = crc32(key), len(key)
        i = self.table[h % len(self.table)]
        for _ in range(self.items):
            if not i:
                break
            at = self.items_at + i * self.each
            item = unpack_from(ITEM, self.mem, at)
            if item[4] == h and item[9] == n:
                at += FIELDS
                if self.mem[at : at + n] == key:
                    return i, item
            i = item[6]
        return 0, None

    def live(self, key):
        """The same, without what has expired, in a cache that is whole."""
        if self.head[DIRTY]:
            self.mend()
        i, item = self.find(key)
        if i and item[0] and not self.keep and item[0] <= _now():
            self.drop(i, item)
            return 0, None
        return i, item

    def write(self, i, item):
        pack_into(ITEM, self.mem, self.items_at + i * self.each, *item)

    def link(self, i, at, value):
        """Set one of an item's links: 5 and 6 of its slot, 7 and 8 by use."""
        pack_into("=I", self.mem, self.items_at + i * self.each + 36 + 4 * (at - 5), value)

    def unlink(self, i, item):
        before, after = item[5], item[6]
        if before:
            self.link(before, 6, after)
        else:
            self.table[item[4] % len(self.table)] = after
        if after:
            self.link(after, 5, before)

    def unuse(self, i, item):
        before, after = item[7], item[8]
        if before:
            self.link(before, 8, after)
        else:
            self.head[HEAD] = after
        if after:
            self.link(after, 7, before)
        else:
            self.head[TAIL] = before

    def use(self, i):
        """Put an item to the end of those by use, and return its links there."""
        last = self.head[TAIL]
        if last:
            self.link(last, 8, i)
        else:
            self.head[HEAD] = i
        self.head[TAIL] = i
        return last, 0

    def drop(self, i, item):
        head = self.head
        was, head[DIRTY] = head[DIRTY], 1
        self.unlink(i, item)
        if self.lru:
            self.unuse(i, item)
        self.give(item)
        pack_into("=H", self.mem, self.items_at + i * self.each + KEY, 0)
        self.free[head[FREE]] = i
        head[FREE] += 1
        head[COUNT] -= 1
        head[CHANGED] = int(_now())
        head[DIRTY] = was

    def need(self, size):
        return (size + self.block - 1) // self.block

    def give(self, item):
        """Give the blocks of an item back."""
        if self.bitmap:
            at, n = self.map_at + item[3], self.need(item[1])
            self.mem[at : at + n] = bytes(n)

    def spare(self, item, first, size):
        """Give back what an item does not need any more, as it is in other blocks or smaller."""
        if first != item[3]:
            self.give(item)
            return
        n, before = self.need(size), self.need(item[1])
        at = self.map_at + first
        self.mem[at + n : at + before] = bytes(before - n)

    def get_blocks(self, size):
        """Take blocks that follow each other; -1 where there are none."""
        n, end = self.need(size), self.map_at + self.blocks
        at = self.mem.find(bytes(n), self.map_at + self.head[BLOCK], end)
        if at < 0:
            at = self.mem.find(bytes(n), self.map_at, end)
            if at < 0:
                return -1
        self.mem[at : at + n] = b"\x01" * n
        at -= self.map_at
        self.head[BLOCK] = at + n if at + n < self.blocks else 0
        return at

    def full(self):
        return not self.head[FREE] and self.head[FRESH] >= self.items

    def get_item(self):
        head = self.head
        if head[FREE]:
            head[FREE] -= 1
            return self.free[head[FREE]]
        head[FRESH] += 1
        return head[FRESH]

    def at(self, i):
        """An item that is there, by its number; None where it has gone."""
        item = unpack_from(ITEM, self.mem, self.items_at + i * self.each)
        return item if item[9] else None

    def sweep(self, n):
        """Drop what has expired of the next n items, and return how many."""
        if self.keep:
            return 0
        head, now, dropped = self.head, _now(), 0
        for _ in range(min(n, head[FRESH])):
            head[HAND] = head[HAND] % head[FRESH] + 1
            item = self.at(head[HAND])
            if item and item[0] and item[0] <= now:
                self.drop(head[HAND], item)
                dropped += 1
        return dropped

    def room(self):
        """Make room where there is none."""
        self.head[FULL] += 1
        if self.lru and self.head[HEAD]:
            i = self.head[HEAD]
            self.drop(i, self.at(i))
            return True
        if self.sweep(self.items):
            return True
        if not self.quiet and _monotonic() > self.told:
            self.told = _monotonic() + 1
            sys.__stderr__.write(f'*** DANGER cache "{self.name}" is FULL !!! ***\n')
        if self.clears:
            self.wipe()
            return True
        return False

    def wipe(self):
        head = self.head
        head[DIRTY] = 1
        for i in range(1, head[FRESH] + 1):
            pack_into("=H", self.mem, self.items_at + i * self.each + KEY, 0)
        self.mend()

    def mend(self):
        """Make everything anew of the items, as somebody has ended in the middle of a change."""
        head, mem = self.head, self.mem
        zeros = bytes(4 * len(self.table))
        start = self.free_at - len(zeros)
        mem[start : self.free_at] = zeros
        if self.bitmap:
            mem[self.map_at : self.map_at + self.blocks] = bytes(self.blocks)
        head[COUNT] = head[FREE] = head[HEAD] = head[TAIL] = head[BLOCK] = 0
        head[FRESH] = min(head[FRESH], self.items)
        for i in range(1, head[FRESH] + 1):
            at = self.items_at + i * self.each
            expires, size, hits, first, h, _, _, _, _, n = unpack_from(ITEM, mem, at)
            key = mem[at + FIELDS : at + FIELDS + n]
            good = 0 < n <= self.keys and 0 < size <= self.most and crc32(key) == h
            if good and self.bitmap:
                blocks = self.map_at + first
                end = blocks + self.need(size)
                good = first < self.blocks and end <= self.map_at + self.blocks
                good = good and not any(mem[blocks:end])
                if good:
                    mem[blocks:end] = b"\x01" * (end - blocks)
            elif good:
                good = first == i - 1
            if not good:
                pack_into("=H", mem, at + KEY, 0)
                self.free[head[FREE]] = i
                head[FREE] += 1
                continue
            slot = h % len(self.table)
            after = self.table[slot]
            if after:
                self.link(after, 5, i)
            self.table[slot] = i
            used = (0, 0)
            self.write(i, (expires, size, hits, first, h, 0, after, 0, 0, n))
            if self.lru:
                used = self.use(i)
                self.link(i, 7, used[0])
            head[COUNT] += 1
        head[CHANGED] = int(_now())
        head[DIRTY] = 0

    # What apps call.

    @alone
    def get(self, key):
        i, item = self.live(key)
        head = self.head
        if not i:
            head[MISSES] += 1
            return None
        head[HITS] += 1
        if self.lru and head[TAIL] != i:
            head[DIRTY] = 1
            self.unuse(i, item)
            used = self.use(i)
            self.link(i, 7, used[0])
            self.link(i, 8, used[1])
            head[DIRTY] = 0
        at = self.data_at + item[3] * self.block
        return self.mem[at : at + item[1]]

    @alone
    def exists(self, key):
        return True if self.live(key)[0] else None

    @alone
    def delete(self, key):
        i, item = self.live(key)
        if not i:
            return None
        self.drop(i, item)
        return True

    @alone
    def clear(self):
        self.wipe()
        return True

    @alone
    def list(self):
        if self.head[DIRTY]:
            self.mend()
        now, keys = _now(), []
        for i in range(1, self.head[FRESH] + 1):
            item = self.at(i)
            if item and not (item[0] and not self.keep and item[0] <= now):
                at = self.items_at + i * self.each + FIELDS
                keys.append(self.mem[at : at + item[9]])
        return keys

    def number(self, key):
        value = self.get(key)
        return unpack_from("=q", value)[0] if value and len(value) == 8 else 0

    @alone
    def set(self, key, value, expires, update):
        if not key or not value or len(key) > self.keys or len(value) > self.most:
            return None
        if self.head[DIRTY]:
            self.mend()
        self.sweep(SWEEP)
        i, item = self.live(key)
        if i and not update:
            return None
        until = int(_now()) + expires if expires else 0
        return self.put(key, i, item, value, until)

    def put(self, key, i, item, value, until):
        """Write an item, which is there if i is not 0."""
        head, size = self.head, len(value)
        while not i and self.full():
            if not self.room():
                return None
        head[DIRTY] = 1  # nobody has the blocks from here on
        first = i - 1
        if self.bitmap and (not i or self.need(item[1]) < self.need(size)):
            first = self.get_blocks(size)
            while first < 0:
                if not self.room():
                    head[DIRTY] = 0
                    return None
                head[DIRTY] = 1
                first = self.get_blocks(size)
                i, item = self.find(key)  # it may have made the room
        elif self.bitmap:
            first = item[3]
        new = not i
        if new:
            i = self.get_item()
            if not self.bitmap:
                first = i - 1
        at = self.items_at + i * self.each
        # Who ends in the middle leaves no key, and so no item.
        pack_into("=H", self.mem, at + KEY, 0)
        place = self.data_at + first * self.block
        self.mem[place : place + size] = value
        if new:
            h = crc32(key)
            slot = h % len(self.table)
            after = self.table[slot]
            if after:
                self.link(after, 5, i)
            self.table[slot] = i
            used = self.use(i) if self.lru else (0, 0)
            self.mem[at + FIELDS : at + FIELDS + len(key)] = key
            self.write(i, (until, size, 0, first, h, 0, after, *used, len(key)))
            head[COUNT] += 1
        else:
            if self.bitmap:
                self.spare(item, first, size)
            self.write(i, (until, size, item[2], first, *item[4:9], len(key)))
            if self.lru and head[TAIL] != i:
                self.unuse(i, item)
                used = self.use(i)
                self.link(i, 7, used[0])
                self.link(i, 8, used[1])
        head[CHANGED] = int(_now())
        head[DIRTY] = 0
        return True

    @alone
    def math(self, key, change, expires):
        """Change the number that a key has; one that is not there begins with the first."""
        if not key or len(key) > self.keys:
            return None
        i, item = self.live(key)
        value = self.initial
        until = int(_now()) + expires if expires else 0
        if i:
            at = self.data_at + item[3] * self.block
            value = unpack_from("=q", self.mem, at)[0] if item[1] >= 8 else 0
            until = item[0]
        value = (change(value) + (U64 >> 1)) % U64 - (U64 >> 1)
        return self.put(key, i, item, value.to_bytes(8, sys.byteorder, signed=True), until)


def quotient(a, b):
    """a / b as C has it: towards zero; and 0 for what cannot be divided, as uWSGI has it."""
    if b == 0:
        return 0
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


class Queue:
    """uWSGI's queue: a ring of blocks, in the form of its own file."""

    HEAD = 16  # the place of the next push, and of the next pull
    ITEM = 16  # size, and when it was pushed

    def __init__(self, fd, slots, block):
        self.slots, self.block = slots, block
        self.mem = mmap.mmap(fd, self.HEAD + slots * block)
        self.lock = Lock(fd)

    def begin(self):
        self.lock.begin()

    def at(self, slot):
        return self.HEAD + slot * self.block

    def read(self, slot):
        size = unpack_from("=Q", self.mem, self.at(slot))[0]
        if not size or size > self.block - self.ITEM:
            return None
        at = self.at(slot) + self.ITEM
        return self.mem[at : at + size]

    def take(self, slot, which, place):
        """Read a block, set a place of the head and empty the block."""
        value = self.read(slot)
        if value is not None:
            # First the place: an empty block there would stop all who come later.
            pack_into("=Q", self.mem, 8 * which, place)
            pack_into("=Q", self.mem, self.at(slot), 0)
        return value

    def write(self, slot, value):
        at = self.at(slot)
        pack_into("=Q", self.mem, at, 0)  # who ends in the middle leaves an empty block
        self.mem[at + self.ITEM : at + self.ITEM + len(value)] = value
        pack_into("=QQ", self.mem, at, len(value), int(_now()))

    def fits(self, value):
        return 0 < len(value) <= self.block - self.ITEM

    def slot(self, which):
        return unpack_from("=Q", self.mem, 8 * which)[0] % self.slots

    @alone
    def push(self, value):
        if not self.fits(value):
            return None
        slot = self.slot(0)
        self.write(slot, value)
        pack_into("=Q", self.mem, 0, (slot + 1) % self.slots)
        return True

    @alone
    def set(self, slot, value):
        if not 0 <= slot < self.slots or not self.fits(value):
            return None
        self.write(slot, value)
        return True

    @alone
    def get(self, slot):
        if not 0 <= slot < self.slots:
            return None
        return self.read(slot)

    @alone
    def pull(self):
        slot = self.slot(1)
        return self.take(slot, 1, (slot + 1) % self.slots)

    @alone
    def pop(self):
        slot = (self.slot(0) - 1) % self.slots
        return self.take(slot, 0, slot)

    @alone
    def last(self, count):
        slot = self.slot(0) - 1
        if not count:
            return self.read(slot % self.slots)
        return [self.read((slot - i) % self.slots) for i in range(min(count, self.slots))]


class Area:
    """A shared area: bytes, and whole numbers of the machine's own order in them."""

    def __init__(self, fd, size, offset):
        self.mem = mmap.mmap(fd, size, offset=offset)
        self.lock = Lock(fd)

    def begin(self):
        self.lock.begin()

    def place(self, at, size):
        if at < 0 or at + size > len(self.mem):
            raise ValueError(f"bytes {at} to {at + size} are not in the shared area")
        return at

    def read(self, at, size):
        self.place(at, max(size, 0))
        return self.mem[at : at + (size or len(self.mem) - at)]

    def write(self, at, value):
        self.place(at, len(value))
        self.mem[at : at + len(value)] = value

    def get(self, at, size):
        self.place(at, size)
        return int.from_bytes(self.mem[at : at + size], sys.byteorder, signed=True)

    def put(self, at, size, value):
        self.place(at, size)
        half = 1 << (8 * size - 1)
        value = (value + half) % (2 * half) - half
        self.mem[at : at + size] = value.to_bytes(size, sys.byteorder, signed=True)

    def add(self, at, size, change):
        if self.lock.owner == thread.get_ident():
            self.change(at, size, change)
        else:
            self.change_alone(at, size, change)

    def change(self, at, size, change):
        self.put(at, size, self.get(at, size) + change)

    change_alone = alone(change)

    def hold(self):
        self.lock.take()

    def leave(self):
        if self.lock.owner == thread.get_ident():
            self.lock.leave()
