import importlib
import sys

from shim import imports


def test_each_file_is_told_once(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("told_module", "unwatched_module"):
        (tmp_path / (name + ".py")).write_text("")
        importlib.import_module(name)
    messages = []
    i = imports.Imports({"unwatched": ["unwatched_module"]}, messages.append)
    i.tell()
    files = [f for _, some in messages for f in some]
    assert {name for name, _ in messages} == {"imported"}
    assert files.count(str(tmp_path / "told_module.py")) == 1
    assert not any("unwatched_module" in f for f in files)
    assert not any(f == importlib.__file__ or "site-packages" in f for f in files)
    messages.clear()
    i.tell()
    assert messages == []
    del sys.modules["told_module"], sys.modules["unwatched_module"]
