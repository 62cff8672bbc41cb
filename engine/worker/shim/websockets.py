"""WebSockets for apps: the uwsgi module's functions, and sockets for libraries.

The process makes a socket pair and passes one end to the server, as it passes files. From then
on the server copies bytes between that end and the client. So the app's end behaves like any
other socket. The frames follow RFC 6455.
"""

import struct
from _codecs import utf_8_decode
from binascii import b2a_base64

from .exchange import Exchange, extent_head
from .own import marshal, select, socket, suppress, time
from .port import END, TUNNEL, Once, frame_head
from .trace import report

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TAKEN = (1 << 32) + 1  # in a claim: the request is a WebSocket, so harakiri does not apply
PIECE = 16 << 10  # bytes to read and parse before other requests run
HEAD_MOST = 64 << 10  # largest head that a library may send, in bytes

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL, PROTOCOL, NO_TEXT, TOO_LARGE, FAILED = 1000, 1002, 1007, 1009, 1011
# A client may send these codes (RFC 6455 7.4 and the IANA registry), and 3000 to 4999.
CODES = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}

settings = {"max_size": 1 << 20, "ping_freq": 30, "pong_tolerance": 3}
opened = {}  # exchange -> its WebSocket or Raw, while the request runs


def wait(fd, what, seconds):
    """Wait until a descriptor is ready. Return whether it is. A hub replaces this function."""
    poll = select.poll()
    poll.register(fd, what)
    return bool(poll.poll(None if seconds is None else max(0, seconds) * 1000))


def pause():
    """Do nothing. A hub's function lets its other requests run."""


class Violation(Exception):
    """The client breaks the protocol. code is the one to close with."""

    def __init__(self, code, why):
        super().__init__(why)
        self.code = code


class Taken(Exchange):
    """An exchange whose connection the app has taken over."""

    __slots__ = ()

    def start_response(self, status, response_headers, exc_info=None):
        return self.write

    def write(self, data):
        """Discard what the app writes."""

    def run(self, result):
        self.result = result
        self.close()
        if self.frame is None:
            self._over(NORMAL)

    def fail(self, e):
        found = opened.get(self)
        # uwsgi.websocket_recv raises OSError when the client has closed. Some libraries raise
        # these when they are done, as they have no other way to end.
        meant = isinstance(e, (OSError, StopIteration)) and (found is None or found.closed)
        if not meant:
            report(e, self._name())
        self._over(FAILED)

    def _over(self, code):
        found = opened.pop(self, None)
        if found is not None:
            found.end(code)
        if self.frame is None:
            self._last(0, END)
        else:
            self.port.once(self)


def take_over(exchange, status, headers, theirs):
    """Send a response head, and pass the server a socket for the bytes that follow."""
    if exchange.started or exchange.frame is not None or exchange.head is not None:
        raise OSError("the answer to this request has been begun")
    data = marshal.dumps((status, headers), 2)
    payload = data + extent_head(0, 0)
    frame = frame_head(len(payload), exchange.rid, TUNNEL | len(data)) + payload
    port = exchange.port
    port.offer(frame, theirs.fileno())
    exchange.started = True
    exchange.__class__ = Taken
    there = port.give(Once(port, frame))
    theirs.close()
    exchange.claim[0] = TAKEN
    if not there:
        raise ConnectionResetError("the client has gone")


def accept_of(key):
    """Return the Sec-WebSocket-Accept value for a key (RFC 6455 4.2.2)."""
    from hashlib import sha1

    return b2a_base64(sha1(key + GUID).digest(), newline=False).decode()


def masked(data, mask):
    """Return data with its mask removed."""
    size = len(data)
    if not size:
        return b""
    pad = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(pad, "little")).to_bytes(size, "little")


def framed(opcode, data):
    size = len(data)
    if size < 126:
        return bytes((0x80 | opcode, size)) + data
    if size < 1 << 16:
        return struct.pack(">BBH", 0x80 | opcode, 126, size) + data
    return struct.pack(">BBQ", 0x80 | opcode, 127, size) + data


