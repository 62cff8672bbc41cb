"""Ask for a page until a file is there; fail if any answer is not as it should be."""

import http.client
import os
import sys
import threading
import time

port, stop = int(sys.argv[1]), sys.argv[2]
counts = {"answers": 0, "failures": 0}
lock = threading.Lock()
first = []
until = time.monotonic() + 120


def ask(kept):
    connection = None
    while not os.path.exists(stop) and time.monotonic() < until:
        try:
            connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/")
            response = connection.getresponse()
            body = response.read()
            good = response.status == 200 and body.startswith(b"release ")
            why = f"{response.status} {body[:60]!r}"
        except Exception as e:
            good, why = False, repr(e)
        with lock:
            counts["answers" if good else "failures"] += 1
            if not good:
                first.append(why)
        if not kept or not good:
            connection.close()
            connection = None


threads = [threading.Thread(target=ask, args=(i % 2 == 0,)) for i in range(6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(f"load: {counts['answers']} answers, {counts['failures']} failures", *first[:3])
sys.exit(counts["failures"] > 0 or counts["answers"] < 100)
