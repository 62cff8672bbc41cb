"""uwsgo serves Python web apps with uWSGI's command line and ini files.

The server is one program without dependencies. pip installs it beside Python, so that
``uwsgo app:app`` runs the app with the Python of the virtualenv that it is installed in;
``python -m uwsgo app:app`` runs it with that Python, wherever the program was put.

This module finds the program, for those who start it from Python::

    import subprocess, uwsgo

    subprocess.run([uwsgo.find_program(), "--http", ":8000", "--module", "app:app"])
"""

import os
import sys
import sysconfig
from collections.abc import Iterator

__all__ = ["__version__", "find_program"]

__version__ = "@VERSION@"


def find_program() -> str:
    """Return the path of the program uwsgo that was installed with this module.

    Raise FileNotFoundError, with the places that were looked at, where it is not there.
    """
    looked = []
    for folder in _folders():
        path = os.path.join(folder, "uwsgo")
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
        looked.append(folder)
    raise FileNotFoundError(
        f"there is no program uwsgo in {', '.join(looked)}: install it anew with "
        f"{sys.executable} -m pip install --force-reinstall uwsgo"
    )


def _folders() -> Iterator[str]:
    """Yield where an installer may have put the program, in the order of likelihood."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    seen = set()
    for folder in (
        os.path.join(here, "bin"),  # pip install --target
        _above(here),  # pip install --prefix, --root, --user, a virtualenv
        sysconfig.get_path("scripts"),
        _user(),
    ):
        if folder and folder not in seen:
            seen.add(folder)
            yield folder


def _above(site: str) -> str:
    """Return bin of the prefix that has these site-packages: PREFIX/lib/python3.x/site-packages."""
    library = os.path.dirname(os.path.dirname(site))
    if os.path.basename(library) in ("lib", "lib64"):
        return os.path.join(os.path.dirname(library), "bin")
    return ""


def _user() -> str:
    scheme = "osx_framework_user" if sys.platform == "darwin" else "posix_user"
    try:
        return sysconfig.get_path("scripts", scheme)
    except KeyError:
        return ""
