"""A process beside the workers: a mule or a spooler. It gets no requests.

It is forked from the zygote, as workers are. So it has the app, the uwsgi module and a channel to
the server. Its kind says what it does:

    background.kinds["mule"] = background.Kind(run, become)

become(number) runs first, before any code of the app, so that the functions of the uwsgi module
know where they are. run(process, spec) runs in the main thread, after the app's fork hooks. The
app's signal handlers run in that thread too. run gets a Process and the value of
launch.Background.Spec. The process ends when run returns. The server then starts the next one,
after a pause if the process ended soon. So run must last, and wait by process.wait().

The server asks the process to go at a reload and at the end. Then `going` is true. wait raises
SystemExit in the main thread, and does not return in other threads. Code of the main thread is
interrupted by SystemExit too, unless a task runs:

    with process.task(seconds, "HANDLING SIGNAL 17"):   # 0: no bound
        ...                                             # is not interrupted; the server kills
                                                        # the process after that many seconds

Code that ignores SystemExit, as a bare except does, is ended after PATIENCE. A task has the mercy
time. uwsgi.atexit and Python's atexit run in both cases. process.take_signals() handles the uWSGI
signals that are offered to this process. wait calls it, unless told not to.
"""

import atexit
import sys

from . import apps, control, events, forked, hooks, interrupts, module, title
from .own import os, select, signal, suppress, thread, time
from .trace import report

PATIENCE = 5  # seconds

kinds = {}  # kind -> Kind


class Kind:
    def __init__(self, run, become):
        self.run = run
        self.become = become


class Process:
    """This process. Any thread may wait. uWSGI signals are handled in a thread that waits for
    them."""

    signal_time = 0  # seconds that a signal's function may take; 0: no bound

    def __init__(self, kind, number):
        self.kind = kind
        self.number = number
        self.going = False  # the server has asked it to go
        self.busy = set()  # what must not be interrupted: tasks, and threads that hold something
        self.told = False  # the main thread has been told to go
        self.ended = False  # uwsgi.atexit has been called
        self.main = thread.get_ident()
        ends = signal.SIGHUP, signal.SIGINT, signal.SIGTERM
        self.handlers = {signum: signal.getsignal(signum) for signum in ends}
        self.woken, self.wake = os.pipe()
        for fd in self.woken, self.wake:
            os.set_blocking(fd, False)

    def wait(self, fds=(), timeout=None, signals=True):
        """Wait until one of the descriptors is readable. Return those that are.

        The list is empty after timeout seconds. If signals is true, uWSGI signals that come
        meanwhile are handled, and the result is None.
        """
        poll = select.poll()
        for fd in (*fds, self.woken):
            poll.register(fd, select.POLLIN)
        end = None if timeout is None else time.monotonic() + timeout
        self.hold(False)
        while True:
            self._end()
            if signals and self.take_signals():
                return None
            left = None if end is None else max(end - time.monotonic(), 0) * 1000
            ready = [fd for fd, _ in poll.poll(left)]
            if self.woken in ready:
                ready.remove(self.woken)
                if self.going:  # so that every thread sees it
                    continue
                with suppress(BlockingIOError):
                    os.read(self.woken, 4096)
                if not ready:
                    continue
            if ready or (end is not None and time.monotonic() >= end):
                return ready

    def hold(self, holds):
        """Note whether this thread holds something. As in a task, it is not interrupted then."""
        (self.busy.add if holds else self.busy.discard)(thread.get_ident())

    def holds(self):
        """Report whether this thread holds something."""
        return thread.get_ident() in self.busy

    def task(self, seconds, what):
        return Task(self, seconds, what)

    def take_signals(self):
        """Handle the uWSGI signals that the server has offered. Return how many."""
        handled = 0
        while events.offered and not self.going:
            with self.task(0, ""):
                try:
                    ident, number = events.offered.popleft()
                except IndexError:  # another thread was faster
                    break
                if control.channel.call("take signal", ident):
                    handled += 1
                    with self.task(self.signal_time, f"HANDLING SIGNAL {number}"):
                        events.handle(number)
        return handled

    def _occupied(self):
        """Report whether something must not be interrupted. Ended threads do not count."""
        threads = sys._current_frames()
        return any(one in threads or not isinstance(one, int) for one in list(self.busy))

    def _end(self):
        """End this process if it must go. Then only the main thread leaves this method."""
        while self.going:
            if thread.get_ident() == self.main and not self._occupied():
                self._go()
            time.sleep(0.02)

    def _go(self):
        if self.told or self.ended:  # SystemExit was caught, or Python waits for threads
            leave()
        self.told = True
        raise SystemExit(0)

    def _offer(self, ident, number):
        events.offered.append((ident, number))
        self._wake()

    def _wake(self):
        with suppress(BlockingIOError):
            os.write(self.wake, b"1")

    def _told(self, stops):
        """Begin to go, as the server asks. The channel's reader thread calls this."""
        # As in uWSGI, the app may have its own handler for the signal. That handler then has
        # to end the process.
        for signum in (signal.SIGINT, signal.SIGTERM) if stops else (signal.SIGHUP,):
            handler = signal.getsignal(signum)
            if callable(handler) and handler is not self.handlers[signum]:
                with suppress(OSError):
                    return signal.pthread_kill(self.main, signum)
        self.going = True
        self._wake()
        with interrupts.blocked():
            thread.start_new_thread(self._insist, ())

    def _insist(self):
        wait, since = 0.01, 0
        while True:
            if self._occupied():
                since = 0
            elif not since:
                since = time.monotonic()
                if not self.told:
                    with suppress(OSError):
                        signal.pthread_kill(self.main, events.WAKE)
            elif time.monotonic() - since > PATIENCE:
                leave()
            time.sleep(wait)
            wait = min(2 * wait, 0.2)

    def _interrupted(self, signum, frame):
        if self.going and not (self.told or self._occupied()):
            self._go()


