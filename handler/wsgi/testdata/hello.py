def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"Python answers {environ['SCRIPT_NAME']}{environ['PATH_INFO']}\n".encode()]
