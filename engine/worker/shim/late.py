"""A request body of which nothing had arrived when the app was called.

Front servers announce bodies that they never send. So the app runs without the body. A read
waits until the server sends the whole body as a file, or says that the body will not come.
"""

from array import array
from collections import deque

from .own import io, socket, suppress, thread

READS = b"r"  # tells the server that the app reads
CAME = b"f"  # the descriptor of the body is attached
TIMEOUT = b"t"  # the client was too slow; any other byte: it broke off

CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
RIGHTS = socket.CMSG_SPACE(array("i").itemsize)


class LateBody(io._BufferedIOBase):
    """wsgi.input. Only methods that need the body wait for it."""

    wait = None  # a hub's function that waits until a descriptor is readable

    def __init__(self, fd):
        self._sock = socket.socket(fileno=fd)
        self._sock.setblocking(True)
        self._letters = deque()  # filled by C code, so that no exception loses a message
        self._lock = thread.RLock()  # any thread of the app may read
        self._file = None
        self._asked = False

    def _body(self, what):
        """Wait for the file that holds the body, and return it."""
        if self._file is not None:
            return self._file
        if self.closed:
            raise ValueError("I/O operation on closed file")
        with self._lock:
            if self._file is not None:
                return self._file
            if not self._asked:
                self._asked = True
                with suppress(OSError):
                    self._sock.send(READS)
            letters = self._letters
            while not letters:
                if self.wait is not None:
                    self.wait(self._sock.fileno())
                    if letters:
                        break  # another greenlet was faster
                letters.extend(map(self._sock.recvmsg, (1,), (RIGHTS,), (CLOEXEC,)))
            said, ancillary, _, _ = letters[0]
            fds = array("i")
            for _, _, content in ancillary:
                fds.frombytes(content[: fds.itemsize])
            if fds:
                body = io.open(fds[0], "rb", 64 << 10)
                body.seek(0)  # the descriptor shares its position with the server's
                self._file = body
                return body
        # uWSGI's words.
        if said == TIMEOUT:
            raise OSError(f"timeout during {what} on wsgi.input")
        if said == CAME:
            raise OSError(f"error during {what} on wsgi.input: no descriptor is left for it")
        raise OSError(f"error during {what} on wsgi.input")

    def readable(self):
        return True

    def seekable(self):
        return True

    def read(self, size=-1):
        return self._body(f"read({size})").read(size)

    def read1(self, size=-1):
        return self._body(f"read1({size})").read1(size)

    def readinto(self, buffer):
        return self._body("readinto()").readinto(buffer)

    def readinto1(self, buffer):
        return self._body("readinto1()").readinto1(buffer)

    def readline(self, size=-1):
        return self._body(f"readline({size})").readline(size)

    def readlines(self, hint=-1):
        return self._body(f"readlines({hint})").readlines(hint)

    def __next__(self):
        return next(self._body("readline()"))

    def peek(self, size=0):
        return self._body(f"peek({size})").peek(size)

    def seek(self, offset, whence=0):
        return self._body("seek()").seek(offset, whence)

    def tell(self):
        return 0 if self._file is None else self._file.tell()

    def fileno(self):
        return self._body("fileno()").fileno()

    def close(self):
        """Release the body. A reader in another thread gets an OSError."""
        if self.closed:
            return
        super().close()
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        if self._file is not None:
            self._file.close()
