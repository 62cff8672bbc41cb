"""What the end-to-end tests ask for, by path."""

import io
import json
import os
import time
from urllib.parse import parse_qs

TEXT = [("Content-Type", "text/plain")]


class Closing:
    """An iterable whose close makes a file."""

    def __init__(self, blocks, path):
        self.blocks = blocks
        self.path = path

    def __iter__(self):
        return iter(self.blocks)

    def close(self):
        open(self.path, "w").close()


def wait_for(path):
    end = time.monotonic() + 20
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise TimeoutError(path)
        time.sleep(0.002)


def hello(environ, start_response, q):
    start_response("200 OK", TEXT)
    return [b"Hello World!"]


def environ(environ, start_response, q):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({k: v for k, v in environ.items() if isinstance(v, (str, bool))}).encode()]


def queue_time(environ, start_response, q):
    start_response("200 OK", TEXT)
    return [b"%f" % environ["uwsgo.queue_time"]]


def echo(environ, start_response, q):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [*TEXT, ("X-Length", environ.get("CONTENT_LENGTH", "none"))])
    return [body]


def stream(environ, start_response, q):
    start_response("200 OK", TEXT)
    yield b"first"
    wait_for(q["gate"])
    yield b"second"


def gate(environ, start_response, q):
    open(q["here"], "w").close()
    wait_for(q["gate"])
    return hello(environ, start_response, q)


def touch(environ, start_response, q):
    open(q["file"], "w").close()
    return hello(environ, start_response, q)


def write(environ, start_response, q):
    send = start_response("200 OK", TEXT)
    send(b"one ")
    send(b"two ")
    return [b"three"]


def exc_info_before(environ, start_response, q):
    start_response("200 OK", TEXT)
    try:
        raise KeyError("lost")
    except KeyError:
        import sys

        start_response("500 Sorry", TEXT, sys.exc_info())
    return [b"sorry"]


def exc_info_after(environ, start_response, q):
    start_response("200 OK", TEXT)
    yield b"begun"
    try:
        raise KeyError("lost")
    except KeyError:
        import sys

        start_response("500 Sorry", TEXT, sys.exc_info())
    yield b"never"


def fail(environ, start_response, q):
    raise RuntimeError("before the head")


def fail_head(environ, start_response, q):
    start_response("200 OK", TEXT)
    raise RuntimeError("after start_response")


def fail_first(environ, start_response, q):
    start_response("200 OK", TEXT)
    raise RuntimeError("in the generator")
    yield b""


def fail_body(environ, start_response, q):
    start_response("200 OK", TEXT)
    yield b"begun"
    raise RuntimeError("in the middle")


def respond(environ, start_response, q):
    """Answer with what the query says."""
    headers = [tuple(h) for h in json.loads(q.get("headers", "[]"))]
    write = start_response(q.get("status", "200 OK"), headers)
    blocks = [b.encode() for b in json.loads(q.get("blocks", "[]"))]
    while "write" in q and blocks:
        write(blocks.pop(0))
    return iter(blocks) if "iter" in q else blocks


def no_start(environ, start_response, q):
    return [b"no head"]


def strings(environ, start_response, q):
    start_response("200 OK", TEXT)
    return ["text"]


def nothing(environ, start_response, q):
    start_response("200 OK", TEXT)


def file(environ, start_response, q):
    f = open(q["file"], "rb")
    f.seek(int(q.get("from", 0)))
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](f)


def memory(environ, start_response, q):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](io.BytesIO(b"m" * int(q["n"])), 1000)


def big(environ, start_response, q):
    start_response("200 OK", TEXT)
    return [b"b" * int(q["n"])]


def counted(environ, start_response, q):
    """Stream n MiB and write down how far it is."""
    start_response("200 OK", TEXT)
    with open(q["count"], "wb", buffering=0) as count:
        for i in range(int(q["n"]) * 16):
            os.pwrite(count.fileno(), b"%10d" % (i * 65536), 0)
            yield b"c" * 65536


def forever(environ, start_response, q):
    start_response("200 OK", TEXT)
    while True:
        yield b"f" * 1000


def kill(environ, start_response, q):
    os.kill(os.getpid(), 9)


def kill_body(environ, start_response, q):
    start_response("200 OK", TEXT)
    yield b"begun"
    os._exit(3)


def hang(environ, start_response, q):
    time.sleep(60)


def hang_body(environ, start_response, q):
    start_response("200 OK", TEXT)
    yield b"begun"
    time.sleep(60)


def application(environ, start_response):
    q = {k: v[0] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
    view = globals()[environ["PATH_INFO"][1:]]
    result = view(environ, start_response, q)
    return Closing(result, q["closed"]) if "closed" in q else result
