"""What ps shows, of a process of its own."""

import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SKIP: Linux only")

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from shim import title
title.of_process({names}, {number})
print(open("/proc/self/comm").read().strip())
sys.stdout.flush()
sys.stdout.buffer.write(open("/proc/self/cmdline", "rb").read().rstrip(b"\\0"))
"""


def shown(names, number):
    """Return comm and command line of a process that was given a name."""
    root = str(pathlib.Path(__file__).parents[2])
    script = SCRIPT.format(names=names, number=number)
    out = subprocess.run([sys.executable, "-c", script, root], capture_output=True, check=True)
    comm, _, line = out.stdout.partition(b"\n")
    return comm.decode(), line.decode()


def test_name_of_the_number():
    assert shown(["uWSGI zygote", "uWSGI worker 1"], 1) == ("uWSGI worker 1", "uWSGI worker 1")


def test_comm_is_cut_where_the_kernel_would_refuse():
    comm, line = shown(["my shop uWSGI zygote é"], 0)
    assert comm == "my shop uWSGI z"
    assert line == "my shop uWSGI zygote é"


def test_longer_than_the_arguments():
    comm, line = shown("['x' * 10000]", 0)
    assert comm == "x" * 15
    assert set(line) == {"x"}
    assert len(line) < 10000


@pytest.mark.parametrize(
    ("names", "number", "line"),
    [
        ([], 0, "uwsgo zygote"),
        ([""], 0, "uwsgo zygote"),
        (["zygote"], 1, "uwsgo worker 1"),
        (["", "", ""], 2, "uwsgo worker 2"),
    ],
)
def test_no_name_of_that_number(names, number, line):
    comm, shows = shown(names, number)
    assert comm.startswith("python")
    assert shows == line
