"""One request and its answer, by PEP 3333."""

import struct

from . import files, forked
from .forked import leave
from .head import Known, kind
from .own import os, thread
from .port import (
    ABORT,
    CANCELLED,
    END,
    FAILED,
    FILE,
    HEAD,
    PAGE,
    PLACED,
    RENEW,
    SMALL,
    WHOLE,
    frame_head,
)
from .trace import report, text_of

# The claim of an answered request that the app still works on.
FINISHING = 1 << 32

extent_head = struct.Struct("<QQ").pack

# For an answer that the worker is about to send whole.
BEGUN = "the answer has been begun by a write() that ran in between, or that was interrupted"

# uWSGI raises this in write() when the client has gone.
WRITE_ERROR = "write error"

known = Known()
recall = known.get
get_ident = thread.get_ident


class LengthError(Exception):
    """The body has another length than the Content-Length."""


class Exchange:
    """Made for each request by worker.Thread, which sets the attributes."""

    __slots__ = (
        "answer",  # its number among the streamed answers of the port, 0 before
        "claim",  # of the slot that has the request
        "done",  # the last frame has gone out
        "frame",  # the last one, once known: nothing else goes out after it
        "gone",  # the client has
        "head",  # the arguments of start_response, or None
        "method",
        "others",  # the other variables of the environ, with REQUEST_URI
        "port",  # None once the request has ended, so that an app cannot use what it keeps
        "result",  # the app's iterable, until it is closed
        "rid",
        "room",  # bytes that it may still stream
        "sending",  # a block goes out; stays true after an exception
        "sent",  # bytes of the body
        "started",  # the head has gone out
    )

    # What the app sees when its client goes: see write_errors.
    raises = True  # write() raises
    throws = False  # so does the suspended generator
    patient = False  # an iterable is read to its end

    # What happens when an app raises: see exceptions.
    tells = False  # its client gets the traceback
    renews = None  # a function that tells whether to replace the process

    def start_response(self, status, response_headers, exc_info=None):
        """The app's second argument."""
        if exc_info is not None or self.head is not None or self.port is None:
            self._restart(exc_info)
        head = None
        if type(response_headers) is list:
            headers = tuple(response_headers)
            try:
                head = recall((status, headers))
                if head is not None:
                    # A class of the app may claim to equal another answer's values.
                    for header in headers:
                        if type(header) is tuple:
                            name, value = header
                            if type(name) is str and type(value) is str:
                                continue
                        head = None
                        break
                    if type(status) is not str:
                        head = None
            except TypeError:
                pass  # a part of it cannot be hashed: remember raises the error
        self.head = head or known.remember(status, response_headers)
        return self.write

    def _restart(self, exc_info):
        try:
            if self.port is None:
                raise RuntimeError("start_response was called after the request had ended")
            if exc_info is None:
                raise RuntimeError("start_response was called again without exc_info")
            if self.started:
                raise exc_info[1].with_traceback(exc_info[2])
        finally:
            exc_info = None  # breaks the cycle with this frame

    def write(self, data):
        """The return value of start_response."""
        port = self.port
        if port is None:
            raise RuntimeError("write() was called after the request had ended")
        if get_ident() != port.thread:
            raise RuntimeError("write() was called in another thread than the request runs in")
        if type(data) is not bytes:
            data = exact(data, "write() takes")
        if not data:
            return
        if self.frame is None:
            self._block(data)
        elif not self.bodyless and not self.gone:
            raise self._too_long()
        if self.gone and self.raises:
            raise OSError(WRITE_ERROR)

    def run(self, result):
        """Send the app's iterable."""
        self.result = result
        try:
            if type(result) is list or type(result) is tuple:
                self._list(result)
            elif type(result) is files.FileWrapper and self._file(result):
                pass
            elif not hasattr(result, "__next__") and (block := content(result)) is not None:
                # As uWSGI does; iterating it would give numbers.
                self._list((block,))
            else:
                self._iterate(result)
            if self.frame is None:
                self._finish()
        except BaseException as e:
            self.fail(e)
        self.close()

    def close(self):
        """Close the app's iterable, once."""
        result, self.result = self.result, None
        try:
            if hasattr(result, "close"):
                result.close()
        except BaseException as e:
            self.fail(e)

    def fail(self, e):
        """Log an exception, and tell the server unless the answer is out."""
        if not forked.mark[0]:
            leave(e)
        meant = not self.gone or type(e) is not OSError or e.args != (WRITE_ERROR,)
        if meant:
            report(e, self._name())
        if self.frame is None:
            what, page = ABORT if self.started else FAILED, b""
            if self.tells and not self.started:
                page = self._page(e)
            if meant and self.renews is not None and self.renews(e):
                what |= RENEW
            self._last(len(page), what, page)
        self.port.once(self)

    def _page(self, e):
        """Return the traceback for the client, for catch-exceptions."""
        text = f'uWSGI exceptions catcher for "{self._name()}"\n\n{text_of(e)}'
        return text.encode("utf-8", "backslashreplace")[:PAGE]

    def settle(self, e):
        """End a request after an exception that is not the app's."""
        self.fail(e)
        if self.result is not None:
            self.close()

    def _name(self):
        """Name the request for the log. A client's text must not make lines of its own."""
        target = ascii(self.others.get("REQUEST_URI", "-"))[1:-1]
        return f"{self.method} {target[:1024]}"

    def _iterate(self, result):
        blocks = iter(result)
        for block in blocks:
            if type(block) is not bytes:
                block = exact(block, "the app's iterable must give")
            if not block:
                if self._left():
                    self._let_end(blocks)
                    break
                continue
            if self.frame is not None:
                # The previous block completed the answer, and it has gone out.
                raise self._too_long()
            self._block(block)
            if self.gone:
                self._let_end(blocks)
                break
            if self.frame is not None and self.bodyless:
                break
        if not forked.mark[0]:
            leave()

    def _let_end(self, blocks):
        """Read an iterable to its end although its client has gone, if configured."""
        if self.throws and hasattr(blocks, "throw"):
            try:
                blocks.throw(OSError(WRITE_ERROR))
            except StopIteration:
                return
        if self.patient:
            for _ in blocks:
                pass

    def _list(self, result):
        size = 0
        for block in result:
            if type(block) is not bytes:
                return self._list([exact(b, "the app's list must hold") for b in result])
            size += len(block)
        if self.started or self.head is None:
            return self._iterate(result)
        if self.head.length is None and not self.head.bodyless:
            self.head = self.head.with_length(size)
        self._room_for(size)
        self._finish_short(size)
        if size > SMALL or self.bodyless:
            return self._iterate(result)
        return self._whole(result[0] if len(result) == 1 else b"".join(result))

    def _file(self, wrapper):
        """Answer with the rest of a real file. Return False for other objects."""
        if self.started or self.head is None or self._left():
            return False
        extent = files.extent(wrapper.filelike)
        if extent is None:
            return False
        fd, offset, size = extent
        block = None
        if size <= SMALL:
            block = os.pread(fd, size + 1, offset)
            if len(block) != size:
                # The reported size is wrong: /proc says 0, /sys a page. Or the file grows.
                self._iterate(files.rest(fd, offset, self.head.length))
                return True
        if self.head.length is None:
            self.head = self.head.with_length(size)
        if self.bodyless:
            return True
        length = self.head.length
        if length > size:
            if self.head.elsewhere:
                return False
            raise LengthError(f"Content-Length is {length} but the file has {size} bytes left")
        if length <= SMALL:
            block = block[:length] if block is not None else os.pread(fd, length, offset)
            self._room_for(len(block))
            self._finish_short(len(block))
            self._whole(block)
            return True
        data = self.head.data
        payload = data + extent_head(offset, length)
        frame = frame_head(len(payload), self.rid, FILE | len(data)) + payload
        # First: any code that sends the frame, such as fail, must send the descriptor after it.
        self.port.offer(frame, fd)
        self._only(frame)
        self.gone = not self.port.give(self)
        self.claim[0] = FINISHING
        return True

    @property
    def bodyless(self):
        return self.method == "HEAD" or self.head.bodyless

    def _room_for(self, size):
        """Raise when size more bytes would exceed the declared length."""
        length = self.head.length
        if length is not None and self.sent + size > length and not self.bodyless:
            size += self.sent
            raise LengthError(f"Content-Length is {length} but the body has {size} bytes or more")

    def _finish_short(self, size):
        length = self.head.length
        if length is not None and size < length and not (self.bodyless or self.head.elsewhere):
            raise LengthError(f"Content-Length is {length} but the body has only {size} bytes")

    def _left(self):
        """Return whether the client has gone."""
        # After the last frame the slot belongs to another request.
        if self.frame is None and self.port.cancelled[self.rid & 0xFFFF] == CANCELLED:
            self.gone = True
        return self.gone

    def _too_long(self):
        if self.head is None or self.head.length is None:
            return RuntimeError("the body goes on after the answer has ended")
        return LengthError(f"the body goes on after its Content-Length {self.head.length}")

    def _block(self, block):
        """Send a block that is not empty; the head goes before the first."""
        if not forked.mark[0]:
            leave()
        if self.sending:
            raise RuntimeError("the body goes on within a block, or after one that was interrupted")
        if self.head is None:
            raise RuntimeError("the app sent a body before it called start_response")
        if self._left():
            return
        length = self.head.length
        if length is not None and self.sent + len(block) > length:
            self._room_for(len(block))
        self.sending = True
        self._send(block)
        self.sending = False

    def _send(self, block):
        if not self.started:
            head = self.head
            if head.bodyless or self.method == "HEAD":
                return self._end()
            if head.length == len(block):
                if len(block) <= SMALL:
                    return self._whole(block, within=True)
                if self._placed(block):
                    return None
            self.sent += len(block)
            block = self._start(block)
        else:
            self.sent += len(block)
        if block and not self.port.data(self, block):
            self.gone = True
        elif self.sent == self.head.length:
            self._last(0, END)

    def _start(self, block=b""):
        """Send the head with the beginning of the first block. Return the rest."""
        self.started = True
        data = self.head.data
        return self.port.open(self, frame_head(len(data), self.rid, HEAD | len(data)) + data, block)

    def _whole(self, body, within=False):
        data = self.head.data
        frame = frame_head(len(data) + len(body), self.rid, WHOLE | len(data)) + data + body
        self._only(frame, within)
        self.port.once(self)
        self.claim[0] = FINISHING

    def _placed(self, body):
        """Answer with a body in shared memory. Return False where there is no room for it."""
        places = self.port.places
        at = places.place(body) if places is not None else None
        if at is None:
            return False
        data = self.head.data
        payload = data + extent_head(at, len(body))
        self._only(frame_head(len(payload), self.rid, PLACED | len(data)) + payload, within=True)
        self.port.once(self)
        self.claim[0] = FINISHING
        return True

    def _only(self, frame, within=False):
        """Make a frame the whole answer.

        A profile function, or other code in between, may have begun the answer by a write().
        While sending is set none can. within says that it is set for a block in this frame. An
        existing frame stays.
        """
        was, self.sending = self.sending, True
        if self.started or self.frame is not None or (was and not within):
            self.sending = was
            raise RuntimeError(BEGUN)
        self.frame = frame
        self.started = True

    def _finish(self):
        """The iterable has ended: complete the answer."""
        if self.head is None:
            raise RuntimeError("the app has not called start_response")
        if self.sending:
            raise RuntimeError("the body ends after a block that was interrupted")
        self.sending = True  # a write() by a handler must not come between the next frames
        self._end()

    def _end(self):
        if not self.gone:
            self._finish_short(self.sent)
            if not self.started:
                if not (self.head.length and not self.head.elsewhere) and not self.bodyless:
                    return self._whole(b"", within=True)
                self._start()
        self._last(0, END)

    def _last(self, size, what, payload=b""):
        self.frame = frame_head(size, self.rid, what) + payload
        self.port.once(self)
        # After the frame: a request whose claim is cleared without an answer counts as never
        # begun, and would run again.
        self.claim[0] = FINISHING


