"""What is said when a module or a file is not found, and that it fits."""

import os
import pathlib
import subprocess
import sys

import pytest

# Run in a process of its own, so that sys.modules and sys.path are new.
SCRIPT = """
import json, os, sys
root, spec, file, config = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
user = config.pop("user", None)
sys.path.insert(0, root)
from shim import apps, interrupts
sys.path.remove(root)
sys.path[:] = [p for p in sys.path if p]
sys.path.insert(0, ".")
for path in config["pythonpath"]:
    sys.path.insert(0, path)
sys.dont_write_bytecode = True
if user:
    os.setgid(user)
    os.setuid(user)
config["apps"] = [["", file, spec, "", ""]]
_, [(mount, seconds, reason)], _ = apps.load_all(config, lambda *_: None, interrupts.hold())
print(reason)
"""


def reason(cwd, module, file="", **config):
    import json

    config = {"pythonpath": [], "started_in": str(cwd), "python_from": "PATH", **config}
    config["imports"] = []
    root = str(pathlib.Path(__file__).parents[2])
    command = [sys.executable, "-c", SCRIPT, root, module, file, json.dumps(config)]
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    return run.stdout.strip(), run.stderr


def site(home, version=None):
    version = version or "%d.%d" % sys.version_info[:2]  # noqa: UP031
    return f"{home}/lib/python{version}/site-packages"


@pytest.mark.parametrize(
    ("files", "module", "config", "cause"),
    [
        pytest.param(["shop.py"], "shpo", {}, "did you mean shop, in {cwd}?", id="misspelt"),
        pytest.param(["Shop.py"], "sHOP", {}, "did you mean Shop", id="case"),
        pytest.param(
            ["lib/shop.py"], "shopp", {"pythonpath": ["lib"]}, "did you mean shop", id="pythonpath"
        ),
        pytest.param(
            ["shop/__init__.py", "shop/wsgi.py"],
            "shop.wsgy",
            {},
            "which has no wsgy; did you mean shop.wsgi?",
            id="misspelt_in_package",
        ),
        pytest.param(["shop/app.py"], "shop", {}, "is a folder without __init__.py", id="folder"),
        pytest.param(["shop.py"], "shop.wsgi", {}, "and no package", id="module_not_package"),
        pytest.param(["shop.py"], "shop.py", {}, "use wsgi-file = shop.py", id="file_as_module"),
        pytest.param(
            ["src/shop/__init__.py"],
            "shop",
            {},
            "it is in {cwd}/src, which is not on sys.path: add pythonpath = {cwd}/src",
            id="below",
        ),
        pytest.param(
            ["site/shop.py", "cwd/x"], "shop", {}, "it is in {root}/site", id="beside", marks=[]
        ),
        pytest.param(
            ["venv/pyvenv.cfg", site("venv") + "/flaskx/__init__.py"],
            "flaskx",
            {},
            "it is installed in {cwd}/venv: add virtualenv = {cwd}/venv",
            id="virtualenv",
        ),
        pytest.param(
            [".venv/pyvenv.cfg", site(".venv", "3.9") + "/flaskx.py"],
            "flaskx",
            {},
            "add virtualenv = {cwd}/.venv",
            id="hidden_virtualenv_of_another_python",
        ),
        pytest.param(
            [site("old", "3.1") + "/flaskx.py"],
            "flaskx",
            {"pythonpath": [site("old", "3.1")[:-1] + "s/../site-packages"]},
            "",
            id="found_is_no_error",
        ),
        pytest.param(
            ["x/flaskx.py"], "other", {"pythonpath": ["lib"]}, "no folder lib", id="no_folder"
        ),
        pytest.param([], "nowhere", {}, "no nowhere.py and no folder nowhere", id="own_module"),
        pytest.param(
            ["app.py:import flaskx"],
            "app",
            {},
            "add virtualenv = DIR|pip install",
            id="third_party",
        ),
        pytest.param(["app.py:import urllib2"], "app", {}, "is of Python 2", id="python2"),
        pytest.param(
            [
                "fast/__init__.py:import fast.core",
                "fast/core.cpython-31-x86_64-linux-gnu.so",
            ],
            "fast",
            {},
            "is made for another Python",
            id="extension",
        ),
        pytest.param(
            ["lib/shop/__init__.py", "shop/__init__.py", "shop/wsgi.py"],
            "shop.wsgi",
            {"pythonpath": ["lib"]},
            "taken from {cwd}/lib/shop, and not from {cwd}/shop: rename one",
            id="shadowed",
        ),
    ],
)
def test_cause(tmp_path, files, module, config, cause):
    root = tmp_path.resolve()
    cwd = root / "cwd"
    cwd.mkdir()
    for file in files:
        file, _, text = file.partition(":")
        path = (root if file.startswith(("site/", "cwd/")) else cwd) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or "def application(environ, start_response): pass\n")
    got, err = reason(cwd, module, **config)
    if not cause:
        assert got == "None"
        return
    assert any(c in got for c in cause.format(cwd=cwd, root=root).split("|")), got
    assert "\n" not in got
    if "import error" not in got:
        return
    assert f"at {sys.executable} (from PATH)" in err
    assert "sys.path = [" in err
    assert "likely cause: " in err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="SKIP: needs root")
@pytest.mark.parametrize(
    ("files", "closed", "module", "config"),
    [
        pytest.param(["shop/__init__.py"], "shop", "shop", {}, id="package"),
        pytest.param(["shop/wsgi.py"], "shop", "shop.wsgi", {}, id="namespace_package"),
        pytest.param(["a/lib/shop.py"], "a", "shop", {"pythonpath": ["a/lib"]}, id="pythonpath"),
    ],
)
def test_folder_that_the_user_may_not_enter(files, closed, module, config):
    import tempfile

    with tempfile.TemporaryDirectory() as cwd:
        os.chmod(cwd, 0o755)
        root = pathlib.Path(cwd)
        for file in files:
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
        (root / closed).chmod(0o700)
        got, _ = reason(cwd, module, user=65534, **config)
        assert f"may not enter {cwd}/{closed}: give it the right to, or change uid" in got


@pytest.mark.parametrize(
    ("files", "path", "cause"),
    [
        pytest.param(["app.py"], "ap.py", "did you mean app.py?", id="misspelt"),
        pytest.param(["sub/wsgi.py"], "sub/wsgy.py", "did you mean sub/wsgi.py?", id="in_folder"),
        pytest.param(["sub/app.py"], "sub", "it is a folder", id="folder"),
        pytest.param(["../app.py"], "app.py", "a relative path counts from chdir", id="chdir"),
    ],
)
def test_file(tmp_path, files, path, cause):
    root = tmp_path.resolve()
    (root / "cwd").mkdir()
    for file in files:
        (root / "cwd" / file).parent.mkdir(exist_ok=True)
        (root / "cwd" / file).write_text("")
    got, _ = reason(root / "cwd", "", path, started_in=str(root))
    assert got.startswith(f"file not found: {path} (in {root}/cwd); ")
    assert cause in got
