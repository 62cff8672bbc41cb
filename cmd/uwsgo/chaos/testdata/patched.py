"""An app that has gevent patch the standard library, for itself and all others of its process."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import time  # noqa: E402

NOTES = os.open(os.environ["CHAOS_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def application(environ, start_response):
    kind = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
    number = environ["QUERY_STRING"]
    note("+", kind, number)
    size = 0
    while block := environ["wsgi.input"].read(65536):
        size += len(block)
    time.sleep(0.002)  # gevent's
    start_response("200 OK", [("Content-Type", "text/plain")])
    for piece in ("request ", number, " is done"):
        yield piece.encode()
    note("-", kind, number)


def note(what, kind, number):
    os.write(NOTES, f"{what} {kind} {number} {os.getpid()}\n".encode())