def write_errors(silent, tolerant, only):
    """Set what apps see when clients go.

    silent is disable-write-exception, tolerant a write-errors-tolerance of 1 or more, and only
    is write-errors-exception-only.
    """
    Exchange.raises = not (silent or tolerant)
    Exchange.throws = only and not silent
    Exchange.patient = tolerant or only


def exceptions(tell, any_, types, values, reprs):
    """Set what happens when apps raise.

    tell is catch-exceptions, any_ reload-on-exception, the rest its kin with -type,
    -value and -repr.
    """
    Exchange.tells = tell
    if not (any_ or types or values or reprs):
        return

    def renews(e):
        if any_:
            return True
        name = type(e).__name__
        if name in types or f"{type(e).__module__}.{name}" in types:
            return True
        try:
            value = str(e)
        except BaseException:  # its __str__ is the app's code too
            return False
        return value in values or f"{name}: {value}" in reprs

    Exchange.renews = staticmethod(renews)


def content(block):
    """Return the bytes of a buffer (bytearray, array, mmap), None for other objects."""
    if issubclass(type(block), bytes):
        return bytes.__getitem__(block, ALL)
    try:
        return memoryview(block).tobytes()
    except TypeError:
        return None


ALL = slice(None)


def exact(block, where):
    """Return the bytes of a block that is not exactly bytes."""
    if (data := content(block)) is None:
        raise TypeError(f"{where} bytes, not {kind(block)}")
    return data
