"""The app without a framework: what it costs is what the server costs."""

import json
import time
import zlib

HELLO = b"Hello World!"
LARGE = bytes(range(32, 132)) * 1024  # 100 KiB
MEGA = bytes(range(32, 96)) * 16384  # 1 MiB
CHUNK = bytes(range(48, 112)) * 80  # 5 KiB
CHUNKS = 20
BLOCK = 64 << 10
# Of the connection or of nginx, so not the same for every server.
BETWEEN = {"HTTP_HOST", "HTTP_CONNECTION", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"}


def hello(environ):
    return "text/plain", HELLO


def as_json(environ):
    """About 1 KB that tells which headers came, so that all must be read."""
    headers = {
        name[5:].replace("_", "-").title(): len(value)
        for name, value in sorted(environ.items())
        if name.startswith("HTTP_") and name not in BETWEEN
    }
    body = {
        "method": environ["REQUEST_METHOD"],
        "query": environ["QUERY_STRING"],
        "agent": environ.get("HTTP_USER_AGENT", ""),
        "headers": headers,
        "items": [{"id": n, "name": f"item {n}", "price": n * 1.25} for n in range(11)],
    }
    return "application/json", json.dumps(body).encode()


def large(environ):
    return "application/octet-stream", LARGE


def mega(environ):
    return "application/octet-stream", MEGA


def upload(environ):
    """The length and the CRC-32 of the body, read in blocks as a careful app does."""
    stream = environ["wsgi.input"]
    left = int(environ.get("CONTENT_LENGTH") or 0)
    length = crc = 0
    while left and (block := stream.read(min(BLOCK, left))):
        left -= len(block)
        length += len(block)
        crc = zlib.crc32(block, crc)
    return "text/plain", b"%d %08x" % (length, crc)


def sleep(environ):
    time.sleep(0.05)
    return "text/plain", b"slept"


def burn(environ):
    """30 ms of this thread's processor time: the same work on a busy machine."""
    end = time.thread_time_ns() + 30_000_000
    while time.thread_time_ns() < end:
        pass
    return "text/plain", b"burnt"


ROUTES = {
    "/": hello,
    "/json": as_json,
    "/large": large,
    "/mega": mega,
    "/upload": upload,
    "/sleep": sleep,
    "/burn": burn,
}


def stream():
    for _ in range(CHUNKS):
        yield CHUNK


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/stream":  # no Content-Length: the server has to frame it
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return stream()
    route = ROUTES.get(path)
    if route is None:
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "12")])
        return [b"nothing here"]
    kind, body = route(environ)
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
