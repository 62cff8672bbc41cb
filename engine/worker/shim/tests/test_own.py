"""The copies of modules that the shim works with."""

import pathlib
import subprocess
import sys

import pytest
from shim import exchange, files, forked, imports, own, port, worker, zygote

LIBRARY = {"io", "_io", "marshal", "os", "posix", "select", "_signal", "_socket", "_thread", "time"}


@pytest.mark.parametrize("module", [exchange, files, forked, imports, port, worker, zygote])
def test_what_replaces_modules_by_name_finds_none(module):
    """As pyfakefs does: it looks through all modules for what is called os or io, and for open."""
    found = {n for n, v in vars(module).items() if getattr(v, "__name__", "") in LIBRARY}
    assert found == set()
    assert getattr(module, "open", None) is None
    assert own.os.__name__ == "_uwsgo.os"


def test_takes_little_of_the_library():
    """Each of these takes up to half a megabyte of all workers, idle ones too."""
    large = {"re", "enum", "traceback", "threading", "ctypes", "sysconfig", "socket", "json"}
    names = [f.stem for f in pathlib.Path(zygote.__file__).parent.glob("*.py")]
    known = {"bootstrap", "decorators", "precompile", "__init__"}
    code = "import sys; had = set(sys.modules)\n"
    code += "".join(f"import shim.{name}\n" for name in sorted(set(names) - known))
    code += "print(*(set(sys.modules) - had))"
    top = pathlib.Path(zygote.__file__).parents[1]
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=top, check=True, capture_output=True, text=True
    )
    assert "shim.worker" in loaded.stdout
    assert large & set(loaded.stdout.split()) == set()
