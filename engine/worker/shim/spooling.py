"""A spooler process. It runs the tasks of one spool directory, one at a time."""

import importlib

from . import apps, background, control, module, spooler, tasks
from .forked import leave
from .own import os, suppress, time
from .trace import report, say

OK, RETRY, IGNORE = -2, -1, 0
AT_ONCE = 1000  # tasks to look for in one round
NICE = 10  # requests come first
LONGEST = 16  # times the frequency: the longest wait of a task that keeps raising


class Spooler:
    """Runs the tasks of one directory. Only the main thread calls it, unless a method says else."""

    def __init__(self, directory, function):
        self.directory = directory
        self.function = function  # returns the app's spooler function, None if there is none
        self.process = None  # the background.Process that waits; set before run
        self.frequency = max(spooler.given["frequency"], 1)
        self.task = None  # the one that runs now
        self.tasks = 0  # how many have run
        self.later = {}  # path -> when to look at it again
        self.failures = {}  # path -> how often it has raised in a row
        self.unknown = False  # the missing function has been reported
        self.woken, self.waker = os.pipe()
        for fd in self.woken, self.waker:
            os.set_blocking(fd, False)

    def wake(self, *_):
        """Wake it, so that it looks for tasks. Any thread may call this."""
        with suppress(BlockingIOError):
            os.write(self.waker, b"1")

    def set_frequency(self, seconds):
        """Set the seconds between rounds. Any thread may call this."""
        self.frequency = max(seconds, 1)
        self.wake()

    def run(self):
        """Run tasks until this process must go, or has run as many as it may."""
        tasks.tidy(self.directory)
        while not self.enough():
            self.round()

    def enough(self):
        if not 0 < spooler.given["max_tasks"] <= self.tasks:
            return False
        say(
            f"[spooler {self.directory} pid: {os.getpid()}] maximum number of tasks reached "
            f"({spooler.given['max_tasks']}) recycling ...\n"
        )
        return True

    def round(self):
        """Run the tasks that are due, then wait for more."""
        with suppress(BlockingIOError):
            os.read(self.woken, 4096)
        found, soon, done = [], None, 0
        try:
            os.chdir(self.directory)
            found, soon = tasks.due(self.directory, spooler.given["ordered"], self.later, AT_ONCE)
        except OSError as e:
            say(f"[spooler {self.directory}] cannot look for tasks: {e}\n")
        for folder, name in found:
            self.signals()
            if self.process.going or 0 < spooler.given["max_tasks"] <= self.tasks:
                break
            done += self.manage(folder, name)
        if done and len(found) == AT_ONCE:
            return
        if 0 < spooler.given["max_tasks"] <= self.tasks:
            return
        now = time.time()
        self.later = {path: at for path, at in self.later.items() if at > now}
        soonest = min([*self.later.values(), *([soon] if soon is not None else [])], default=now)
        wait = self.frequency if soonest <= now else min(self.frequency, soonest - now)
        with suppress(OSError):
            control.channel.tell("spooler idle")
        self.signals()
        if self.process.wait((self.woken,), max(wait, 0.01)) is None:
            self.count_signals(1)

    def signals(self):
        self.count_signals(self.process.take_signals())

    def count_signals(self, count):
        if spooler.given["signals"]:
            self.tasks += count

    def manage(self, folder, name):
        """Run a task, or postpone one that cannot be taken. Return False if there is none."""
        try:
            task = tasks.take(folder, name)
        except (OSError, MemoryError) as e:
            # Without a wait it would be due in each round, and could keep others out.
            wait = self.frequency * (LONGEST if isinstance(e, PermissionError) else 1)
            self.later[os.path.join(folder, name)] = time.time() + wait
            say(f"[spooler {folder}] cannot take task {name}: {str(e) or 'no memory is left'}\n")
            return True
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
        quiet = spooler.given["quiet"]
        if not quiet:
            say(f"{who} managing request {task.name} ...\n")
        begin = time.time()
        # If this process dies meanwhile, other tasks run before this one is tried again.
        task.delay(begin + self.frequency)
        with self.process.task(spooler.given["harakiri"], f"RUNNING TASK {task.name}"):
            result = self.call(task)
            seconds = int(time.time() - begin)
            path = task.path
            if result == IGNORE:
                self.later[path] = time.time() + self.frequency
                task.delay(begin)
                if not self.unknown:
                    self.unknown = True
                    say(
                        "unable to find the spooler function, have you loaded it into the "
                        "spooler process ?\n"
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
        """Return the result of the app's function, None if it raises, IGNORE if there is none."""
        function = self.function()
        if function is None:
            return IGNORE
        pid = os.getpid()
        raised = result = None
        try:
            os.chdir(spooler.given["chdir"] or task.folder)
            result = function(task.as_dict(os.fsencode(task.name)))
        except BaseException as e:
            raised = e
        if os.getpid() != pid:
            leave(raised)
        if raised is not None:
            report(raised)
            return None
        return result if isinstance(result, int) else RETRY


def become(number):
    """Make this process a spooler, before any code of the app runs in it."""
    paths = [d["path"] for d in spooler.given["directories"] for _ in range(d["processes"])]
    one = spooler.current = Spooler(paths[number - 1], lambda: vars(module.module).get("spooler"))
    # Subscribe before the server knows that this process serves, so no notice is missed.
    control.channel.subscribe("spooled", one.wake)
    control.channel.subscribe("spooler frequency", one.set_frequency)


def run(process, spec):
    """Run as a spooler. Does not return."""
    one, given = spooler.current, spooler.given
    with suppress(OSError):
        os.nice(NICE)
    for what in given["imports"]:
        try:
            if "/" in what or what.endswith(".py"):
                apps.load_file(what, given["config"], "")
            else:
                importlib.import_module(what)
        except Exception as e:
            say(f"spooler-import: {what}: {e}\n") if isinstance(e, apps.LoadError) else report(e)
    process.signal_time = given["harakiri"]
    one.process = process
    one.run()
    # The server asks this process to go, and starts another at once.
    control.channel.tell("replace")
    while True:
        process.wait((), None, False)


background.kinds["spooler"] = background.Kind(run, become)
