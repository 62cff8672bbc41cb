"""Finding and importing the apps."""

import importlib
import importlib.machinery
import importlib.util
import os
import sys

from . import hints, interrupts, spawned
from .forked import leave
from .own import os as own_os
from .own import time
from .trace import report, say

getpid, monotonic = own_os.getpid, time.monotonic  # the app may replace what os and time have

FUNCTION = type(lambda: None)
VARARGS = 0x04  # of co_flags: *args
ASYNC = 0x80 | 0x200  # of co_flags: a coroutine, an asynchronous generator


class LoadError(Exception):
    """An app that cannot be loaded; the message says why, in one line."""


def load_all(config, doing, held):
    """Import each (mount, file, module, callable) of the configuration.

    doing is called before each import, with the app's place and a text. held is the app code
    to restore during an import, see interrupts. Return the callables, None for a failed one, a
    report for the server, (mount, seconds, None or the reason), and the code held afterwards.
    """
    found, outcome = [], []
    pid = getpid()
    held = import_all(config, doing, held)
    for place, (mount, path, module, name, way) in enumerate(config["apps"]):
        doing(place, f"importing {module or ('the code of eval' if way == 'eval' else path)}")
        start = monotonic()
        reason = None

        def one(path=path, module=module, name=name, way=way):
            return load(path, module, name, config, way)

        app, e, held = interrupts.run(held, one)
        if getpid() != pid:
            leave(e)
        if isinstance(e, LoadError):
            reason = str(e)
        elif e is not None:
            report(e)
            reason = why(e)
            if isinstance(e, ModuleNotFoundError) and e.name:
                cause = hints.explain(e, module, config)
                reason += f" ({cause})" if cause else ""
            elif isinstance(e, MemoryError) and config["limit_as"]:
                limit = f"limit-as is {config['limit_as']} bytes"
                reason += f" ({limit}: raise it, or leave it out)"
        found.append(app)
        outcome.append((mount, monotonic() - start, reason))
    return found, outcome, held


def import_all(config, doing, held):
    """Import what import and its kin name. As in uWSGI, what fails does not end the start."""
    pid = getpid()
    for option, what in config["imports"]:
        doing(-1, f"importing {what}")

        def one(what=what):
            if "/" in what or what.endswith(".py"):
                load_file(what, config, "")
            else:
                importlib.import_module(what)

        _, e, held = interrupts.run(held, one)
        if getpid() != pid:
            leave(e)
        if e is None:
            continue
        reason = str(e)
        if not isinstance(e, LoadError):
            report(e)
            reason = why(e)
        say(f"*** WARNING: {option} = {what}: {reason}; the start goes on without it ***\n")
    return held


def load(path, module, name, config, way=""):
    """Return the callable that a wsgi-file or a module[:callable] names.

    way is empty for those. Otherwise it names the kind of path: see WAYS.
    """
    if way in WAYS:
        return check(WAYS[way](path, name, config), way, path, "", False)
    if way == "eval":
        target, path = evaluate(path), "the code of eval"
    elif module:
        module, _, own = module.partition(":")
        name = own or name
        target = importlib.import_module(module)
    else:
        target = load_file(path, config)
    name = name or usual(target)
    factory = name.endswith("()")
    app = target
    for part in name[: -2 if factory else None].split("."):
        app = getattr(app, part, None)
        if app is None:
            raise LoadError(f"no callable {name} in {module or path}{candidates(target)}")
    if factory:
        app = app()
    return check(app, name, path, module, factory)


def check(app, name, path, module, factory):
    """Return an app, or raise LoadError if it is none."""
    if not callable(app):
        raise LoadError(f"{name} in {module or path} is not callable but {type(app).__name__}")
    if asynchronous(app):
        raise LoadError(
            f"{name} in {module or path} is an ASGI app, and uwsgo runs WSGI apps: name its WSGI "
            "callable (Django: get_wsgi_application()), wrap it in ASGIMiddleware of the package "
            "a2wsgi, or serve it with an ASGI server such as uvicorn"
        )
    if not takes_both(app):
        raise LoadError(
            f"{name} in {module or path} cannot be called with the two arguments of a WSGI app, "
            f"environ and start_response{'' if factory else way_out(app, name, module)}"
        )
    return app


def paste(uri, name, config):
    """Return the app of a PasteDeploy URI. A path is one of a file, as config: says."""
    if ":" not in uri:
        uri = "config:" + uri
    scheme, _, rest = uri.partition(":")
    file, mark, section = rest.partition("#")
    if scheme == "config":
        file = os.path.abspath(file)  # PasteDeploy takes no other
        if not os.path.isfile(file):
            raise LoadError(f"file not found: {file}")
        uri = f"config:{file}{mark}{section}"
        if config["paste_logger"]:
            set_up_logging(file)
    try:
        from paste.deploy import loadapp
    except ModuleNotFoundError as e:
        name_package(e, "paste", "PasteDeploy")
        raise
    return loadapp(uri, name or None)


def set_up_logging(file):
    """Do what the sections loggers, handlers and formatters of a file say."""
    from logging.config import fileConfig

    try:
        fileConfig(file, {"__file__": file, "here": os.path.dirname(file)})
    except Exception as e:
        report(e)
        say(f"*** WARNING: paste-logger: {file}: {why(e)}; the start goes on without it ***\n")


def pecan(file, name, config):
    """Return the app of a configuration file of Pecan's."""
    if not os.path.isfile(file):
        raise LoadError(f"file not found: {file} (in {os.getcwd()})")
    try:
        from pecan.deploy import deploy
    except ModuleNotFoundError as e:
        name_package(e, "pecan", "pecan")
        raise
    return deploy(file)


