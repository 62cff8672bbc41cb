"""Apps that are made in another way than by a module or a file, and what is imported before."""

import sys

import pytest
from shim import apps, interrupts
from test_apps import config, load

APP = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"it"]

def make(global_config, **settings):
    application.settings = settings
    return application
"""

INI = """
[app:main]
use = call:shop:make
colour = red

[app:other]
use = call:shop:make
colour = blue

[uwsgi]
module = no.part.of.it
"""


@pytest.mark.parametrize(
    ("uri", "name", "colour"),
    [
        ("config:{cwd}/the.ini", "", "red"),
        ("{cwd}/the.ini", "", "red"),
        ("the.ini", "", "red"),
        ("config:the.ini", "other", "blue"),
        ("config:{cwd}/the.ini#other", "", "blue"),
    ],
)
def test_paste(here, uri, name, colour):
    pytest.importorskip("paste.deploy", reason="SKIP: the package PasteDeploy is not there")
    (here / "shop.py").write_text(APP)
    (here / "the.ini").write_text(INI)
    app = load(uri.format(cwd=here), "", name, "paste")
    assert app.settings == {"colour": colour}


def test_paste_logger(here, capfd):
    pytest.importorskip("paste.deploy", reason="SKIP: the package PasteDeploy is not there")
    (here / "shop.py").write_text(APP)
    (here / "the.ini").write_text(INI)
    app = apps.load("the.ini", "", "", config(paste_logger=True), "paste")
    assert callable(app)
    assert "WARNING: paste-logger: " in capfd.readouterr().err  # it has no such sections


@pytest.mark.parametrize(
    ("way", "path", "reason"),
    [
        ("paste", "gone.ini", "file not found: {cwd}/gone.ini"),
        ("paste", "config:/gone.ini", "file not found: /gone.ini"),
        ("pecan", "gone.py", "file not found: gone.py (in {cwd})"),
        ("eval", "x = 1", "no callable application in the code of eval"),
    ],
)
def test_reasons(here, way, path, reason):
    with pytest.raises(apps.LoadError) as e:
        load(path, "", "", way)
    assert str(e.value) == reason.format(cwd=here)


@pytest.mark.parametrize(
    ("way", "module", "package"), [("paste", "paste", "PasteDeploy"), ("pecan", "pecan", "pecan")]
)
def test_missing_package(here, monkeypatch, way, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    (here / "the.conf").write_text("")
    with pytest.raises(apps.LoadError) as e:
        load("./the.conf", "", "", way)
    assert f"pip install {package}" in str(e.value)


def test_pecan(here, monkeypatch):
    (here / "config.py").write_text("app = {}\n")
    deploy = type(sys)("pecan.deploy")
    deploy.deploy = lambda file: lambda environ, start_response: file
    package = type(sys)("pecan")
    package.deploy = deploy
    monkeypatch.setitem(sys.modules, "pecan", package)
    monkeypatch.setitem(sys.modules, "pecan.deploy", deploy)
    assert load("config.py", "", "", "pecan")({}, None) == "config.py"


def test_eval():
    app = load("def application(environ, start_response):\n    return __name__", "", "", "eval")
    assert app({}, None) == "uwsgi_eval_config"


def test_imports(here, capfd):
    (here / "first.py").write_text("import sys; sys.order = ['first']\n")
    (here / "second.py").write_text("import sys; sys.order.append(__name__)\n")
    (here / "broken.py").write_text("1 / 0\n")
    (here / "app.py").write_text(
        "import sys\norder = list(sys.order)\ndef application(environ, start_response): pass\n"
    )
    names = ["first", "./second.py", "broken", "nowhere", "gone.py"]
    done = []
    found, [(_, _, reason)], _ = apps.load_all(
        config(("", "", "app", "application"), imports=[["import", n] for n in names]),
        lambda place, text: done.append(text),
        interrupts.hold(),
    )
    assert reason is None
    assert found[0] is not None
    assert sys.modules["app"].order == ["first", "__second"]
    assert done == [*(f"importing {n}" for n in names), "importing app"]
    log = capfd.readouterr().err
    assert "ZeroDivisionError" in log
    for name in names[2:]:
        assert f"WARNING: import = {name}: " in log
    assert "first" not in log
    del sys.order