class Task:
    """A context whose code is not interrupted when the process must go."""

    def __init__(self, process, seconds, what):
        self.process = process
        self.seconds = seconds
        self.what = what

    def __enter__(self):
        self.process.busy.add(self)
        if self.seconds:
            control.channel.tell("deadline", "task", self.seconds, self.what)

    def __exit__(self, *_):
        if self.seconds:
            control.channel.tell("deadline", "task", 0, "")
        self.process.busy.discard(self)


present = None  # the Process, where this is one


def main(zygote, place, described):
    """Run as a process beside the workers, until its end."""
    global present
    config, doing = zygote.config, zygote.doing(place)
    kind, number = described["kind"], described["number"]
    module.become_background(kind)
    kinds[kind].become(number)
    title.say(described["title"].encode("utf-8", "surrogateescape"))
    hooks.run(f"hook-as-{kind}", described["steps"], zygote, doing)
    outcome = []
    if config["lazy"] and described["imports"]:
        zygote.apps, outcome, zygote.held = apps.load_all(config, doing, zygote.held)
    elif not config["lazy"]:
        apps.reseed()
    present = process = Process(kind, number)
    with suppress(ValueError, OSError):
        signal.signal(events.WAKE, process._interrupted)
    forked.serve(control.channel.sock)
    control.channel.subscribe("signal", process._offer)
    control.channel.subscribe("go", process._told)
    events.pump = process.wait
    control.channel.serve()
    zygote.control.send(("ready", place, outcome, os.getpid()))
    zygote.control.sock.close()
    code = _run(zygote.held, kinds[kind].run, process, described["spec"])
    process.busy.add("end")
    if process.going:
        leave(code)  # without waiting for threads, as in uWSGI
    with suppress(Exception):
        sys.stdout.flush()
    _at_exit()
    process.busy.clear()  # threads that the app has left running get PATIENCE
    if code:
        raise SystemExit(code)


def _run(held, function, process, spec):
    """Call the app's hooks and the function. Return an exit code."""
    try:
        held.give_back()
        module.call_hook("post_fork_hook")
        function(process, spec)
    except SystemExit as e:
        if not forked.mark[0]:
            forked.leave(e)
        if e.code is None or isinstance(e.code, int):
            return e.code or 0
        report(e)
        return 1
    except BaseException as e:
        if not forked.mark[0]:
            forked.leave(e)
        report(e)
        return 1
    if not forked.mark[0]:
        forked.leave()
    return 0


def _at_exit():
    if not present.ended:
        present.ended = True
        module.at_exit()


def leave(code=0):
    """Call the app's exit functions, and end this process at once."""
    with suppress(BaseException):
        _at_exit()
    with suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in sys.stdout, sys.stderr:
        with suppress(BaseException):
            stream.flush()
    os._exit(code & 0xFF)
