"""Answers that consist of the token of their request, from an app that does its worst meanwhile.

Whoever asks knows the whole answer from the token, so that a single foreign byte shows.
"""

import collections
import ctypes
import random
import signal
import tempfile
import threading

LARGE = 100_000
STALE = b"stale " * 20
# What requests that have ended were given, and in each thread its last one.
kept = collections.deque(maxlen=8)
own = threading.local()


class Interrupted(BaseException):
    """Raised in the middle of whatever the worker is doing."""


def interrupt(signum, frame):
    raise Interrupted


signal.signal(signal.SIGALRM, interrupt)


def application(environ, start_response):
    kind, token = environ["PATH_INFO"][1:], environ["QUERY_STRING"]
    return globals()[kind](token, environ, start_response)


def answer(token, size):
    line = f"token {token}\n".encode()
    return (line * (size // len(line) + 1))[:size]


def begin(start_response, token, size=None):
    fields = [("Content-Type", "text/plain"), ("X-Token", token)]
    if size is not None:
        fields.append(("Content-Length", str(size)))
    return start_response("200 OK", fields)


def small(token, environ, start_response):
    begin(start_response, token)
    return [answer(token, 100)]


def large(token, environ, start_response):
    begin(start_response, token, LARGE)
    return [answer(token, LARGE)]


def pieces(token):
    body = answer(token, LARGE)
    for at in range(0, LARGE, 5000):
        yield body[at : at + 5000]


def streamed(token, environ, start_response):
    begin(start_response, token)
    return pieces(token)


def written(token, environ, start_response):
    write = begin(start_response, token)
    for piece in pieces(token):
        write(piece)
    return []


def file(token, environ, start_response):
    content = tempfile.TemporaryFile()
    content.write(answer(token, LARGE))
    content.seek(0)
    begin(start_response, token, LARGE)
    return environ["wsgi.file_wrapper"](content)


def upload(token, environ, start_response):
    body = environ["wsgi.input"].read()
    begin(start_response, token)
    return [body]


def raises(token, environ, start_response):
    begin(start_response, token)
    for count, piece in enumerate(pieces(token)):
        if count == 7:
            raise RuntimeError("in the middle")
        yield piece


def alarm(token, environ, start_response):
    """An exception in the process's main thread, while that answers this request or another."""
    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.005))
    return streamed(token, environ, start_response)


def thrown(token, environ, start_response):
    """An exception in this thread from another one, before or after the answer has gone."""
    ident = ctypes.c_ulong(threading.get_ident())

    def throw():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(Interrupted))

    threading.Timer(random.uniform(0.0001, 0.005), throw).start()
    return large(token, environ, start_response)


def keeps(token, environ, start_response):
    """Use what requests that have ended were given, now and a little later."""
    for write, start in list(kept):
        use(write)
        use(lambda _, start=start: start("200 OK", [("X-Token", "stale")])(STALE))
        threading.Timer(random.uniform(0, 0.005), use, (write,)).start()
    write = begin(start_response, token)
    # This thread's next request says that this one has ended.
    if hasattr(own, "last"):
        kept.append(own.last)
    own.last = write, start_response
    if random.random() < 0.5:
        return pieces(token)
    return [answer(token, LARGE)]


def use(write):
    try:
        write(STALE)
    except Exception:
        return
