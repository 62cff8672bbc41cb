"""Bodies that lie in shared memory: what the app gets, and what it keeps."""

import hashlib
import os
import signal
import time
from urllib.parse import parse_qs

kept = []


def application(environ, start_response):
    what = environ["PATH_INFO"].strip("/")
    q = {k: v[0] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
    stream = environ["wsgi.input"]
    if what == "digest":
        body = b"%s %s" % (type(stream).__name__.encode(), digest(stream.read()))
    elif what == "keep":
        view = stream.getbuffer()
        kept.append((digest(view), view, stream, stream.read()))
        body = kept[-1][0]
    elif what == "kept":
        wrong = [d for d, view, _, data in kept if digest(view) != d or digest(data) != d]
        body = b"%d kept, %d changed" % (len(kept), len(wrong))
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        open(q["here"], "w").close()
        while not os.path.exists(q["gate"]):
            time.sleep(0.005)
        body = digest(stream.read())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


def digest(data):
    return hashlib.sha256(data).hexdigest().encode()
