"""Answers with its environ, one "NAME=value" a line, and the length of the body."""


def application(environ, start_response):
    lines = [f"{k}={v!r}" for k, v in environ.items() if isinstance(v, (str, bool, tuple, int))]
    lines.append(f"body={environ['wsgi.input'].read()!r}")
    body = "\n".join(sorted(lines)).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
