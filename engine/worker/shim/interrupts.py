"""Holds back code of the app that runs anywhere: signal handlers, profile and trace functions.

Such code may raise. In the zygote that would end it with all workers. So it is held wherever
no other app code runs, until a worker serves.
"""

import _signal
import sys
from _signal import SIG_BLOCK, SIG_SETMASK, pthread_sigmask
from sys import getprofile, gettrace, setprofile, settrace

from .trace import report

# Signals of the processor cannot wait.
_names = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS", "SIGABRT")
_at_once = {getattr(_signal, name, None) for name in _names}
_all = [s for s in _signal.valid_signals() if s not in _at_once]
_monitoring = getattr(sys, "monitoring", None)  # from Python 3.12 on

TRIES = 1000  # how often an exception at its start is put off


class Held:
    """The held state: the signal mask, and functions."""

    __slots__ = ("events", "mask", "profile", "trace")

    def __init__(self):
        self.mask = None
        self.profile = self.trace = None
        self.events = {}  # by tool of sys.monitoring

    def _begin(self):
        if self.mask is None:
            self.mask = pthread_sigmask(SIG_BLOCK, ())
        pthread_sigmask(SIG_BLOCK, _all)
        # Python itself drops one that raises.
        self.profile = getprofile() or self.profile
        setprofile(None)
        self.trace = gettrace() or self.trace
        settrace(None)
        if _monitoring:
            for tool in range(6):
                if _monitoring.get_tool(tool) is not None:
                    self.events[tool] = _monitoring.get_events(tool) or self.events.get(tool, 0)
                    _monitoring.set_events(tool, 0)

    def give_back_mask(self):
        """Restore this thread's signal mask."""
        pthread_sigmask(SIG_SETMASK, self.mask)

    def give_back(self):
        """Restore all of it in this thread."""
        try:
            self.give_back_mask()  # handlers of signals that came meanwhile run here
        finally:
            for tool, events in self.events.items():
                _monitoring.set_events(tool, events)
            if self.trace is not None:
                settrace(self.trace)
            if self.profile is not None:
                setprofile(self.profile)


def hold():
    """Hold it. An exception before that is done goes to the log."""
    held = Held()
    for _ in range(TRIES):
        try:
            held._begin()
            break
        except BaseException as e:
            report(e)
    return held


class blocked:
    """A context that starts threads without signals. Do nothing else within it."""

    def __enter__(self):
        self.mask = pthread_sigmask(SIG_BLOCK, _all)

    def __exit__(self, *_):
        pthread_sigmask(SIG_SETMASK, self.mask)


def run(held, do):
    """Call do with what was held. Return (what do returns, what was raised, held anew)."""
    try:
        try:
            held.give_back()
            result = do()
            return result, None, hold()
        except BaseException as e:
            return None, e, hold()
    except BaseException as e:
        return None, e, hold()