class Reader:
    """Parses a client's bytes into messages, strictly."""

    def __init__(self, most):
        self.most = most  # largest message, in bytes
        self.buffer = bytearray()
        self.kind = None  # opcode of the current message, None between messages
        self.message = bytearray()  # its earlier frames
        self.rest = b""  # in a text, the first bytes of an incomplete character

    def feed(self, data):
        self.buffer += data

    def next(self):
        """Return (opcode, data) of a message or control frame, or None if bytes are missing."""
        while True:
            found = self._frame()
            if found is None:
                return None
            final, opcode, data = found
            if opcode >= CLOSE:
                return opcode, data
            if opcode != CONTINUATION:
                if self.kind is not None:
                    raise Violation(PROTOCOL, "a message begins within another")
                self.kind = opcode
            elif self.kind is None:
                raise Violation(PROTOCOL, "a message goes on that has not begun")
            if self.kind == TEXT:
                self._text(data, final)
            if final:
                kind, self.kind = self.kind, None
                if self.message:
                    data = bytes(self.message + data)
                    self.message = bytearray()
                return kind, data
            self.message += data

    def _text(self, data, final):
        data = self.rest + data
        try:
            used = utf_8_decode(data, "strict", final)[1]
        except UnicodeDecodeError:
            raise Violation(NO_TEXT, "a text is not UTF-8") from None
        self.rest = data[used:]

    def _frame(self):
        buffer = self.buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        opcode, size, at = first & 0x0F, second & 0x7F, 2
        if first & 0x70:
            raise Violation(PROTOCOL, "reserved bits are set")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise Violation(PROTOCOL, f"opcode {opcode} is reserved")
        if not second & 0x80:
            raise Violation(PROTOCOL, "a frame is not masked")
        if opcode >= CLOSE and (size > 125 or not first & 0x80):
            raise Violation(PROTOCOL, "a control frame is too long, or in pieces")
        if size == 126:
            if len(buffer) < 4:
                return None
            size, at = int.from_bytes(buffer[2:4], "big"), 4
            if size < 126:
                raise Violation(PROTOCOL, "a length is longer than it needs to be")
        elif size == 127:
            if len(buffer) < 10:
                return None
            size, at = int.from_bytes(buffer[2:10], "big"), 10
            if size < 1 << 16 or size >> 63:
                raise Violation(PROTOCOL, "a length is longer than it needs to be")
        if opcode < CLOSE and len(self.message) + size > self.most:
            raise Violation(TOO_LARGE, f"a message is larger than {self.most} bytes")
        end = at + 4 + size
        if len(buffer) < end:
            return None
        data = masked(bytes(buffer[at + 4 : end]), bytes(buffer[at : at + 4]))
        del buffer[:end]
        return first >> 7, opcode, data


def closing(data):
    """Return the code to answer a Close frame with, or None if the frame has none."""
    if not data:
        return None
    if len(data) == 1:
        raise Violation(PROTOCOL, "a Close frame has half a code")
    code = int.from_bytes(data[:2], "big")
    if code not in CODES and not 3000 <= code <= 4999:
        raise Violation(PROTOCOL, f"nobody may close with {code}")
    try:
        utf_8_decode(data[2:], "strict", True)
    except UnicodeDecodeError:
        raise Violation(NO_TEXT, "the reason of a Close frame is not UTF-8") from None
    return code


