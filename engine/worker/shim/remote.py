"""RPC to other servers: what uwsgi.rpc("host:port", name, …) sends and reads.

A call is a uwsgi packet with modifier 173 that has the name and the arguments, each after its
size. The answer is a packet, too. One of more than 64 KiB has modifier2 5 and says its size in
CONTENT_LENGTH, and the bytes follow.
"""

from . import websockets
from .own import os, select, socket
from .trace import say

RPC = 173
LONG = 5  # as modifier2
MOST_WORDS = 255
MOST_PACKET = 0xFFFF
MOST_ANSWER = 64 << 20
PATIENCE = 4  # seconds that each step may take, uWSGI's socket-timeout
PIECE = 64 << 10


def call(address, words):
    """Return what the function of another server returns, None where there is nothing."""
    if len(words) > MOST_WORDS or sum(2 + len(w) for w in words) > MOST_PACKET:
        say(f"uwsgi.rpc: a call has at most {MOST_WORDS} words and {MOST_PACKET} bytes\n")
        return None
    body = b"".join(len(w).to_bytes(2, "little") + w for w in words)
    packet = bytes([RPC]) + len(body).to_bytes(2, "little") + b"\0" + body
    name = os.fsdecode(address)
    try:
        sock = _connect(name)
        try:
            _send(sock, packet)
            return _answer(sock) or None
        finally:
            sock.close()
    except (OSError, ValueError) as e:
        say(f"uwsgi.rpc: {name}: {e}\n")
        return None


def open_socket(address):
    """Return a socket that is not connected, and where to connect it to."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        info = socket.getaddrinfo(host.strip("[]") or "127.0.0.1", int(port), 0, socket.SOCK_STREAM)
        return socket.socket(*info[0][:3]), info[0][4]
    to = "\0" + address[1:] if address[:1] == "@" else address
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), to


def _connect(address):
    sock, to = open_socket(address)
    try:
        sock.setblocking(False)
        try:
            sock.connect(to)
        except BlockingIOError:
            _wait(sock, select.POLLOUT, "it does not take the connection")
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code)) from None
        return sock
    except BaseException:
        sock.close()
        raise


def _wait(sock, what, late):
    if not websockets.wait(sock.fileno(), what, PATIENCE):
        raise OSError(f"{late} within {PATIENCE} seconds")


def _send(sock, data):
    left = memoryview(data)
    while left:
        try:
            left = left[sock.send(left) :]
        except BlockingIOError:
            _wait(sock, select.POLLOUT, "it does not read the call")


def _read(sock, size):
    data = bytearray()
    while len(data) < size:
        try:
            piece = sock.recv(min(PIECE, size - len(data)))
        except BlockingIOError:
            _wait(sock, select.POLLIN, "it does not answer")
            continue
        if not piece:
            raise ValueError(
                "it closes without a whole answer: it has no such function, or the function "
                "returns nothing, or it takes no RPC"
            )
        data += piece
    return bytes(data)


def _answer(sock):
    head = _read(sock, 4)
    if head[0] != RPC:
        raise ValueError("it answers with something else: is this the address of a uwsgi socket?")
    body = _read(sock, int.from_bytes(head[1:3], "little"))
    if head[3] != LONG:
        return body
    size = _size(body)
    if size > MOST_ANSWER:
        raise ValueError(f"its answer has {size} bytes: at most {MOST_ANSWER} are read")
    return _read(sock, size)


def _size(body):
    """Return the CONTENT_LENGTH of a dictionary."""
    pieces, at = [], 0
    while at + 2 <= len(body):
        end = at + 2 + int.from_bytes(body[at : at + 2], "little")
        pieces.append(body[at + 2 : end])
        at = end
    for name, value in zip(pieces[::2], pieces[1::2]):
        if name == b"CONTENT_LENGTH" and value.isdigit() and len(value) < 20:
            return int(value)
    raise ValueError("its answer does not say how long it is")
