"""Open each page of the site in Chromium at the width of a phone, and search in it.

Fail if a page is wider than the screen, or if the search finds nothing.
"""

import functools
import http.server
import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

WIDTH = 390
HARNESS = """<!doctype html><body style="margin:0"><iframe id=f width=%d height=844></iframe>
<script>
const pages = %s, faults = [];
const load = (url) => new Promise((done) => {
  f.onload = () => setTimeout(done, 50);
  f.src = url;
});
(async () => {
  for (const page of pages) {
    await load(page);
    const d = f.contentDocument, root = d.documentElement;
    if (!d.querySelector("h1")) faults.push(page + ": no heading");
    if (root.scrollWidth > %d) faults.push(page + ": " + root.scrollWidth + " pixels wide");
  }
  await load("/options/?q=harakiri");
  const until = Date.now() + 20000;
  let found = 0;
  while (!found && Date.now() < until) {
    await new Promise((r) => setTimeout(r, 100));
    found = f.contentDocument.querySelectorAll(".md-search-result__item").length;
  }
  if (!found) faults.push("a search for harakiri finds nothing");
  const body = JSON.stringify({pages: pages.length, found, faults});
  await fetch("/result", {method: "POST", body});
})();
</script>"""


results = queue.Queue()


class Site(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        results.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def main(folder):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        print("site: SKIP: no chromium, so no page is looked at")
        return
    root = Path(folder).resolve()
    pages = [
        "/" + str(p.parent.relative_to(root)).replace(".", "", 1) + "/"
        for p in sorted(root.rglob("index.html"))
    ]
    pages = [p.replace("//", "/") for p in pages]
    (root / "phone.html").write_text(HARNESS % (WIDTH, json.dumps(pages), WIDTH))
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Site, directory=str(root))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [
                chromium,
                *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"),
                f"--user-data-dir={profile}",
                f"http://127.0.0.1:{server.server_port}/phone.html",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            result = results.get(timeout=300)
        except queue.Empty:
            sys.exit("site: chromium has not looked at the pages within 300 s")
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()
            (root / "phone.html").unlink()
    print(f"site: {result['pages']} pages at {WIDTH} pixels, {result['found']} found by a search")
    sys.exit("\n".join(result["faults"]) or 0)


main(sys.argv[1])
