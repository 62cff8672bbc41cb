def application(environ, start_response):
    body = "myapp: SCRIPT_NAME={SCRIPT_NAME} PATH_INFO={PATH_INFO}\n".format(**environ).encode(
        "latin-1"
    )
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
