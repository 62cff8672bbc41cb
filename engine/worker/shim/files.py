"""Request bodies in files, and wsgi.file_wrapper."""

from stat import S_ISREG

from .own import io, os

PIECE = 64 << 10  # bytes of a file that are read at once


class FileWrapper:
    """wsgi.file_wrapper: an iterable of the blocks of a file, from its position.

    A real file is never iterated: the server gets its descriptor.
    """

    def __init__(self, filelike, blksize=8192):
        self.filelike = filelike
        self.blksize = blksize if blksize > 0 else -1  # all at once, as in uWSGI
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        block = self.filelike.read(self.blksize)
        if block:
            return block
        raise StopIteration


def extent(filelike):
    """Return (descriptor, offset, size) of the rest of a regular file, else None.

    Only the exact types of open() count: another object with a fileno() may read other bytes
    than the descriptor gives, as gzip does. A file opened as text is sent as bytes, as in
    uWSGI.
    """
    if type(filelike).__module__ == "tempfile":
        filelike = getattr(filelike, "file", None)
    if type(filelike) is io.TextIOWrapper:
        if not filelike.seekable():
            return None
        filelike.seek(filelike.tell())  # gives back its read-ahead
        filelike = filelike.buffer
    if type(filelike) in (io.BufferedReader, io.BufferedRandom):
        if type(filelike.raw) is not io.FileIO:
            return None
    elif type(filelike) is not io.FileIO:
        return None
    if not filelike.readable() or not filelike.seekable():
        return None
    if filelike.writable():
        filelike.flush()
    fd = filelike.fileno()
    info = os.fstat(fd)
    if not S_ISREG(info.st_mode):
        return None
    offset = filelike.tell()
    return fd, offset, max(0, info.st_size - offset)


def rest(fd, offset, length):
    """Give the blocks of a file from offset on: length bytes, or all that can be read."""
    while length is None or length > 0:
        block = os.pread(fd, PIECE if length is None else min(PIECE, length), offset)
        if not block:
            return
        yield block
        offset += len(block)
        if length is not None:
            length -= len(block)
