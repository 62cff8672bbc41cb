"""Tracebacks of what apps raise."""

import sys
import traceback

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
        sys.stderr.write(request + "".join(traceback.format_exception(type(e), e, tb)))
        sys.stderr.flush()
    except Exception:
        pass  # a broken stderr must not fail requests
