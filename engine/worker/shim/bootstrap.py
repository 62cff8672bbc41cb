# Run by the server with the control socket as descriptor 3, from which the command line
# takes it, so that ps does not show it. What is read next is marshalled: the sources of
# the package, by name, and the configuration.
#
# Up to the check of the version this runs on every Python since 2.6.
import marshal
import os
import sys


def tell(*message):
    # Python 2 has bytes there.
    data = marshal.dumps(tuple(part.encode("ascii").decode("ascii") for part in message), 2)
    size = len(data)
    os.write(3, bytes(bytearray([size & 255, size >> 8, 0, 0])) + data)


tell("python", "%d.%d.%d" % sys.version_info[:3])  # noqa: UP031
if sys.version_info < (3, 9):  # noqa: UP036
    while os.read(3, 65536):
        pass  # the server says why it ends this
    os._exit(1)


def read(size):
    parts = []
    while size:
        part = os.read(3, size)
        if not part:
            os._exit(0)  # the server has gone
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def package(sources):
    import builtins  # not on Python 2

    kind = type(sys)
    kept = dict(vars(builtins))  # an app may replace what is there
    made = {}
    for name, source in sources:
        full = "_uwsgo" if name == "__init__" else "_uwsgo." + name
        made[name] = module = kind(full)
        module.__package__ = "_uwsgo"
        module.__file__ = "<uwsgo>/" + name + ".py"
        module.__builtins__ = kept
        sys.modules[full] = module
        if name == "__init__":
            module.__path__ = []
        exec(compile(source, module.__file__, "exec", dont_inherit=True), module.__dict__)
        if name != "__init__":
            setattr(made["__init__"], name, module)
    return made


sources, config = marshal.loads(read(int.from_bytes(read(4), "little")))
zygote = package(sources)["zygote"]
# Apps find an empty __main__, as they do in uWSGI.
for name in [name for name in globals() if not name.startswith("__")]:
    if name not in ("zygote", "config"):
        del globals()[name]
del name
globals().pop("zygote").main(globals().pop("config"))
