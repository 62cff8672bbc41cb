"""Make pages of a site from those of the repository.

The README becomes the first page, and links to files that are no pages lead to the repository.
"""

import os
import re
import sys
from pathlib import Path

REPOSITORY = "https://github.com/uwsgo/uwsgo/blob/main/"
LINK = re.compile(r"(\]\()([^)#:\s]+)(#[^)\s]*)?(\))")


def main(readme, folder):
    pages = Path(folder)
    text = Path(readme).read_text()
    index = pages / "index.md"
    index.write_text(rewrite(text.replace("](docs/", "]("), index, pages))
    for page in pages.rglob("*.md"):
        if page != index:
            page.write_text(rewrite(page.read_text(), page, pages))
    for other in list(pages.rglob("*")):
        if other.is_file() and other.suffix not in (".md", ".svg", ".png"):
            other.unlink()


def rewrite(text, page, pages):
    def link(m):
        target = Path(os.path.normpath(page.parent / m[2]))
        inside = target.is_relative_to(pages)
        if inside and target.is_dir() and (target / "README.md").exists():
            return f"{m[1]}{m[2].rstrip('/')}/README.md{m[3] or ''}{m[4]}"
        if inside and target.suffix in (".md", ".svg", ".png") and target.exists():
            return m[0]
        place = Path(os.path.normpath(os.path.join("docs", os.path.relpath(target, pages))))
        if page.name == "index.md" and not target.exists():
            place = Path(os.path.normpath(m[2]))  # of the README, which lies above docs
        if not Path(place).exists():
            sys.exit(f"{page}: {m[2]} is not there")
        return f"{m[1]}{REPOSITORY}{place}{m[4]}"

    return LINK.sub(link, text)


main(*sys.argv[1:])
