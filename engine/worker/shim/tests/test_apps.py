"""Finding and importing apps."""

import sys

import pytest
from shim import apps, interrupts


def load_all(config):
    held = interrupts.hold()
    try:
        found, outcome, held = apps.load_all(config, lambda *_: None, held)
        return found, outcome
    finally:
        held.give_back()


def config(*specs, **more):
    usual = {"pythonpath": [], "started_in": "/", "python_from": "PATH", "paste_logger": False}
    return {"apps": [(*spec, "")[:5] for spec in specs], "imports": [], **usual, **more}


def load(path, module, name, way=""):
    return apps.load(path, module, name, config(), way)


APP = "def application(environ, start_response): pass\n"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("app.py", "uwsgi_file_app"),
        ("sub/my.app.wsgi", "uwsgi_file_sub_my_app_wsgi"),
        ("./sub/app.py", "uwsgi_file___sub_app"),
    ],
)
def test_file(here, path, name):
    (here / path).write_text(APP)
    app = load(path, "", "")
    assert app.__module__ == name
    assert sys.modules[name].__file__ == path


@pytest.mark.parametrize(
    ("source", "module", "callable", "value"),
    [
        pytest.param(APP, "mod", "", None, id="default_name"),
        pytest.param("app = lambda e, s: 1", "mod:app", "", 1, id="name_in_module"),
        pytest.param("app = lambda e, s: 1", "mod", "app", 1, id="name_apart"),
        pytest.param("app = lambda e, s: 1\nx = app", "mod:x", "app", 1, id="own_name_wins"),
        pytest.param("def make(): return lambda e, s: 2", "mod:make()", "", 2, id="factory"),
        pytest.param("class A:\n    app = len", "mod:A.app", "", "len", id="dotted"),
        pytest.param("app = lambda e, s: 1", "mod", "", 1, id="usual_name"),
        pytest.param("app = 3\ndef wsgi(e, s): return 1", "mod", "", 1, id="not_callable"),
        pytest.param(
            "app = lambda e, s: 1\napplication = lambda e, s: 2",
            "mod",
            "",
            2,
            id="application_first",
        ),
        pytest.param(
            "def create_app(x=0): return lambda e, s: 2", "mod", "", 2, id="usual_factory"
        ),
    ],
)
def test_module(here, source, module, callable, value):
    (here / "mod.py").write_text(source)
    app = load("", module, callable)
    assert app is len if value == "len" else app(None, None) == value


@pytest.mark.parametrize(
    ("source", "spec", "reason"),
    [
        pytest.param("", ("none.py", "", ""), "file not found: none.py", id="no_file"),
        pytest.param("", ("sub", "", ""), "file not found: sub", id="directory"),
        pytest.param("x = (", ("", "mod", ""), "syntax error in", id="syntax"),
        pytest.param("x = (", ("mod.py", "", ""), "mod.py, line 1: ", id="syntax_in_file"),
        pytest.param("", ("", "nomod", ""), "import error: No module named 'nomod'", id="module"),
        pytest.param("import nomod", ("", "mod", ""), "named 'nomod'", id="inner_import"),
        pytest.param("1 / 0", ("", "mod", ""), "ZeroDivisionError: division by zero", id="raises"),
        pytest.param("exit(3)", ("", "mod", ""), "SystemExit: 3", id="exits"),
        pytest.param(
            "def app(environ, start_response): pass\ndef other(x): pass",
            ("", "mod", "application"),
            "no callable application in mod; did you mean app?",
            id="hint",
        ),
        pytest.param(
            "def create_app(): pass",
            ("mod.py", "", "app"),
            "no callable app in mod.py; did you mean create_app()?",
            id="hint_for_factory",
        ),
        pytest.param("application = 3", ("", "mod", ""), "is not callable but int", id="int"),
    ],
)
def test_failure(here, source, spec, reason):
    (here / "mod.py").write_text(source)
    found, [(mount, seconds, why)] = load_all(config(("/m", *spec)))
    assert (found, mount) == ([None], "/m")
    assert seconds >= 0
    assert reason in why
    assert "\n" not in why


def test_traceback_begins_in_the_app(here, capsys):
    (here / "mod.py").write_text("def f():\n    1 / 0\nf()")
    load_all(config(("", "mod.py", "", "")))
    err = capsys.readouterr().err
    assert err.count("File ") >= 2
    assert "in f" in err
    assert "importlib._bootstrap" not in err


ASGI = """
import functools
async def app(scope, receive, send): pass
class Starlette:
    async def __call__(self, scope, receive, send): pass
    async def method(self, scope, receive, send): pass
class Child(Starlette): pass
class Two:
    def __call__(self, scope): return app
def two(scope): return app
def guise(scope, receive, send): return app(scope, receive, send)
async def blocks(environ, start_response): yield b""
async def answer(environ, start_response): return [b""]
instance, child, double, bound = Starlette(), Child(), Two(), Starlette().method
partial = functools.partial(app)
twice = functools.partial(functools.partial(instance))
def factory(): return instance
"""

