# Run by the server with the control socket as descriptor 3, from which the command line takes
# it, so that ps does not show it. Two marshalled messages follow: the sources of the package by
# name, and the configuration.
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


def message():
    return read(int.from_bytes(read(4), "little"))


def compiled():
    # The code of the package, marshalled. A child makes it, as workers would keep for good the
    # memory in which the compiler works.
    def make():
        code = [
            (name, compile(text, "<uwsgo>/%s.py" % name, "exec", dont_inherit=True))  # noqa: UP031
            for name, text in marshal.loads(message())
        ]
        return marshal.dumps(code)

    fd, end = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(fd)
        os.close(end)
        return make()  # RLIMIT_NPROC is reached
    if child == 0:
        try:
            os.close(fd)  # else it writes for ever when its parent is killed
            with os.fdopen(end, "wb") as out:
                out.write(make())
        finally:
            os._exit(0)
    os.close(end)
    with os.fdopen(fd, "rb") as out:
        code = out.read()
    try:
        os.waitpid(child, 0)
    except OSError:
        pass  # signals of children are ignored, and it has gone
    return code


def shared(fd, digest):
    # As compiled, of memory in which an emperor has the code of one Python. digest is that of
    # the sources.
    key = ("%s %r %d\n" % (digest, sys.version, sys.flags.optimize)).encode()  # noqa: UP031
    code = os.pread(fd, os.fstat(fd).st_size, 0)
    os.close(fd)
    if not code.startswith(key):
        return compiled()
    message()
    return code[len(key) :]


def package():
    import builtins  # not on Python 2

    kind = type(sys)
    kept = dict(vars(builtins))  # an app may replace it
    made = {}
    memory = globals().get("memory")  # a descriptor and a digest, with an emperor
    codes = shared(*memory) if memory else compiled()
    for name, code in marshal.loads(codes):
        full = "_uwsgo" if name == "__init__" else "_uwsgo." + name
        made[name] = module = kind(full)
        module.__package__ = "_uwsgo"
        module.__file__ = code.co_filename
        module.__builtins__ = kept
        sys.modules[full] = module
        if name == "__init__":
            module.__path__ = []
        exec(code, module.__dict__)
        if name != "__init__":
            setattr(made["__init__"], name, module)
    return made


zygote = package()["zygote"]
config = marshal.loads(message())
# Apps find an empty __main__, as they do in uWSGI.
for name in [name for name in globals() if not name.startswith("__")]:
    if name not in ("zygote", "config"):
        del globals()[name]
del name
globals().pop("zygote").main(globals().pop("config"))
