"""Tracebacks of what apps raise."""

import sys
import traceback

_ours = (__package__, "importlib")


def report(e):
    """Write an exception to stderr in one piece, from the app's first frame on."""
    try:
        tb = e.__traceback__
        while tb is not None and tb.tb_frame.f_globals.get("__package__") in _ours:
            tb = tb.tb_next
        sys.stderr.write("".join(traceback.format_exception(type(e), e, tb)))
        sys.stderr.flush()
    except Exception:
        pass  # a broken stderr must not fail requests
