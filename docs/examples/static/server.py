PAGE = b"""<!doctype html>
<title>Static files</title>
<link rel="stylesheet" href="/static/style.css">
<script src="/static/app.js" defer></script>
<img src="/static/logo.png" alt="a green square">
<p id="greeting"></p>
"""


def application(environ, start_response):
    if environ["PATH_INFO"] != "/":
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "10")])
        return [b"not found\n"]
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(PAGE)))]
    start_response("200 OK", headers)
    return [PAGE]
