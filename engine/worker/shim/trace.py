"""Tracebacks of what apps raise."""

import sys
from traceback import format_exception

_ours = (__package__, "importlib")


def report(e, request=""):
    """Write an exception to stderr in one piece, from the app's first frame on.

    request says in whose answer it came, so that the log's line of it can be found.
    """
    try:
        if request:
            request = f"Exception in the answer to {request}\n"
        tb = e.__traceback__
        while tb is not None and tb.tb_frame.f_globals.get("__package__") in _ours:
            tb = tb.tb_next
        try:
            text = "".join(format_exception(type(e), e, tb))
        except BaseException:  # its __str__ fails, or the app has replaced what traceback uses
            text = plain(e, tb)
        sys.stderr.write(request + text)
        sys.stderr.flush()
    except BaseException:
        pass  # a broken stderr must not fail requests, nor what is raised meanwhile


def plain(e, tb):
    lines = ["Traceback (most recent call last):\n"]
    while tb is not None:
        code = tb.tb_frame.f_code
        lines.append(f'  File "{code.co_filename}", line {tb.tb_lineno}, in {code.co_name}\n')
        tb = tb.tb_next
    return "".join(lines) + type(e).__name__ + "\n"
