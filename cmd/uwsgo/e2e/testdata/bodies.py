"""Gives the size and SHA-256 of the body it is sent; GET /large is 1 MiB."""

import hashlib
from wsgiref.validate import validator

LARGE = b"x" * (1 << 20)


@validator
def application(environ, start_response):
    if environ["PATH_INFO"] == "/large":
        body = LARGE
    else:
        digest, size = hashlib.sha256(), 0
        while piece := environ["wsgi.input"].read(10_000):
            digest.update(piece)
            size += len(piece)
        body = f"{size} {digest.hexdigest()}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
