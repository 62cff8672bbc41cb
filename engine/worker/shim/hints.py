"""Why a module is not found: what this Python sees, and what is likely to be wrong."""

import os
import sys
from itertools import islice

from .own import time

MOST = 300  # folders that are looked at
NAMES = 3000  # names in one
LONGEST = 2.0  # seconds for all of it, as some disks are slow

# Modules that are gone, by the version that no longer has them.
GONE = {
    "2": "ConfigParser Cookie HTMLParser Queue SocketServer StringIO __builtin__ cPickle cStringIO "
    "commands cookielib httplib md5 sets thread urllib2 urlparse",
    "3.10": "formatter parser symbol",
    "3.11": "binhex",
    "3.12": "asynchat asyncore distutils imp smtpd",
    "3.13": "aifc audioop cgi cgitb chunk crypt imghdr mailcap msilib nis nntplib ossaudiodev "
    "pipes sndhdr spwd sunau telnetlib uu xdrlib",
}


def explain(e, spec, config):
    """Return the likely cause of a ModuleNotFoundError, and write what there is to see."""
    try:
        cause = _cause(e, spec, config)
        sys.stderr.write(
            f"--- No module named {e.name!r}: this is where it was looked for ---\n"
            f"Python {sys.version.split()[0]} at {sys.executable} "
            f"(from {config['python_from'] or 'PATH'}), {_environment()}\n"
            f"user {_user()}, in the directory {os.getcwd()}\n"
            f"sys.path = {sys.path}\n"
            f"likely cause: {cause}\n"
        )
        sys.stderr.flush()
        return cause
    except Exception:
        return ""  # the traceback is there


def _cause(e, spec, config):
    _until[:] = [time.monotonic() + LONGEST]
    try:
        return next(filter(None, (look(e.name, spec, config) for look in _looks)))
    except _TooLong:
        return f"not looked for any longer, as that took {LONGEST:g} seconds"
    finally:
        _until.clear()


def no_code(module):
    """Say why a module has nothing in it."""
    if getattr(module, "__file__", None) is not None or not hasattr(module, "__path__"):
        return ""
    place = next(iter(module.__path__))
    return _closed(place) or f"{place} is a folder without __init__.py"


def missing_file(path, config):
    """Say what may be wrong with the path of a file that is not there."""
    full = os.path.abspath(path)
    if (closed := _closed(full)) or os.path.isdir(full):
        return closed or "it is a folder"
    other = os.path.join(config["started_in"], path)
    if os.path.isfile(other):
        return f"there is {other}: a relative path counts from chdir"
    folder, name = os.path.split(full)
    near = _close(name, _names(folder), 0.7)
    return f"did you mean {os.path.join(os.path.dirname(path), near)}?" if near else ""


def _misspelt(name, spec, config):
    if "/" in name or name.endswith(".py"):
        file = name if "/" in name else name.rpartition(".")[0] + ".py"
        return f"a module is named, not a file: use wsgi-file = {file}"
    return None


def _inner(name, spec, config):
    """The package is there, and the module in it is not."""
    parent, _, last = name.rpartition(".")
    if not parent:
        return None
    package = sys.modules.get(parent)  # None where its own import has failed
    inner = parent.replace(".", "/")
    paths = [os.path.abspath(os.path.join(folder, inner)) for folder in sys.path]
    places = list(getattr(package, "__path__", filter(os.path.isdir, paths)))
    if not places:
        return package and f"{parent} is a module, {package.__file__}, and no package"
    for place in places:
        if closed := _closed(place):
            return closed
        for file in _names(place):
            if file.startswith(last + ".") and file.endswith((".so", ".pyd")):
                return f"{os.path.join(place, file)} is made for another Python: install it anew"
    top = parent.partition(".")[0]
    for path in paths:
        if path not in places and _has(path, last):
            return f"{top} is taken from {places[0]}, and not from {path}: rename one of them"
    near = _close(last, _modules(places), 0.6)
    hint = f"; did you mean {parent}.{near}?" if near else ""
    return f"{parent} is taken from {places[0]}, which has no {last}{hint}"


def _no_access(name, spec, config):
    top = name.partition(".")[0]
    for entry in sys.path:
        for path in (entry, os.path.join(entry, top), os.path.join(entry, top + ".py")):
            if closed := _closed(path):
                return closed
    return None


def _gone(name, spec, config):
    top = name.partition(".")[0]
    for version, names in GONE.items():
        if top in names.split():
            if version == "2":
                return f"{top} is of Python 2: the code has to be ported to Python 3"
            return f"Python has no {top} any more from {version} on: use an earlier one, or port"
    return None


def _near(name, spec, config):
    top = name.partition(".")[0]
    for folder in (".", *config["pythonpath"]):
        modules = _modules([folder])
        alike = {m.lower(): m for m in modules}
        near = _close(top, modules, 0.7) or alike.get(top.lower())
        if near:
            return f"did you mean {near}, in {os.path.abspath(folder)}?"
    return None


