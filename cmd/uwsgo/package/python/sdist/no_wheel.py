"""The build backend of the source distribution: it says how to get the program."""

import platform
import sys
import sysconfig

TEXT = """
There is no wheel of uwsgo for this system: {system}.

uwsgo is one program written in Go, and its wheels carry it ready-made for Linux (any C
library) and macOS, on x86-64 and arm64. Elsewhere build it with Go; it takes a minute:

    go install github.com/uwsgo/uwsgo/cmd/uwsgo@{tag}

and run it from there ($(go env GOPATH)/bin/uwsgo). It finds the Python of a virtualenv by
VIRTUAL_ENV, or by the option virtualenv. On a system that has a wheel, pip has come here
because of --no-binary, or because it is older than 20.3: python -m pip install -U pip
"""


def refuse(*args, **kwargs):
    text = TEXT.format(
        system=f"{sysconfig.get_platform()}, {platform.python_implementation()} "
        f"{platform.python_version()}",
        tag="@TAG@",
    )
    sys.stderr.write(text)
    sys.stderr.flush()
    raise SystemExit("uwsgo: no wheel for this system; how to build the program stands above")


get_requires_for_build_wheel = refuse
build_wheel = refuse
build_sdist = refuse
