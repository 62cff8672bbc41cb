"""Fail if a page of the site has a link that leads nowhere, or takes something from elsewhere."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.taken = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.add(attrs["id"])
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        source = attrs.get("src") or (tag == "link" and attrs.get("href"))
        if source and attrs.get("rel") not in ("canonical", "prev", "next"):
            self.taken.append(source)


def main(folder):
    root = Path(folder).resolve()
    pages = {p: Page(p.read_text()) for p in root.rglob("*.html") if p.name != "404.html"}
    faults = []
    for path, page in pages.items():
        where = path.relative_to(root)
        for link in page.links + page.taken:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.taken:
                    faults.append(f"{where}: takes {link} from elsewhere")
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                faults.append(f"{where}: {link} leads nowhere")
            elif parts.fragment and target in pages:
                if unquote(parts.fragment) not in pages[target].ids:
                    faults.append(f"{where}: {link}: there is no such heading")
    print(f"site: {len(pages)} pages, {sum(len(p.links) for p in pages.values())} links")
    sys.exit("\n".join(faults) or 0)


main(sys.argv[1])
