"""What ps shows for a process, without help from C."""

from .own import suppress

COMM = 15  # bytes that the kernel keeps of a thread's name


def of_process(names, number):
    """Name this process names[number], on Linux.

    Without such a name ps shows its kind. The kernel's own name for it stays.
    """
    name = names[number] if number < len(names) else ""
    name = name.encode("utf-8", "surrogateescape")
    if name:
        say(name)
    else:
        _write(b"uwsgo worker %d" % number if number else b"uwsgo zygote")


def say(name):
    """Call this process so, in ps and for the kernel."""
    with suppress(OSError), open("/proc/self/comm", "wb", buffering=0) as comm:
        comm.write(name[:COMM])
    _write(name)


def _write(name):
    # The command line, which ps shows, is memory of the process like any other. Python
    # has its own copy of it by now.
    with suppress(OSError, ValueError, IndexError):
        with open("/proc/self/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        start, end = int(fields[45]), int(fields[46])  # arg_start, arg_end
        if start < end:
            with open("/proc/self/mem", "r+b", buffering=0) as memory:
                memory.seek(start)
                memory.write(name[: end - start - 1].ljust(end - start, b"\0"))
