"""What an app forks, should it come back from the app as if it were the worker."""

import sys

from .own import os, suppress
from .trace import report

child = []  # not empty in what the app of a worker has forked


def leave(e=None):
    """End this process, a child of the one that called the app. e is what the app raised.

    If it went on it would answer a request a second time, clear the claim of its parent
    and take requests that nobody knows it has; or, forked by an import, take commands.
    """
    code = 0
    if isinstance(e, SystemExit) and (e.code is None or isinstance(e.code, int)):
        code = e.code or 0
    elif e is not None:
        report(e)
        code = 1
    with suppress(Exception):
        sys.stderr.write(
            f"process {os.getpid()}, forked by the app, came back from the app and is ended: "
            "end such a process with os._exit() when its work is done\n"
        )
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code & 0xFF)
