def application(environ, start_response):
    where = "myapp: SCRIPT_NAME={SCRIPT_NAME} PATH_INFO={PATH_INFO}\n".format(**environ)
    body = where.encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