WSGI = """
import functools
def app(environ, start_response): return []
class App:
    def __call__(self, environ, start_response): return []
    def method(self, environ, start_response): return []
    async def other(self, scope, receive, send): pass
    async def __aenter__(self): pass
instance, bound, partial = App(), App().method, functools.partial(app)
class Func(App):
    func = None
func = Func()
class Block:
    def __init__(self, environ, start_response): pass
    async def __call__(self, scope): pass
def wrapped(app):
    @functools.wraps(app)
    def inner(environ, start_response): return app
    return inner
async def inside(scope, receive, send): pass
decorated = wrapped(inside)
any = lambda *args: []
class Both:
    def __call__(self, *args): return []
both = Both()
builtin = max
"""


@pytest.mark.parametrize(
    "name",
    "app instance child double bound two guise blocks answer partial twice factory()".split(),
)
def test_asgi_is_refused(here, name):
    (here / "mod.py").write_text(ASGI)
    with pytest.raises(apps.LoadError, match=r"is an ASGI app.*a2wsgi"):
        load("", "mod", name)


@pytest.mark.parametrize(
    "name", "app instance bound partial func Block decorated any both builtin".split()
)
def test_wsgi_is_not_taken_for_asgi(here, name):
    (here / "mod.py").write_text(WSGI)
    load("", "mod", name)


NEITHER = """
def none(): return app
def one(config): return app
def default(config=None): return app
def keywords(**config): return app
def asked(environ, start_response, *, config): return []
def asked_beside(environ, start_response, *, a=1, b): return []
def three(self, environ, start_response): return []
empty = lambda: app
def app(environ, start_response): return []
def lying(): return app
lying.__wrapped__ = app
def makes(): return none
"""

BOTH = """
import functools
def two(environ, start_response): return []
def any(*args): return []
def one_and_any(environ, *args): return []
def anything(*args, **more): return []
def default(environ, start_response=None): return []
def defaults(environ=None, start_response=None): return []
def third(environ, start_response, config=None): return []
def keyword(environ, start_response, *, config=None): return []
def positional(environ, start_response, /): return []
def keywords(environ, start_response, **more): return []
def none(): return []
@functools.wraps(none)
def wraps_none(*args): return []
partial = functools.partial(lambda config, environ, start_response: [], 1)
partial_of_none = functools.partial(none)
class NoArguments:
    def __call__(self): return []
class App:
    def __call__(self, environ, start_response): return []
    def method(self, environ, start_response): return []
    @staticmethod
    def static(environ, start_response): return []
    @classmethod
    def klass(cls, environ, start_response): return []
class Site:  # as in Flask
    def wsgi_app(self, environ, start_response): return []
    def __call__(self, environ, start_response): return self.wsgi_app(environ, start_response)
    def __getattr__(self, name): raise AttributeError(name)
class Made:
    def __init__(self, environ, start_response): pass
instance, site, no_arguments = App(), Site(), NoArguments()
bound, static, klass = instance.method, App.static, App.klass
cached = functools.lru_cache()(none)
builtin, builtin_type = len, dict
"""


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("none", "if it makes the app, name it none()"),
        ("default", "if it makes the app, name it default()"),
        ("keywords", "if it makes the app, name it keywords()"),
        ("empty", "if it makes the app, name it empty()"),
        ("lying", "if it makes the app, name it lying()"),
        ("one", "write a file wsgi.py that imports it from mod and says application = one(...)"),
        ("asked", "write a file wsgi.py"),
        ("asked_beside", "write a file wsgi.py"),
        ("three", "environ and start_response"),
        ("makes()", "environ and start_response"),
    ],
)
def test_what_cannot_take_both_arguments_is_refused(here, name, hint):
    (here / "mod.py").write_text(NEITHER)
    found, [(_, _, why)] = load_all(config(("", "", "mod:" + name, "")))
    assert found == [None]
    assert why.startswith(f"{name} in mod cannot be called with the two arguments of a WSGI app")
    assert hint in why
    assert ("if it makes" in why) == (name not in ("three", "makes()"))


@pytest.mark.parametrize("name", ["none()", "one_of_two()"])
def test_factory_of_that_hint_works(here, name):
    source = NEITHER + "def one_of_two(config=None): return app\n"
    (here / "mod.py").write_text(source)
    assert load("", "mod", name).__name__ == "app"


@pytest.mark.parametrize(
    "name",
    "two any one_and_any anything default defaults third keyword positional keywords wraps_none "
    "partial partial_of_none instance site no_arguments bound static klass Made cached builtin "
    "builtin_type".split(),
)
def test_what_may_take_both_arguments_is_run(here, name):
    (here / "mod.py").write_text(BOTH)
    load("", "mod", name)
