"""Answers in the ways that a log tells apart. What it prints has APP in it."""

import sys
import time


def application(environ, start_response):
    path = environ["PATH_INFO"]
    status, body = "200 OK", [b"hello"]
    if path == "/t/missing":
        status, body = "404 Not Found", [b"no"]
    elif path == "/t/broken":
        status, body = "503 Service Unavailable", [b"no"]
    elif path == "/t/empty":
        status, body = "204 No Content", []
    elif path == "/t/big":
        body = [b"x" * 100_000]
    elif path == "/t/slow":
        time.sleep(0.3)
    elif path == "/t/print":
        sys.stderr.write("APP: one line\n")
        sys.stderr.flush()
        sys.stderr.write('APP: "two"\n  lines\tAPP\n')
        sys.stderr.flush()
        sys.stderr.write('{"level": "info", "message": "APP"}\n')
        sys.stderr.flush()
    length = str(sum(map(len, body)))
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", length)])
    return body
