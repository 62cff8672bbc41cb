"""What the uwsgi module has of metrics. The server has the numbers."""

from . import control, module
from .arguments import int_of, text_of
from .module import export

# Without one of these there are none, and the functions do nothing, as in uWSGI.
OPTIONS = "enable-metrics metric metrics-dir metric-dir metric-threshold metric-alarm stats-push"


def _call(how, name, value):
    name = text_of(name).decode()
    value = int_of(value, -(1 << 63), (1 << 63) - 1)
    if not any(option in module.module.opt for option in OPTIONS.split()):
        return False
    return control.channel.call("metric", how, name, value)


@export
def metric_get(name):
    return int(_call("get", name, 0))


def _changes(how, *default):
    def change(name, value=None):
        if value is None:
            if not default:
                raise TypeError(f"metric_{how}() takes exactly 2 arguments (1 given)")
            value = default[0]
        return _call(how, name, value) or None

    change.__name__ = change.__qualname__ = f"metric_{how}"
    export(change)


for _how in "inc", "dec", "mul", "div":
    _changes(_how, 1)
for _how in "set", "set_max", "set_min":
    _changes(_how)
