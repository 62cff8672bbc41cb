"""A thread's stream to one of the server's event loops.

To the server go frames: a head of three little-endian uint32, then the payload.

    payload length | request id | kind << 24 | length of the marshalled head

To the thread come pairs of uint32 (tag, n): credit for the streamed answer
whose number is the tag, or one of the tags below.
"""

import struct
from array import array

from . import files
from .own import socket

# Kinds of frames. HEAD, WHOLE and FILE begin with a marshalled (status, headers).
WHOLE = 0  # the head and the whole body
HEAD = 1 << 24  # the head of a streamed answer
DATA = 2 << 24  # a piece of its body
END = 3 << 24  # its end
ABORT = 4 << 24  # the app failed after the head had gone out
FAILED = 5 << 24  # the app failed before
FILE = 6 << 24  # head, then offset and length in a file; the descriptor follows when asked for
NEED_BODY = 7 << 24  # the request's body is in a file: send its descriptor
DROPPED = 8 << 24  # the request was cancelled before it ran
RETURNED = 9 << 24  # the request as it came: this process is to finish, another may have it

# Tags of what comes from the server; all others are numbers of streamed answers.
DESCRIPTOR = 0  # n = 1: a descriptor comes with it, or may be sent; 0: the client has gone
REQUEST = 0xFFFFFFFF  # stream mode: a request of n bytes follows
QUIT = 0xFFFFFFFE  # stream mode: finish

# What the byte of a slot may be besides 0: do not run its request.
CANCELLED = 1  # nor go on with it: its client has gone
LATE = 2  # it has waited for too long

GONE = 0xFFFFFFFF  # as n of a credit: the client has gone

WINDOW = 1 << 20  # bytes that a streamed answer may be ahead of its client
SMALL = 64 << 10  # from this size on, a copy costs more than a system call

frame_head = struct.Struct("<III").pack
credit = struct.Struct("<II")
CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Port:
    """Belongs to one thread; one request at a time is answered on it."""

    def __init__(self, fd, cancelled, claim):
        self.sock = socket.socket(fileno=fd)
        self.sock.setblocking(True)
        self.send = self.sock.sendall
        self.cancelled = cancelled  # one byte for each slot of the loop; not 0: do not run it
        self.claim = claim  # [id, when it was taken, finish, thread, id whose app was called]
        self.quit = False
        self.answer = 0  # number of streamed answers so far
        self.room = 0  # bytes that the present one may still send

    def open(self):
        """Begin a streamed answer."""
        # Credit comes once a quarter of the window has left, and a pair of its own to
        # whatever answer has lost its client.
        if self.room <= WINDOW * 3 // 4 or self.answer % 16 == 0:
            self._discard()
        self.answer = self.answer % 0xFFFFFFF0 + 1
        self.room = WINDOW

    def data(self, rid, block):
        """Send a piece of a streamed body. Return False when the client has gone."""
        size = len(block)
        if size <= self.room and size <= SMALL:
            self.room -= size
            self.send(frame_head(size, rid, DATA) + block)
            return True
        view = memoryview(block)
        while size:
            if self.room <= 0 and not self._wait():
                return False
            piece = view[: self.room]
            self._gather(frame_head(len(piece), rid, DATA), piece)
            self.room -= len(piece)
            size -= len(piece)
            view = view[len(piece) :]
        return True

    def _gather(self, head, block):
        sent = self.sock.sendmsg([head, block])
        if sent < len(head):
            self.send(head[sent:])
            sent = len(head)
        if sent < len(head) + len(block):
            self.send(block[sent - len(head) :])

    def _wait(self):
        """Wait for credit. Return False when the client has gone."""
        while self.room <= 0:
            n = self.read(self.answer)
            if n == GONE:
                return False
            self.room += n
        return True

    def read(self, want):
        """Return the n of the next pair with the tag wanted; others are of earlier answers."""
        while True:
            data = self.sock.recv(credit.size, socket.MSG_WAITALL)
            if len(data) < credit.size:
                raise ConnectionResetError("the server has gone")
            tag, n = credit.unpack(data)
            if tag == want:
                return n
            if tag == QUIT:
                self.quit = True

    def _discard(self):
        """Throw away credit that came too late, so that it never fills the stream."""
        try:
            while len(data := self.sock.recv(8192, socket.MSG_DONTWAIT)) > 0:
                for tag, _ in credit.iter_unpack(data):
                    self.quit |= tag == QUIT
        except BlockingIOError:
            pass

    def take_body(self, rid):
        """Ask for the file with the request's body. Return None when the client has gone."""
        self.send(frame_head(0, rid, NEED_BODY))
        while True:
            fds = array("i")
            space = socket.CMSG_SPACE(fds.itemsize)
            data, ancillary, _, _ = self.sock.recvmsg(credit.size, space, CLOEXEC)
            if len(data) < credit.size:
                raise ConnectionResetError("the server has gone")
            tag, n = credit.unpack(data)
            if tag == QUIT:
                self.quit = True
            if tag != DESCRIPTOR:
                continue
            for _, _, content in ancillary:
                fds.frombytes(content[: fds.itemsize])
            return files.spooled(fds[0]) if n and fds else None

    def may_give_descriptor(self):
        """Wait until the server is ready for one. Return False when the client has gone."""
        return self.read(DESCRIPTOR) != 0

    def give_descriptor(self, fd):
        rights = array("i", [fd])
        self.sock.sendmsg([b"f"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
