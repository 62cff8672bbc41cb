"""The spooler: what apps put into spool directories, and the process that works it off.

A worker writes the file of a task itself, see tasks, and tells the server, which wakes the
spoolers of that directory. One process has one directory and runs one task at a time.
"""

from . import control, tasks
from .arguments import int_of, text_of
from .forked import leave
from .own import os, suppress, thread, time
from .trace import report, say

OK, RETRY, IGNORE = -2, -1, 0
AT_ONCE = 1000  # tasks that are looked for at a time
LONGEST = 16  # times the frequency: the most that a task waits that raises again and again
OF_THE_SERVER = ("spooler", "priority", "at")  # what is said to the server of a task

given = None  # the configuration, None without a spooler
current = None  # the Spooler that this process is


def install(config, host):
    """Take the configuration. Return the functions that the module has with it."""
    global given
    given = config
    if config is None:
        return ()
    given["host"] = os.fsdecode(host)
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
        # uWSGI makes a folder of that name, in which it never looks.
        raise ValueError(f"unable to spool job: priority = {priority!r} is no number")
    directory = _directory(os.fsdecode(spooler))
    packet = tasks.packed(variables.items())
    try:
        path = tasks.write(directory, given["host"], packet, body, priority.decode(), int(at or 0))
    except OSError as e:
        raise ValueError(f"unable to spool job: {e}") from e
    if not given["quiet"]:
        say(f"[spooler] written {len(packet) + len(body)} bytes to file {path}\n")
    with suppress(OSError):  # a process that the app has forked: it is found in time
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
    """Return what is in the file of a task, None if that is not there."""
    name = text_of(path, "the path")
    if current is not None and current.task is not None:
        with suppress(OSError):
            # To close the file would take the lock away.
            if os.path.samefile(path, current.task.path):
                return current.task.as_dict(name)
    task = tasks.peek(path)
    return task.as_dict(name) if task is not None else None


FUNCTIONS = (
    *(spool, send_to_spooler, set_spooler_frequency, spooler_jobs),
    *(spooler_pid, spooler_pids, spooler_get_task),
)


def paths():
    """Return uwsgi.spoolers: as in uWSGI, each directory as often as it has processes."""
    return tuple(
        os.fsencode(d["path"]) for d in given["directories"] for _ in range(d["processes"])
    )


def directory():
    """Return that of this process."""
    if current is None:
        raise ValueError("This process is not a spooler")
    return os.fsencode(current.directory)


def _bytes(value):
    """Return the bytes of a key or value. uWSGI takes nothing but bytes under Python 3."""
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
    """Return the spool directory of a name, the first one without."""
    for one in given["directories"]:
        if not name or name in (one["path"], one["name"]):
            return one["path"]
    raise ValueError(f'unable to spool job: unable to find spooler "{name}"')


# What the process does.


class Spooler:
    """Works off one directory."""

    def __init__(self, directory, function, pause=None):
        self.directory = directory
        self.function = function  # returns that of the app, None if there is none
        self.pause = pause or (lambda: None)  # called between tasks
        self.frequency = max(given["frequency"], 1)
        self.task = None  # that is run just now
        self.tasks = 0  # that have been run
        self.later = {}  # path -> when to look at it again
        self.failures = {}  # path -> times that it has raised in a row
        self.leaving = False
        self.unknown = False  # it has been said that there is no function
        self.gate = thread.allocate_lock()  # locked while nobody has woken it
        self.gate.acquire()

    def wake(self, *_):
        with suppress(RuntimeError):  # it has been woken already
            self.gate.release()

    def leave(self, *_):
        """Have it end after the task that it runs. Any thread, and handlers of signals."""
        self.leaving = True
        self.wake()

    def set_frequency(self, seconds):
        self.frequency = max(seconds, 1)
        self.wake()

    def run(self):
        """Run tasks until this process is to leave."""
        tasks.tidy(self.directory)
        while not self.leaving:
            try:
                self.round()
            except BaseException as e:  # of a handler of a signal, for one
                report(e)
                time.sleep(1)

    def round(self):
        """Run what is due, and wait for more."""
        found, soon, done = [], None, 0
        try:
            os.chdir(self.directory)
            found, soon = tasks.due(self.directory, given["ordered"], self.later, AT_ONCE)
        except OSError as e:
            say(f"[spooler {self.directory}] cannot look for tasks: {e}\n")
        for folder, name in found:
            self.pause()
            if self.leaving:
                return
            done += self.manage(folder, name)
            if 0 < given["max_tasks"] <= self.tasks:
                say(
                    f"[spooler {self.directory} pid: {os.getpid()}] maximum number of tasks "
                    f"reached ({given['max_tasks']}) recycling ...\n"
                )
                self.leaving = True
                return
        if done and len(found) == AT_ONCE:
            return
        now = time.time()
        self.later = {path: at for path, at in self.later.items() if at > now}
        soonest = min([*self.later.values(), *([soon] if soon is not None else [])], default=now)
        wait = self.frequency if soonest <= now else min(self.frequency, soonest - now)
        self.gate.acquire(True, max(wait, 0.01))
        self.pause()

    def manage(self, folder, name):
        """Run a task. Return whether there was one to run."""
        task = tasks.take(folder, name)
        if task is None:
            return False
        self.task = task
        with suppress(OSError):
            control.channel.tell("spooler task", True)
        try:
            self.attempt(task)
        finally:
            self.task = None
            task.close()
            with suppress(OSError):
                control.channel.tell("spooler task", False)
        return True

    def attempt(self, task):
        who = f"[spooler {self.directory} pid: {os.getpid()}]"
        quiet = given["quiet"]
        if not quiet:
            say(f"{who} managing request {task.name} ...\n")
        begin = time.time()
        result = self.call(task)
        seconds = int(time.time() - begin)
        path = task.path
        if result == IGNORE:
            self.later[path] = time.time() + self.frequency
            if not self.unknown:
                self.unknown = True
                say(
                    "unable to find the spooler function, have you loaded it into the spooler "
                    "process ?\n"
                )
            return
        self.tasks += 1
        if result == OK:
            self.failures.pop(path, None)
            if not quiet:
                say(f"{who} done with task {task.name} after {seconds} seconds\n")
            try:
                task.done()
            except FileNotFoundError:
                pass  # the function has removed it
            except OSError as e:
                self.later[path] = time.time() + LONGEST * self.frequency
                say(f"{who} cannot remove task {task.name}, which will run again: {e}\n")
            return
        wait = self.frequency
        if result is None:
            if len(self.failures) >= AT_ONCE and path not in self.failures:
                self.failures.clear()
            times = self.failures.get(path, 0)
            self.failures[path] = times + 1
            wait *= min(2**times, LONGEST)
            say(f"{who} task {task.name} has failed and is tried again in {wait} seconds\n")
        else:
            self.failures.pop(path, None)
        self.later[path] = time.time() + wait
        task.delay(self.later[path])

    def call(self, task):
        """Return what the app's function says of a task, None where it raises."""
        function = self.function()
        if function is None:
            return IGNORE
        pid = os.getpid()
        where = given["chdir"] or task.folder
        raised = result = None
        try:
            os.chdir(where)
            result = function(task.as_dict(os.fsencode(task.name)))
        except BaseException as e:
            raised = e
        if os.getpid() != pid:
            leave(raised)
        if raised is not None:
            report(raised)
            return None
        return result if isinstance(result, int) else RETRY
