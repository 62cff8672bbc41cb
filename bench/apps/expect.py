"""What an app answers, found without any of the servers.

Run as `python expect.py APP` in the directory of the apps, with a JSON array of
requests on standard input: {"method", "path", "headers": [[name, value]...],
"body": base64}. It calls the app through the standard library's wsgiref, with its
validator between, and prints an array of {"status", "body": base64}.
"""

import base64
import importlib
import io
import json
import sys
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
    body = base64.b64decode(request.get("body") or "")
    handler = Handler(environ_of(request, body), body)
    handler.run(validator(app))
    return {"status": handler.code, "body": base64.b64encode(handler.got).decode()}


def main():
    module = importlib.import_module(sys.argv[1].removesuffix(".py"))
    answers = [ask(module.application, request) for request in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)


main()
