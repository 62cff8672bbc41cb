"""The uwsgi module's functions for the client's connection: WebSockets, and waiting."""

from . import sharing, websockets
from .arguments import bytes_of, int_of
from .own import select

_found = {}


def install(exchange):
    """Return the functions. exchange() returns the exchange of the caller's request."""
    _found["exchange"] = exchange
    return FUNCTIONS


def _here():
    return websockets.of(_found["exchange"]())


def _open():
    """Return the WebSocket of the caller's request, or None if it has none yet."""
    try:
        found = websockets.opened.get(_found["exchange"]())
    except RuntimeError:
        return None  # no request
    return found if type(found) is websockets.WebSocket else None


def websocket_handshake(key="", origin="", proto=""):
    _here().handshake(bytes_of(key), bytes_of(origin), bytes_of(proto))


def websocket_recv():
    return _here().receive(block=True)


def websocket_recv_nb():
    return _here().receive(block=False)


def websocket_send(message):
    _here().send(websockets.TEXT, bytes_of(message))


def websocket_send_binary(message):
    _here().send(websockets.BINARY, bytes_of(message))


def websocket_send_from_sharedarea(area, pos=0, length=0):
    _here().send(websockets.TEXT, sharing.sharedarea_read(area, pos, length))


def websocket_send_binary_from_sharedarea(area, pos=0, length=0):
    _here().send(websockets.BINARY, sharing.sharedarea_read(area, pos, length))


def connection_fd():
    """Return the descriptor that is readable when the WebSocket's client has sent something."""
    return _here().sock.fileno()


def ready_fd():
    found = _open()
    return found.ready if found is not None else -1


def suspend(*_):
    found = _open()
    if found is not None:
        found.suspend()
    return True


def disconnect():
    found = _open()
    if found is None:
        raise NotImplementedError(
            "uwsgo ends only WebSockets so: return the answer, and go on in the close() of what "
            "is returned"
        )
    found.end(websockets.NORMAL)


def wait_fd_read(fd, timeout=0):
    return _wait_fd(int_of(fd), select.POLLIN, int_of(timeout))


def wait_fd_write(fd, timeout=0):
    return _wait_fd(int_of(fd), select.POLLOUT, int_of(timeout))


def _wait_fd(fd, what, timeout):
    found = _open()
    if found is not None:
        found.watch(fd, what, timeout)  # suspend waits
        return True
    return websockets.wait(fd, what, timeout or None)


FUNCTIONS = [
    websocket_handshake,
    websocket_recv,
    websocket_recv_nb,
    websocket_send,
    websocket_send_binary,
    connection_fd,
    ready_fd,
    suspend,
    disconnect,
    wait_fd_read,
    wait_fd_write,
]
SHARED = [websocket_send_from_sharedarea, websocket_send_binary_from_sharedarea]
