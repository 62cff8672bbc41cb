from wsgiref.validate import validator


def app(environ, start_response):
    body = environ["wsgi.input"].read(100)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"valid " + body] if environ["REQUEST_METHOD"] != "HEAD" else []


application = validator(app)
