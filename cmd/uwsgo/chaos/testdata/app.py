"""Says in a file which requests it begins and ends, each by its number."""

import os
import time

# Appending is atomic, whichever worker writes.
NOTES = os.open(os.environ["CHAOS_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
kept = []
BLOCK, BLOCKS = bytes(65536), 512  # of a download: 32 MiB


def application(environ, start_response):
    kind, number = environ["PATH_INFO"], environ["QUERY_STRING"]
    note("+", kind, number)
    if kind == "/short":
        time.sleep(0.002)
    elif kind == "/ten":
        time.sleep(0.01)
    elif kind == "/sleep":
        time.sleep(0.05)
    elif kind == "/burn":
        until = time.thread_time() + 0.03
        while time.thread_time() < until:
            pass
    elif kind == "/hang":
        while True:
            time.sleep(60)
    elif kind == "/leak":
        kept.append(bytearray(os.urandom(1024) * 100))
    elif kind == "/upload":
        while environ["wsgi.input"].read(65536):
            pass
    elif kind == "/download":
        start_response(
            "200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(BLOCKS * len(BLOCK)))]
        )
        return [BLOCK] * BLOCKS if number == "whole" else iter([BLOCK] * BLOCKS)
    body = f"request {number} is done".encode()
    note("-", kind, number)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def note(what, kind, number):
    os.write(NOTES, f"{what} {kind} {number} {os.getpid()}\n".encode())
