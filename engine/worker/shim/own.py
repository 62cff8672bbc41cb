"""The parts of Python's library that the shim uses, copied before any app runs.

Apps patch modules (gevent, eventlet), wrap their functions, or delete them from sys.modules.
They may, but the code that runs them must not change: several threads cannot use a gevent
socket, for example. So these are copies of the modules, made before the first app is imported,
and of modules in C, which call nothing that lives in a module. bootstrap does the same for
builtins.
"""

import _io
import _signal
import _socket
import _thread
import fcntl as _fcntl
import marshal as _marshal
import os as _os
import select as _select
import time as _time


def _copy(module):
    copy = type(module)(module.__name__)
    copy.__dict__.update(module.__dict__)
    # pyfakefs replaces every name os or io that it finds.
    copy.__name__ = f"_uwsgo.{module.__name__}"
    return copy


fcntl = _copy(_fcntl)
io = _copy(_io)
marshal = _copy(_marshal)
os = _copy(_os)
select = _copy(_select)
signal = _copy(_signal)
socket = _copy(_socket)
thread = _copy(_thread)
time = _copy(_time)


class suppress:
    """contextlib.suppress, which itself uses builtins that an app may have replaced."""

    def __init__(self, *kinds):
        self.kinds = kinds

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        return kind is not None and issubclass(kind, self.kinds)
