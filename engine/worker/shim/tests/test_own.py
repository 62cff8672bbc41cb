"""The copies of modules that the shim works with."""

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
