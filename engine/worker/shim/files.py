"""Request bodies in files, and wsgi.file_wrapper."""

from stat import S_ISREG

from .own import io, os


class FileWrapper:
    """wsgi.file_wrapper: an iterable of the blocks of a file, from where it stands.

    Around a real file it never comes to iterating: the server gets the descriptor.
    """

    def __init__(self, filelike, blksize=8192):
        self.filelike = filelike
        self.blksize = blksize
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

    Only the exact types of open() count: what else has a fileno() may read other
    bytes than the descriptor would give, as gzip does.
    """
    if type(filelike).__module__ == "tempfile":
        filelike = getattr(filelike, "file", None)
    if type(filelike) in (io.BufferedReader, io.BufferedRandom):
        if type(filelike.raw) is not io.FileIO:
            return None
    elif type(filelike) is not io.FileIO:
        return None
    if not filelike.readable():
        return None
    if filelike.writable():
        filelike.flush()
    fd = filelike.fileno()
    info = os.fstat(fd)
    if not S_ISREG(info.st_mode):
        return None
    offset = filelike.tell()
    return fd, offset, max(0, info.st_size - offset)
