"""Answers that break off, each in its way, a moment after their beginning has gone out."""

import os
import signal
import time

COUNT = os.environ["E2E_SEEN"]


def application(environ, start_response):
    path = environ["PATH_INFO"]
    with open(COUNT, "a") as f:
        f.write(path + "\n")
    headers = [("Content-Type", "text/plain"), ("Cache-Control", "max-age=60")]
    if path.startswith("/file"):
        # What Django's and Flask's sendfile give: the file's length, and no body.
        start_response(
            "200 OK", [*headers, ("X-Accel-Redirect", "/protected/f"), ("Content-Length", "300000")]
        )
        return [b""]
    if path.startswith("/short"):
        headers.append(("Content-Length", "9000"))
    start_response("200 OK", headers)
    return blocks(path)


def blocks(path):
    yield b"begun" * 1000
    time.sleep(0.05)
    if path.startswith("/whole"):
        yield b" ended"
    elif path.startswith("/raise"):
        raise RuntimeError("in the middle")
    elif path.startswith("/die"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif path.startswith("/hang"):
        time.sleep(60)
