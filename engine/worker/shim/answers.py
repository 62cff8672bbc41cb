"""Memory in which the server finds the bodies of large answers; shared/answers.go has its side."""

from mmap import mmap
from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit

HEAD = (
    64  # bytes before the bodies: how far the server has read, and whether there is a second word
)


class Answers:
    """What one thread and one loop share. It belongs to the thread.

    Bodies lie one behind the other, and again from the begin on. Positions count the bytes
    since the process began. What is placed and never told of has its room until
    the next one has been read.
    """

    def __init__(self, memory):
        self.read = memory[:8].cast("Q")  # the server has read up to here
        self.room = memory[HEAD:]
        self.size = len(self.room)
        self.end = self.read[0]  # the end of the last placed answer
        self.start = 0  # all before this position has been read

    def place(self, block):
        """Copy a block there, and return its position, None where there is no room."""
        size, most, at = len(block), self.size, self.end
        read = max(self.read[0], self.start)
        if at == read:
            at += -at % most  # from the begin on, as that memory is warm
            read = self.start = at
        elif at % most + size > most:
            at += -at % most  # in one piece
        if at + size - read > most:
            return None
        start = at % most
        self.end = at + size  # first: after an exception the next answer must not overwrite it
        self.room[start : start + size] = block
        return at


def share(config, first, count):
    """Return the memory of so many streams, from that one on, counted over all processes.

    There is none for those whose memory a process may use that could not be ended.
    """
    each = config["answers_each"]
    # Leave a limited address space to the app.
    if not each or getrlimit(RLIMIT_AS)[0] != RLIM_INFINITY:
        return [None] * count
    try:
        memory = mmap(config["shared"], count * each, offset=config["answers_at"] + first * each)
    except (OSError, ValueError):
        return [None] * count
    whole = memoryview(memory)
    parts = [whole[i * each : (i + 1) * each] for i in range(count)]
    return [Answers(p) if not p[8] else None for p in parts]