def _elsewhere(name, spec, config):
    """It is somewhere below, above or beside the working directory."""
    top = name.partition(".")[0]
    here = os.getcwd()
    starts = [here, config["started_in"], os.path.dirname(here)]
    homes = [os.environ.get("VIRTUAL_ENV", "")]
    folders = []
    for start in dict.fromkeys(filter(None, starts)):
        folders.append(start)
        for folder in _paths(start, "*"):
            if os.path.exists(os.path.join(folder, "pyvenv.cfg")):
                homes.append(folder)
            else:
                folders += [folder, *(_paths(folder, "[!.]*") if start == here else [])]
    for folder in folders[:MOST]:
        if _has(folder, top) and os.path.abspath(folder) not in map(os.path.abspath, sys.path):
            return f"it is in {folder}, which is not on sys.path: add pythonpath = {folder}"
    for home in filter(None, homes):
        if home != sys.prefix and _installed(home, top):
            return f"it is installed in {home}: add virtualenv = {home}"
    return None


def _other_version(name, spec, config):
    top = name.partition(".")[0]
    ours = "python%d.%d" % sys.version_info[:2]  # noqa: UP031
    site = _installed(sys.prefix, top)
    if _virtual() and site and ours not in site:
        return f"it is in {site}, but its Python is now {ours[6:]}: make the virtualenv again"
    for folder in config["pythonpath"]:
        if "/python3" in folder and ours not in folder and _has(folder, top):
            return f"pythonpath {folder} is for another version than {ours[6:]}"
    for place in (
        ("/usr/lib/python3/dist-packages",),
        ("/usr/local/lib", "python3*", "*-packages"),
        (os.path.expanduser("~/.local/lib"), "python3*", "site-packages"),
    ):
        for folder in _paths(*place):
            if _has(folder, top) and folder not in sys.path:
                return (
                    f"it is installed in {folder}, which this Python does not look into: "
                    "use the Python it is installed for, or install it in a virtualenv"
                )
    return None


def _no_folder(name, spec, config):
    for folder in config["pythonpath"]:
        if not os.path.exists(folder):
            where = (
                "" if os.path.isabs(folder) else f" in {os.getcwd()}, which is what it counts from"
            )
            return f"there is no folder {folder}{where}: correct pythonpath"
    return None


def _not_there(name, spec, config):
    top = name.partition(".")[0]
    if spec and top == spec.partition(":")[0].partition(".")[0]:
        return (
            f"there is no {top}.py and no folder {top} on sys.path: "
            "add chdir = FOLDER or pythonpath = FOLDER, the folder that it is in"
        )
    if _virtual():
        return f"it is not installed in the virtualenv: {sys.prefix}/bin/python -m pip install it"
    return "no virtualenv is in use: add virtualenv = DIR, or install it for this Python"


_looks = (
    _misspelt,
    _inner,
    _no_access,
    _elsewhere,
    _gone,
    _near,
    _other_version,
    _no_folder,
    _not_there,
)


def _virtual():
    return sys.prefix != sys.base_prefix


def _environment():
    return f"virtualenv {sys.prefix}" if _virtual() else "no virtualenv"


def _user():
    try:
        import pwd

        return f"{pwd.getpwuid(os.geteuid()).pw_name} ({os.geteuid()})"
    except (ImportError, KeyError):
        return str(os.geteuid())


def _close(word, names, least):
    """Return the one of names that is most like a word, if it is by least."""
    import difflib

    return next(
        iter(difflib.get_close_matches(word, [n for n in names if n != word], 1, least)), None
    )


class _TooLong(Exception):
    """The time for all looks is up."""


_until = []  # when it is


def _paths(top, *parts):
    """Return the folders below top that the patterns name, sorted; not more than MOST."""
    found = [top]
    for part in parts:
        import fnmatch

        below = (os.path.join(f, n) for f in found for n in sorted(fnmatch.filter(_names(f), part)))
        found = list(islice(filter(os.path.isdir, below), MOST))
    return found


def _names(folder):
    if _until and time.monotonic() > _until[0]:
        raise _TooLong
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in islice(entries, NAMES)]
    except OSError:
        return []


def _modules(folders):
    found = []
    for folder in folders:
        for name in _names(folder):
            if name.endswith(".py"):
                found.append(name[:-3])
            elif os.path.isfile(os.path.join(folder, name, "__init__.py")):
                found.append(name)
    return found


def _has(folder, name):
    path = os.path.join(folder, name)
    return os.path.isfile(path + ".py") or os.path.isfile(os.path.join(path, "__init__.py"))


def _installed(home, name):
    """Return the site-packages of a virtualenv that have a module, or None."""
    for site in _paths(os.path.join(home, "lib"), "py*", "site-packages"):
        if _has(site, name):
            return site
    return None


def _closed(path):
    """Say which folder on the way to a path this user may not enter, or may not read."""
    path = os.path.abspath(path)
    way = ["/"]
    for part in path.split("/"):
        way.append(os.path.join(way[-1], part))
    for place in way:
        if not os.path.exists(place):
            return None
        folder = os.path.isdir(place)
        if not os.access(place, os.X_OK if folder else os.R_OK, effective_ids=_effective):
            what = "enter" if folder else "read"
            return f"user {_user()} may not {what} {place}: give it the right to, or change uid"
    if not os.access(path, os.R_OK, effective_ids=_effective):
        return f"user {_user()} may not read {path}: give it the right to, or change uid"
    return None


_effective = os.access in os.supports_effective_ids
