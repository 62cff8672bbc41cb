"""Notes every request it sees, one JSON object a line, in the file of E2E_SEEN."""

import base64
import json
import os


def application(environ, start_response):
    seen = {k: v for k, v in environ.items() if isinstance(v, str)}
    try:
        seen["body"] = base64.b64encode(environ["wsgi.input"].read()).decode()
    except OSError as error:
        seen["body_error"] = str(error)
    line = json.dumps(seen) + "\n"
    fd = os.open(os.environ["E2E_SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, line.encode())  # one write, so that lines of several workers do not mix
    os.close(fd)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
