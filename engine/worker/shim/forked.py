"""Stops a child of the app that returns from the app as if it were the worker.

Python's fork hooks do not see forks by C code. So a worker has a page of memory that the
kernel empties in every fork, and checks it before it takes or sends anything.
"""

import sys
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, PAGESIZE, mmap

from .own import os, suppress
from .trace import report, say

MADV_WIPEONFORK = 18  # of Linux, from 4.14 on

mark = b"\1"  # its first item is true in a worker, and false in its children
parting = []  # what else such a child has to do, first
sockets = []  # of this process to the server


class Asked:
    """A mark for systems without such pages. It costs a system call per look."""

    def __init__(self):
        self.pid = os.getpid()

    def __getitem__(self, _):
        return os.getpid() == self.pid


def serve(*socks):
    """Mark this process as a worker with these sockets to the server."""
    global mark
    mark = _page() or Asked()
    sockets.extend(socks)
    os.register_at_fork(after_in_child=_let_go)


def _page():
    if not sys.platform.startswith("linux"):
        return None
    try:
        page = mmap(-1, PAGESIZE, flags=MAP_PRIVATE | MAP_ANONYMOUS)
        page.madvise(MADV_WIPEONFORK)
    except (AttributeError, OSError, ValueError):
        return None
    page[0] = 1
    return memoryview(page)


def _let_go():
    for do in parting:
        do()
    # A child must neither send nor receive there, nor hide the exit of this worker. Python
    # closes the socket of a dead object, but its number may belong to another file by then: so
    # detach the objects.
    for sock in sockets:
        with suppress(OSError):
            os.close(sock.detach())
    sockets.clear()


def leave(e=None):
    """End this process, a child of the one that called the app. e is what the app raised.

    Otherwise it would answer a request twice, clear the claim of its parent and take requests
    unknown to the server; or, forked by an import, take commands.
    """
    code = 0
    if isinstance(e, SystemExit) and (e.code is None or isinstance(e.code, int)):
        code = e.code or 0
    elif e is not None:
        report(e)
        code = 1
    say(
        f"process {os.getpid()}, forked by the app, came back from the app and is ended: "
        "end such a process with os._exit() when its work is done\n"
    )
    with suppress(Exception):
        sys.stdout.flush()
    os._exit(code & 0xFF)
