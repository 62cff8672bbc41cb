"""Spooler tasks as files, in uWSGI's format and under uWSGI's names.

A task is a file in a spool directory: a uwsgi packet of modifier 17, then the body. The packet's
variables have less than 64 KiB together. A task with a priority lies in a folder of that number.
The process that runs a task holds a POSIX lock on its file. uWSGI does the same, so it may work
in the same directory. A task waits if the modification time of its file is in the future.
"""

from itertools import count

from .own import fcntl, os, suppress, time
from .trace import say

PREFIX = "uwsgi_spoolfile_on_"
UNFINISHED = ".unfinished_"  # before the name of a file that is being written
DAMAGED = "damaged_"  # before the name of a file that is not a task
MODIFIER = 17
HEAD = 4  # bytes before the variables
MOST_VARIABLES = 0xFFFF  # bytes; the head counts them in two bytes
MOST_BODY = 1 << 30  # bytes
PATIENCE = 60  # seconds that a file may be empty: uWSGI creates it before it writes
ABANDONED = 3600  # seconds after which an unfinished file is abandoned

_written = count(1)


def packed(variables):
    """Return a packet of variables, which are (key, value) pairs of bytes."""
    parts = []
    for key, value in variables:
        if not key:
            raise ValueError("unable to spool job: a variable needs a name")
        for part in (key, value):
            parts += (min(len(part), MOST_VARIABLES).to_bytes(2, "little"), part)
    data = b"".join(parts)
    if len(data) > MOST_VARIABLES:
        raise ValueError(
            f"unable to spool job: its variables have {len(data)} bytes, and may have "
            f"{MOST_VARIABLES} together: use 'body' for bigger values"
        )
    return bytes((MODIFIER,)) + len(data).to_bytes(2, "little") + b"\0" + data


def unpacked(data):
    """Return the variables of a packet without its head, or None if it is damaged."""
    found, at, end = {}, 0, len(data)
    while at < end:
        pair = []
        for least in (1, 0):  # a key is not empty
            size = int.from_bytes(data[at : at + 2], "little")
            if at + 2 + size > end or size < least:
                return None
            pair.append(data[at + 2 : at + 2 + size])
            at += 2 + size
        found[pair[0]] = pair[1]
    return found


