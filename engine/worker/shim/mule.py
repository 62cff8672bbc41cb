"""Mules: processes that wait for messages and signals, or run code of the app's.

Messages are in queues of the kernel, which the server keeps: one that any mule reads, one
for each mule and one for each farm. So they outlive a mule and a reload, and sending takes
no round trip. A message that a mule has taken is gone when that dies.
"""

import sys
from errno import EAGAIN, EMSGSIZE, ENOBUFS
from importlib import import_module
from types import ModuleType

from . import background, module
from .arguments import bytes_of, int_of, text_of
from .module import export
from .own import io, os, socket, thread, time
from .trace import report, say

MOST = 65536  # bytes of a message that mule_get_msg returns, unless it is told otherwise
LARGEST = 8 << 20  # that is ever received at once

_count = 0
_queues = {}  # "", a mule's number or farm:NAME -> (descriptor to send, descriptor to receive)
_farms = {}  # name -> numbers of its mules
_number = 0  # of this mule, 0 in every other process
_asking = set()  # threads but for the main one that have asked for messages


def open_all(config):
    """Take over what the server has made."""
    global _count
    _count = config["mules"]
    for name, send, receive in config["queues"]:
        for fd in send, receive:
            os.set_inheritable(fd, False)
        _queues[name] = send, receive
    _farms.update((name, tuple(mules)) for name, mules in config["farms"])


@export
def mule_id(*_):
    return _number


@export
def mule_msg(message, mule=None):
    """Send a message to any mule, one by its number, or a farm by its name."""
    message = bytes_of(message, "the message")
    if not _count:
        raise ValueError("no mule configured")
    if mule is None:
        name = ""
    elif isinstance(mule, (str, bytes)):
        name = mule.decode() if isinstance(mule, bytes) else mule
        if name not in _farms:
            raise ValueError("unknown farm")
        name = f"farm:{name}"
    elif isinstance(mule, int):
        if not 0 <= mule <= _count:
            raise ValueError("invalid mule number")
        name = str(mule) if mule else ""
    else:
        raise ValueError("invalid mule")
    return _send(name, message)


@export
def farm_msg(farm, message):
    farm, message = text_of(farm).decode(), bytes_of(message, "the message")
    if farm in _farms:
        _send(f"farm:{farm}", message)


@export
def mule_get_msg(signals=True, farms=True, buffer_size=None, timeout=-1):
    """Return the next message, None after a signal, b"" when timeout seconds have passed.

    It is whole, and cut to buffer_size bytes only where that is given.
    """
    size = None if buffer_size is None else int_of(buffer_size, 0)
    timeout = int_of(timeout)
    process = _process("you can receive mule messages only in a mule !!!")
    names = [str(_number), "", *(_own_farms() if farms else ())]
    return _receive(process, names, None if timeout < 0 else timeout, bool(signals), size)


@export
def farm_get_msg(*_):
    process = _process("you can receive farm messages only in a mule !!!")
    return _receive(process, _own_farms(), None, False, MOST)


@export
def in_farm(name=None):
    if name is None:
        return True if _own_farms() else None
    return True if _number in _farms.get(text_of(name).decode(), ()) else None


@export
def install_mule_msg_hook(function):
    """Have a function called with each message, after uwsgi.mule_msg_hook."""
    vars(module.module).setdefault("mule_msg_extra_hooks", []).append(function)


def _own_farms():
    return [f"farm:{name}" for name, mules in _farms.items() if _number in mules]


def _process(why):
    if not _number:
        raise ValueError(why)
    process = background.present
    if process.main != thread.get_ident():
        # Messages are for that thread then, not for a main one that has nothing for them.
        _asking.add(thread.get_ident())
    return process


def _send(name, message):
    try:
        os.write(_queues[name][0], message)
    except OSError as e:
        if e.errno in (EAGAIN, ENOBUFS):
            say(
                f"*** MULE MSG QUEUE IS FULL: buffer size {_room(name)} bytes "
                "(you can tune it with --mule-msg-size) ***\n"
            )
        elif e.errno == EMSGSIZE:
            say(
                f"mule_msg: {len(message)} bytes are more than a message may have: buffer size "
                f"{_room(name)} bytes (you can tune it with --mule-msg-size)\n"
            )
        else:
            say(f"mule_msg: {e}\n")
        return False
    return True


def _room(name):
    try:
        sock = socket.socket(fileno=os.dup(_queues[name][0]))
    except OSError:
        return 0
    try:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    finally:
        sock.close()


def _receive(process, names, timeout, signals, size):
    fds = [_queues[name][1] for name in names]
    while True:
        ready = process.wait(fds, timeout, signals)
        if ready is None:
            return None
        if not ready:
            return b""
        for fd in fds:
            if fd in ready:
                process.hold(True)  # from here on it is this mule's
                try:
                    message = os.read(fd, LARGEST)
                except BlockingIOError:  # another one was faster
                    process.hold(False)
                    continue
                if size is not None and len(message) > size:
                    say(f"mule {_number}: a message of {len(message)} bytes is cut to {size}\n")
                    return message[:size]
                return message


def run(process, spec):
    """Be a mule."""
    global _number
    process.signal_time = spec["harakiri"]
    what = spec["run"]
    if what.endswith(".py"):
        _run_file(what)
    elif ":" in what:
        _call(what)
    else:
        _serve(process)


def _serve(process):
    names = [str(_number), "", *_own_farms()]
    begun = time.monotonic()
    while True:
        # Where a thread asks for messages they are for that alone. It has a second to begin
        # (there is one thread that reads the channel).
        if _asking or (thread._count() > 1 and time.monotonic() - begun < 1):
            process.wait((), 1)
            continue
        message = _receive(process, names, 1 if thread._count() > 1 else None, True, None)
        if message is not None and process.holds():
            _deal(message)


def _hooks():
    given = vars(module.module)
    hooks = [given[name] for name in ("mule_msg_hook",) if name in given]
    hooks.extend(given.get("mule_msg_extra_hooks", ()))
    return hooks


def _deal(message):
    hooks = _hooks()
    if not hooks:
        say(f"*** mule {_number} received a {len(message)} bytes message ***\n")
    for hook in hooks:
        try:
            hook(message)
        except Exception as e:
            report(e)


def _run_file(path):
    with io.open(path, "rb") as f:
        source = f.read()
    main = ModuleType("__main__")
    main.__file__ = path
    sys.modules["__main__"] = main
    exec(compile(source, path, "exec", dont_inherit=True), vars(main))


def _call(what):
    name, _, attribute = what.partition(":")
    found = import_module(name)
    for part in attribute.removesuffix("()").split("."):
        found = getattr(found, part)
    found()


def become(number):
    """Say that this process is a mule, before any of the app's code runs in it."""
    global _number
    _number = number


background.kinds["mule"] = background.Kind(run, become)