class WebSocket:
    """The WebSocket behind the uwsgi.websocket_* functions."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.sock, self.theirs = socket.socketpair()
        self.sock.setblocking(False)
        self.reader = Reader(settings["max_size"])
        self.closed = False
        self.waited = False  # since the last bytes came
        self.pinged = self.ponged = 0  # times of the monotonic clock
        self.watched = {}  # set by wait_fd_*: descriptor -> (events, until)
        self.ready = -1

    def handshake(self, key, origin, protocol):
        others = self.exchange.others
        key = key or others.get("HTTP_SEC_WEBSOCKET_KEY", "").encode("latin-1")
        if not key or self.theirs is None:
            raise OSError("unable to complete websocket handshake")
        headers = [("Upgrade", "websocket"), ("Sec-WebSocket-Accept", accept_of(key))]
        origin = origin.decode("latin-1") or others.get("HTTP_ORIGIN", "*")
        headers.append(("Sec-WebSocket-Origin", origin))
        # uWSGI echoes the whole offer. RFC 6455 lets a server choose one protocol only.
        offered = others.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "").split(",")[0].strip()
        protocol = protocol.decode("latin-1") or offered
        if protocol:
            headers.append(("Sec-WebSocket-Protocol", protocol))
        theirs, self.theirs = self.theirs, None
        take_over(self.exchange, "101 Switching Protocols", headers, theirs)
        self.ponged = time.monotonic()

    def receive(self, block):
        """Return the next message, or b"" if block is False and none is there."""
        what = "unable to receive websocket message"
        if self.closed or self.theirs is not None:
            raise OSError(what)
        try:
            while True:
                while (found := self.reader.next()) is not None:
                    opcode, data = found
                    if opcode in (TEXT, BINARY):
                        return data
                    if opcode == PING:
                        self._put(framed(PONG, data))
                    elif opcode == PONG:
                        self.ponged = time.monotonic()
                    else:
                        self.end(closing(data))
                        raise OSError(what)
                try:
                    data = self.sock.recv(PIECE)
                except BlockingIOError:
                    if not block:
                        self._alive()
                        return b""
                    if not wait(self.sock.fileno(), select.POLLIN, settings["ping_freq"]):
                        self._alive()
                    self.waited = True
                    continue
                if not data:
                    raise OSError(what)
                self.reader.feed(data)
                if not self.waited:  # a busy client must not starve other requests
                    pause()
                self.waited = False
        except Violation as e:
            report(e)
            self.end(e.code)
            raise OSError(what) from e
        except OSError:
            self.end()
            raise

    def _alive(self):
        """Ping the client as often as the options say. Raise OSError if no pong comes in time."""
        now = time.monotonic()
        if self.pinged and self.ponged < self.pinged:
            if now - self.pinged > settings["pong_tolerance"]:
                raise OSError("no PONG received in time")
        elif not self.pinged or now - self.pinged >= settings["ping_freq"]:
            self.pinged = now
            self._put(framed(PING, b""))

    def send(self, opcode, data):
        if self.closed or self.theirs is not None:
            raise OSError("unable to send websocket message")
        try:
            self._put(framed(opcode, data))
        except OSError:
            self.end()
            raise

    def _put(self, data):
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                wait(self.sock.fileno(), select.POLLOUT, None)

    def end(self, code=-1):
        """Close it. For None the Close frame has no code; for -1 there is no Close frame."""
        if self.closed:
            return
        self.closed = True
        if self.theirs is None and code != -1:
            data = code.to_bytes(2, "big") if code else b""
            with suppress(OSError):
                self._put(framed(CLOSE, data))
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        if self.theirs is not None:
            self.theirs.close()
            self.theirs = None
        self.sock.close()

    def watch(self, fd, what, seconds):
        """Add a descriptor that suspend waits for."""
        until = time.monotonic() + seconds if seconds > 0 else None
        self.watched[fd] = (what, until)

    def suspend(self):
        """Wait until one of the descriptors is ready, or the first timeout ends."""
        watched, self.watched, self.ready = self.watched, {}, -1
        if self.reader.buffer and self.sock.fileno() in watched:
            self.ready = self.sock.fileno()  # a message may be there already
            return
        times = [until for _, until in watched.values() if until is not None]
        left = max(0, min(times) - time.monotonic()) if times else None
        if watched:
            self.ready = wait_any([(fd, what) for fd, (what, _) in watched.items()], left)


def wait_any(watched, seconds):
    """Return the first ready descriptor of (descriptor, events) pairs, or -1 for none."""
    poll = select.poll()
    for fd, what in watched:
        poll.register(fd, what)
    found = poll.poll(None if seconds is None else seconds * 1000)
    return found[0][0] if found else -1


def of(exchange):
    """Return the WebSocket of a request. Make one if there is none."""
    found = opened.get(exchange)
    if type(found) is not WebSocket:
        found = opened[exchange] = WebSocket(exchange)
    return found


def forget(exchange):
    """Close what a finished request has opened."""
    found = opened.pop(exchange, None)
    if found is not None:
        found.end(-1)


class Raw:
    """environ["werkzeug.socket"], for libraries that answer the handshake themselves.

    The first bytes that they write are a response head. The server gets it as the answer once it
    is complete. After a status of 101 this object is the app's end of a socket pair.
    """

    def __init__(self, exchange):
        self._exchange = exchange
        self._head = b""
        self._sock = None

    def send(self, data, *args):
        if self._sock is not None:
            # sendall: simple-websocket ignores the count, and gevent's sockets may send less.
            self._sock.sendall(data, *args)
            return len(data)
        self._head += bytes(data)
        if len(self._head) > HEAD_MOST:
            raise OSError("the head of the answer is too large")
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if end:
            self._begin(head.decode("latin-1"), rest)
        return len(data)

    def sendall(self, data, *args):
        if self._sock is not None:
            self._sock.sendall(data, *args)
        else:
            self.send(data)

    def _begin(self, head, rest):
        first, *lines = head.split("\r\n")
        status = first.partition(" ")[2].strip()
        headers = [(n.strip(), v.strip()) for n, _, v in (line.partition(":") for line in lines)]
        exchange = self._exchange
        if status[:3] != "101":
            kept = ("connection", "transfer-encoding")
            exchange.start_response(
                status + " Refused" if len(status) == 3 else status,
                [(n, v) for n, v in headers if n.lower() not in kept],
            )(rest or b"\n")
            return
        import socket as library

        ours, theirs = socket.socketpair()
        take_over(exchange, status, headers, theirs)
        opened[exchange] = self
        self._sock = library.socket(fileno=ours.detach())
        if rest:
            self._sock.sendall(rest)

    closed = True  # the library knows the state: what it raises at the end is no error

    def end(self, code=-1):
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def fileno(self):
        return self._sock.fileno() if self._sock is not None else -1

    def recv(self, *args):
        sock = self._real()
        pause()  # before recv: a timeout raised here must not lose received bytes
        return sock.recv(*args)

    def __getattr__(self, name):
        return getattr(self._real(), name)

    def _real(self):
        if self._sock is None:
            raise OSError("the handshake has not been answered yet")
        return self._sock


def offer(environ, exchange):
    """Put a socket into the environ of a WebSocket handshake."""
    if environ.get("HTTP_UPGRADE", "").lower() == "websocket":
        environ["werkzeug.socket"] = Raw(exchange)


def begin(config):
    most, settings["ping_freq"], settings["pong_tolerance"] = config["websockets"]
    settings["max_size"] = most << 10