def write(directory, host, packet, body=b"", priority="", at=0, sync=True):
    """Put a task into a directory. Return its path; if sync is true, only once it is on disk.

    The file gets its name when it is complete, so nobody sees a part of it. at is when the task
    is due, in seconds since the epoch; 0 is now.
    """
    if len(body) > MOST_BODY:
        raise ValueError(
            f"unable to spool job: its body has {len(body)} bytes, and may have {MOST_BODY}"
        )
    folder = directory
    if priority:
        folder = os.path.join(directory, priority)
        with suppress(FileExistsError):
            os.mkdir(folder, 0o777)
            if sync:
                _sync(directory)
    chance = int.from_bytes(os.urandom(4), "little") >> 1
    now = time.time_ns() // 1000
    name = f"{PREFIX}{host}_{os.getpid()}_{next(_written)}_{chance}_{now // 10**6}_{now % 10**6}"
    path, draft = os.path.join(folder, name), os.path.join(folder, UNFINISHED + name)
    fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        for data in (packet, body):
            data = memoryview(data).cast("B")
            while data:
                data = data[os.write(fd, data) :]
        if at:
            os.utime(fd, (at, at))
        if sync:
            os.fsync(fd)
        os.rename(draft, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise
    finally:
        os.close(fd)
    if sync:
        _sync(folder)
    return path


def _sync(folder):
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def natural(name):
    """Return a sort key that orders names as versions: a10 comes after a9."""
    import re  # takes half a megabyte, and only spoolers need it

    parts = re.split("([0-9]+)", name)
    parts[1::2] = map(int, parts[1::2])
    return parts


def due(directory, ordered, later, most):
    """Return (folder, name) of at most `most` due tasks, and when the next one is due.

    Tasks with a priority come first, the lowest number before others. If ordered is true, the
    tasks of a folder are sorted by name; otherwise they come as the system lists them. later
    maps paths to the time of the next look at them.
    """
    look = _Look(ordered, later, most)
    tasks, folders = look.into(directory)
    found = []
    for folder in sorted(folders, key=int):
        if len(found) >= most:
            break
        with suppress(OSError):  # removed just now
            found += look.into(os.path.join(directory, folder))[0]
    return (found + tasks)[:most], look.next


class _Look:
    def __init__(self, ordered, later, most):
        self.ordered, self.later, self.most = ordered, later, most
        self.now = time.time()
        self.next = None

    def into(self, folder):
        """Return the due tasks of a folder, and the names of its priority folders."""
        names, folders = [], []
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                number = name.isascii() and name.isdigit()
                if not name.startswith(PREFIX) and not number:
                    continue
                try:
                    if number and entry.is_dir(follow_symlinks=False):
                        folders.append(name)
                        continue
                    if (number and not self.ordered) or not entry.is_file(follow_symlinks=False):
                        continue
                    at = entry.stat(follow_symlinks=False).st_mtime
                except OSError:
                    continue  # done meanwhile
                at = max(at, self.later.get(os.path.join(folder, name), 0))
                if at > self.now:
                    self.next = min(self.next or at, at)
                    continue
                names.append(name)
                if self.ordered:
                    if len(names) >= 2 * self.most:
                        names.sort(key=natural)
                        del names[self.most :]
                elif len(names) >= self.most:
                    break
        if self.ordered:
            names.sort(key=natural)
        return [(folder, name) for name in names[: self.most]], folders


def tidy(directory):
    """Remove unfinished files of processes that were killed long ago."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.name.startswith(UNFINISHED + PREFIX):
                    if time.time() - entry.stat(follow_symlinks=False).st_ctime > ABANDONED:
                        os.unlink(entry.path)
                elif entry.name.isascii() and entry.name.isdigit() and entry.is_dir():
                    tidy(entry.path)


class Damaged(Exception):
    """A file is not a task. The message says why."""


class Task:
    """A task that this process holds until close."""

    def __init__(self, folder, name, fd, variables, body):
        self.folder, self.name, self.fd = folder, name, fd
        self.path = os.path.join(folder, name)
        self.variables, self.body = variables, body

    def done(self):
        os.unlink(self.path)

    def delay(self, until):
        """Let nobody run it before a time, in seconds since the epoch."""
        with suppress(OSError):
            os.utime(self.fd, (until, until))

    def as_dict(self, name):
        """Return the dict that the app's function gets."""
        found = {"spooler_task_name": name, **self.variables}
        if self.body:
            found["body"] = self.body
        return found

    def close(self):
        os.close(self.fd)


def take(folder, name):
    """Lock a task and read it. Return None if another process has it, or it is not a task.

    A file that can never be a task gets another name, and a log line says so. OSError means that
    the file cannot be used.
    """
    path = os.path.join(folder, name)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    task = None
    try:
        task = _read(fd, folder, name)
    except Damaged as e:
        with suppress(FileNotFoundError):
            os.rename(path, os.path.join(folder, DAMAGED + name))
        say(f"[spooler {folder}] {name} is no task: {e}: it is called {DAMAGED}{name} now\n")
    finally:
        if task is None:
            os.close(fd)
    return task


def peek(path):
    """Return a task without locking it, or None if there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _content(fd, *os.path.split(path))
    except (OSError, Damaged):
        return None
    finally:
        os.close(fd)


def _read(fd, folder, name):
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = os.stat(os.path.join(folder, name), follow_symlinks=False)
    except OSError:
        return None  # another process runs it, or has finished it
    mine = os.fstat(fd)
    if (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
        return None
    if mine.st_size < HEAD and time.time() - mine.st_ctime < PATIENCE:
        return None
    return _content(fd, folder, name)


def _content(fd, folder, name):
    size = os.fstat(fd).st_size
    if size < HEAD:
        raise Damaged(f"it has {size} bytes")
    length = int.from_bytes(_bytes(fd, HEAD)[1:3], "little")
    if size < HEAD + length:
        raise Damaged(f"it has {size} bytes of {HEAD + length} and more")
    if size > HEAD + length + MOST_BODY:
        raise Damaged(f"its body has more than {MOST_BODY} bytes")
    variables = unpacked(_bytes(fd, length))
    if variables is None:
        raise Damaged("its variables are cut off")
    return Task(folder, name, fd, variables, _bytes(fd, size - HEAD - length))


def _bytes(fd, size):
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise Damaged("it has become shorter")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
