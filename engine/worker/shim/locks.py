"""Locks that the workers of all generations share, by number.

Each is a record lock of the kernel, on a byte far behind the shared memory. It costs no round
trip, and ends with its owner. Such a lock belongs to a process, so a thread lock comes first.
"""

from .own import fcntl, thread

PAUSE = 0.002  # seconds between looks at a lock, for greenlets
BASE = 1 << 40  # where the bytes begin, behind the end of the file


class Locks:
    sleep = None  # how greenlets wait

    def __init__(self, fd, count):
        self.fd = fd
        self.threads = [thread.allocate_lock() for _ in range(count)]

    def begin(self):
        """Start anew in a process that was forked: it has none of its parent's locks."""
        self.threads = [thread.allocate_lock() for _ in self.threads]

    def lock(self, number):
        if self.sleep is not None:
            # All greenlets are one thread, and who has the lock may be another of them.
            while not self._try(number):
                self.sleep(PAUSE)
            return
        self.threads[number].acquire()
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_EX, 1, BASE + number)
        except BaseException:
            self.threads[number].release()
            raise

    def _try(self, number):
        """Take a lock if it is free. Return whether it was."""
        if not self.threads[number].acquire(False):
            return False
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, BASE + number)
        except BaseException as e:
            self.threads[number].release()
            if isinstance(e, (BlockingIOError, PermissionError)):
                return False
            raise
        return True

    def unlock(self, number):
        """Give a lock back. As in uWSGI another thread may do that, and it may be free."""
        if self.threads[number].locked():
            fcntl.lockf(self.fd, fcntl.LOCK_UN, 1, BASE + number)
            try:
                self.threads[number].release()
            except RuntimeError:
                pass  # another thread was faster

    def locked(self, number):
        if not self.threads[number].acquire(False):
            return True
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, BASE + number)
            fcntl.lockf(self.fd, fcntl.LOCK_UN, 1, BASE + number)
            return False
        except OSError:
            return True
        finally:
            self.threads[number].release()
