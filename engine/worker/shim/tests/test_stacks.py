"""What the signal that asks for a stack does, in a process of its own."""

import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SKIP: Linux only")

SCRIPT = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
sys.modules["faulthandler"] = None  # as on a Python without it
from shim import worker
worker.give_stacks(1, 62)
os.kill(os.getpid(), 62)
print("lives")
"""


def test_without_faulthandler_the_signal_ends_nothing():
    where = str(pathlib.Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", SCRIPT, where], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "lives\n", "")
