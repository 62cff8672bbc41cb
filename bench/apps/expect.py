"""What an app answers, found without any of the servers.

Run as `python expect.py APP` in the directory of the apps, with a JSON array of
requests on standard input: {"method", "path", "headers": [[name, value]...],
"body": base64, "after": seconds}. It calls the app through the standard library's
wsgiref, with its validator between, and writes an array of {"status", "body":
base64} where standard output was: what the app prints goes to standard error. With
`lenient` behind APP there is no validator, as many an app breaks PEP 3333 in
what no server minds.
"""

import base64
import importlib
import io
import json
import os
import sys
import time
from wsgiref.handlers import SimpleHandler
from wsgiref.validate import validator


class Handler(SimpleHandler):
    """Keeps the status and the body, and lets errors through."""

    def __init__(self, environ, body):
        super().__init__(io.BytesIO(body), None, sys.stderr, environ)
        self.os_environ = {}  # the process's own environment is no part of a request
        self.got = bytearray()

    def send_headers(self):
        self.headers_sent = True
        self.code = int(self.status.split()[0])

    def _write(self, data):
        self.got += data

    def _flush(self):
        pass

    def handle_error(self):
        raise

    def log_exception(self, exc_info):
        pass


def environ_of(request, body):
    path, _, query = request["path"].partition("?")
    environ = {
        "REQUEST_METHOD": request["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
    }
    if body or request["method"] in ("POST", "PUT"):
        environ["CONTENT_LENGTH"] = str(len(body))
    for name, value in request.get("headers") or []:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key] = value
    return environ


def ask(app, request):
    time.sleep(request.get("after") or 0)
    body = base64.b64decode(request.get("body") or "")
    handler = Handler(environ_of(request, body), body)
    handler.run(app)
    return {"status": handler.code, "body": base64.b64encode(handler.got).decode()}


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    app = importlib.import_module(sys.argv[1].removesuffix(".py")).application
    if "lenient" not in sys.argv[2:]:
        app = validator(app)
    answers = [ask(app, request) for request in json.load(sys.stdin)]
    json.dump(answers, out)
    out.flush()
    os._exit(0)  # threads that the app has started would go on


main()
