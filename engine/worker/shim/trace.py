"""Tracebacks of what apps raise."""

import sys

from .own import os

_ours = (__package__, "importlib")


def report(e, request=""):
    """Write an exception to stderr in one piece, from the app's first frame on.

    request names the request, so that its log line can be found.
    """
    if request:
        request = f"Exception in the answer to {request}\n"
    say(request + text_of(e))


def text_of(e):
    """Return the traceback of an exception from the app's first frame on."""
    try:
        tb = e.__traceback__
        while tb is not None and tb.tb_frame.f_globals.get("__package__") in _ours:
            tb = tb.tb_next
        try:
            # Not earlier: with its imports it takes half a megabyte.
            from traceback import format_exception

            return "".join(format_exception(type(e), e, tb))
        except BaseException:  # its __str__ fails, or the app has replaced what traceback uses
            return plain(e, tb)
    except BaseException:
        return type(e).__name__ + "\n"  # an exception here must not fail requests


def say(text):
    """Write to the log. That a broken stderr, or none, is there must not fail anything."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except BaseException:  # of a handler of the app's as well
        try:
            os.write(2, text.encode("utf-8", "backslashreplace"))
        except BaseException:
            pass


def plain(e, tb):
    lines = ["Traceback (most recent call last):\n"]
    while tb is not None:
        code = tb.tb_frame.f_code
        lines.append(f'  File "{code.co_filename}", line {tb.tb_lineno}, in {code.co_name}\n')
        tb = tb.tb_next
    return "".join(lines) + type(e).__name__ + "\n"
