"""What is asked of requests whose bodies have not come: by path, what to do with the body."""

import os
import signal
import threading
import time
from urllib.parse import parse_qs

TEXT = [("Content-Type", "text/plain")]


def pieces(stream):
    while piece := stream.read(3):
        yield piece


def into(stream):
    buffer = bytearray(64)
    return bytes(buffer[: stream.readinto(buffer)])


def elsewhere(stream):
    got = []
    reader = threading.Thread(target=lambda: got.append(stream.read()))
    reader.start()
    reader.join()
    return got[0]


WAYS = {
    "read": lambda s: s.read(),
    "read_n": lambda s: b"".join(pieces(s)),
    "readline": lambda s: s.readline() + s.readline() + s.read(),
    "readlines": lambda s: b"".join(s.readlines()),
    "iterate": lambda s: b"".join(s),
    "readinto": into,
    "seek": lambda s: (s.read(), s.seek(0), s.read())[2],
    "thread": elsewhere,
}


def application(environ, start_response):
    what = environ["PATH_INFO"].strip("/").split("/")[0]
    q = {k: v[0] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
    stream = environ["wsgi.input"]
    if "begun" in q:
        open(q["begun"], "a").close()
    if what == "ignore":
        body = b"not read"
    elif what == "length":
        body = environ.get("CONTENT_LENGTH", "none").encode()
    elif what == "error":
        try:
            body = stream.read(5)
        except OSError as e:
            body = repr(e).encode()
        if "told" in q:
            with open(q["told"] + ".tmp", "wb") as f:
                f.write(body)
            os.rename(q["told"] + ".tmp", q["told"])
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "hang":
        while not os.path.exists(q["gate"]):
            time.sleep(0.01)
        body = b""
    elif what == "stream":
        start_response("200 OK", TEXT)
        return streamed(stream)
    else:
        body = WAYS[what](stream)
    start_response("200 OK", [*TEXT, ("X-Pid", str(os.getpid()))])
    return [body]


def streamed(stream):
    yield b"first "
    yield stream.read()
