"""The spooler as apps see it: functions that put tasks into spool directories.

A process writes a task's file itself (see tasks) and tells the server. The server then wakes a
spooler of that directory (see spooling).
"""

from . import control, tasks
from .arguments import int_of, text_of
from .own import os, suppress
from .trace import say

OF_THE_SERVER = ("spooler", "priority", "at")  # variables that say where and when a task runs

given = None  # the configuration; None without a spooler
current = None  # the spooling.Spooler of this process; None in other processes


def install(config):
    """Take the configuration. Return the functions that it adds to the uwsgi module."""
    global given
    given = config["module"]["spooler"]
    if given is None:
        return ()
    given["host"] = os.fsdecode(config["node"])
    given["config"] = config
    return FUNCTIONS


# What apps call.


def spool(*args, **kwargs):
    """Put a task into a spool directory. Return the path of its file."""
    task = args[0] if args else kwargs
    if not isinstance(task, dict):
        raise ValueError("The argument of spooler callable must be a dictionary")
    variables, body = {}, b""
    for key, value in task.items():
        key = _bytes(key)
        if key == b"body":
            body = _bytes(value)
        else:
            variables[key] = _bytes(value)
    spooler, priority, at = (variables.get(name.encode(), b"") for name in OF_THE_SERVER)
    at = at.partition(b".")[0]
    if at and not at.isdigit():
        raise ValueError(f"unable to spool job: at = {at!r} is not in seconds")
    if priority and not priority.isdigit():
        # uWSGI makes a folder of that name and never looks into it.
        raise ValueError(f"unable to spool job: priority = {priority!r} is no number")
    directory = _directory(os.fsdecode(spooler))
    packet = tasks.packed(variables.items())
    try:
        path = tasks.write(
            *(directory, given["host"], packet, body),
            priority=priority.decode(),
            at=int(at or 0),
            sync=given["sync"],
        )
    except OSError as e:
        raise ValueError(f"unable to spool job: {e}") from e
    if not given["quiet"]:
        say(f"[spooler] written {len(packet) + len(body)} bytes to file {path}\n")
    with suppress(OSError):  # the app has forked this process: a spooler finds the task later
        control.channel.tell("spooled", directory)
    return os.fsencode(path)


def send_to_spooler(*args, **kwargs):
    return spool(*args, **kwargs)


def set_spooler_frequency(seconds):
    control.channel.call("set spooler frequency", int_of(seconds))
    return True


def spooler_jobs(*_):
    directory = _directory("")
    found = []
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(tasks.PREFIX) and entry.is_file(follow_symlinks=False):
                if os.access(entry.path, os.R_OK | os.W_OK):
                    found.append(os.fsencode(entry.path))
    return found


def spooler_pid(*_):
    return (spooler_pids() or [0])[0]


def spooler_pids(*_):
    return list(control.channel.call("spoolers"))


def spooler_get_task(path):
    """Return the content of a task's file, or None if there is no such task."""
    name = text_of(path, "the path")
    if current is not None and current.task is not None:
        with suppress(OSError):
            # To open and close the file again would release its POSIX lock.
            if os.path.samefile(path, current.task.path):
                return current.task.as_dict(name)
    task = tasks.peek(path)
    return task.as_dict(name) if task is not None else None


FUNCTIONS = (
    *(spool, send_to_spooler, set_spooler_frequency, spooler_jobs),
    *(spooler_pid, spooler_pids, spooler_get_task),
)


def paths():
    """Return uwsgi.spoolers. As in uWSGI, it has each directory once for each process."""
    paths = [d["path"] for d in given["directories"] for _ in range(d["processes"] or 1)]
    return tuple(map(os.fsencode, paths))


def directory():
    """Return the spool directory of this process."""
    if current is None:
        raise ValueError("This process is not a spooler")
    return os.fsencode(current.directory)


def _bytes(value):
    """Return the bytes of a key or value. Under Python 3, uWSGI takes only bytes."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (int, float)):
        return str(value).encode()
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise ValueError(
        "spooler callable dictionary must contains only bytes, "
        f"text and numbers, not {type(value).__name__}"
    )


def _directory(name):
    """Return the path of the spool directory with a name, or of the first if name is empty."""
    for one in given["directories"]:
        if not name or name in (one["path"], one["name"]):
            return one["path"]
    raise ValueError(f'unable to spool job: unable to find spooler "{name}"')