WAYS = {"paste": paste, "pecan": pecan}


def name_package(e, module, package):
    """Raise LoadError where it is the package that an option needs which is missing."""
    if e.name in (module, f"{module}.deploy"):
        raise LoadError(
            f"{module} needs the package {package}, which this Python does not have: "
            f"{sys.executable or 'python'} -m pip install {package}"
        ) from e


def evaluate(code):
    """Run the code of eval as the module that it is in uWSGI."""
    name = "uwsgi_eval_config"
    module = type(sys)(name)
    sys.modules[name] = module
    exec(compile(code, name, "exec", dont_inherit=True), module.__dict__)
    return module


def usual(target):
    """Return the name of the app in a module where nobody has given one."""

    def there(name):
        value = getattr(target, name, None)
        return callable(value) and not isinstance(value, type)

    found = [n for n in ("application", "app", "wsgi") if there(n)]
    flask = [n for n, v in vars(target).items() if there(n) and hasattr(v, "wsgi_app")]
    made = [n + "()" for n in ("create_app", "make_app") if no_arguments(getattr(target, n, None))]
    return (found + flask + made + ["application"])[0]


def no_arguments(factory):
    """Tell whether a factory can be called as it is."""
    code = getattr(factory, "__code__", None)
    if code is None or code.co_flags & ASYNC:
        return False
    given = len(factory.__defaults__ or ())
    return code.co_argcount == given and code.co_kwonlyargcount == len(factory.__kwdefaults__ or ())


def takes_both(app):
    """Tell whether an app can be called with two arguments.

    Only plain functions are checked, by their code: a decorator's signature says nothing about
    a call. Other callables may take any arguments.
    """
    if type(app) is not FUNCTION:
        return True
    code = app.__code__
    least = code.co_argcount - len(app.__defaults__ or ())
    named = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
    given = app.__kwdefaults__ or {}
    most = 2 if code.co_flags & VARARGS else code.co_argcount
    return least <= 2 <= most and all(n in given for n in named)


def way_out(app, name, module):
    """Return what to do where a function is no app, but perhaps makes one."""
    if no_arguments(app):
        return f"; if it makes the app, name it {name}()"
    if app.__code__.co_argcount > 2:
        return ""
    source = module or "that file"
    return (
        f"; if it makes the app, write a file wsgi.py that imports it from {source} and says "
        f"application = {name}(...), and run uwsgo wsgi:application"
    )


def asynchronous(app):
    """Tell an ASGI app by what a call of it would be."""
    while hasattr(app, "func") and type(app).__name__ in ("partial", "partialmethod"):
        app = app.func
    if not hasattr(app, "__code__") and not hasattr(app, "__func__"):
        app = getattr(type(app), "__call__", app)  # noqa: B004
    code = getattr(getattr(app, "__func__", app), "__code__", None)
    if code is None:
        return False
    names = code.co_varnames[: code.co_argcount]
    names = names[1:] if names[:1] == ("self",) else names
    # The second is a coroutine function in the guise of a usual one, the third of ASGI 2.
    return (
        bool(code.co_flags & ASYNC) or names == ("scope", "receive", "send") or names == ("scope",)
    )


def load_file(path, config, prefix="uwsgi_file_"):
    """Run a file as a module of the name that uWSGI gives it."""
    name = prefix + path.removesuffix(".py").replace("/", "_").replace(".", "_")
    if not os.path.isfile(path):
        cause = hints.missing_file(path, config)
        cause = f"; {cause}" if cause else ""
        raise LoadError(f"file not found: {path} (in {os.getcwd()}){cause}")
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    module.__file__ = path  # as given, as in uWSGI
    sys.modules[name] = module
    spawned.tell(name, os.path.abspath(path))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def threads():
    """Return the names of the threads that run besides this one, as far as they have any."""
    threading = sys.modules.get("threading")
    if threading is None:
        return []
    own = threading.current_thread()
    return [str(t.name)[:80] for t in threading.enumerate() if t is not own][:10]


def reseed():
    """Give a worker its own random numbers if the zygote has made a generator.

    Python's random does so by itself. The functions of numpy.random would give the same
    numbers in all workers.
    """
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        try:
            numpy.seed()
        except Exception as e:
            report(e)


def candidates(module):
    """Return a hint with the names in module that look like apps."""
    if why := hints.no_code(module):
        return f": {why}"
    names = []
    for name, value in vars(module).items():
        own = getattr(value, "__module__", None) == module.__name__
        if name.startswith("_") or not callable(value) or isinstance(value, type):
            continue
        if name in ("app", "application", "wsgi") or hasattr(value, "wsgi_app"):
            names.append(name)
        elif own and name in ("create_app", "make_app", "get_wsgi_application"):
            names.append(name + "()")
        elif own and takes_two(value):
            names.append(name)
    return f"; did you mean {' or '.join(names)}?" if names else ""


def takes_two(value):
    code = getattr(value, "__code__", None)
    return code is not None and code.co_argcount == 2 and code.co_varnames[0].startswith("env")


def why(e):
    """Return one line on what went wrong while importing."""
    if isinstance(e, SyntaxError):
        return f"syntax error in {e.filename}, line {e.lineno}: {e.msg}"
    try:
        text = " ".join(str(e).split())[:500]
    except Exception:
        text = "its message cannot be shown"  # __str__ is the app's code as well
    label = "import error" if isinstance(e, ImportError) else type(e).__name__
    return f"{label}: {text}" if text else label


def missing(environ, start_response):
    """Answer for an app that could not be loaded."""
    say("--- no python application found, check your startup logs for errors ---\n")
    start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
    return [b"Internal Server Error"]
