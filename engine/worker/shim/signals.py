"""What the signals that end a program do to the zygote, its workers, and what apps start."""

from _signal import (
    SIG_BLOCK,
    SIG_DFL,
    SIG_SETMASK,
    SIG_UNBLOCK,
    SIGHUP,
    SIGINT,
    SIGQUIT,
    SIGTERM,
    SIGTSTP,
    getsignal,
    pthread_sigmask,
)
from _signal import signal as set_handler
from _thread import get_ident
from os import getpid, kill, register_at_fork

try:  # PyPy gives signals to its main thread alone, which a child of another does not have
    from __pypy__.thread import _signals_enter as take_signals
except ImportError:

    def take_signals():
        pass


# systemd sends these to every process of a service. A terminal sends them to its process group
# when it closes, or at Ctrl-C and Ctrl-Z. The server decides what they mean.
_left = (SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP)
_before = {}  # the handler that each had
_ours = {getpid()}  # the zygote, and in a worker that worker too
_masks = {}  # of the threads that fork just now
_forks = []  # the thread that forks a worker just now


def leave_to_server():
    """Make those signals do nothing here, and restore them in children of apps.

    Not by SIG_IGN: programs that an app starts would inherit it.
    """
    for signum in _left:
        _before[signum] = set_handler(signum, _ignore)
    # Registered before an app is imported, so the signals are back before its own hooks run.
    register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_give_back)


def forking(worker):
    """Say that what this thread forks from now on is a worker, or that it is not."""
    _forks[:] = [get_ident()] if worker else []


def _ignore(signum, frame):
    # A child that C code has forked: Python's hooks were not run for it.
    if getpid() not in _ours:
        set_handler(signum, SIG_DFL)
        kill(getpid(), signum)


def _hold():
    # A child forgets a signal that has come and was not handled yet, as if it were its
    # parent's. One that is blocked stays with the kernel.
    _masks[get_ident()] = pthread_sigmask(SIG_BLOCK, _left)


def _release():
    mask = _masks.pop(get_ident(), None)
    if mask is None:  # a handler of the app raised in _hold
        pthread_sigmask(SIG_UNBLOCK, _left)
    else:
        pthread_sigmask(SIG_SETMASK, mask)


def _give_back():
    if get_ident() in _forks:
        _ours.add(getpid())
        return _release()
    take_signals()
    again = [signum for signum in _left if getsignal(signum) is _ignore]
    for signum in again:
        set_handler(signum, SIG_DFL)
    _release()  # a signal that has come meanwhile ends this process here
    # Only now, as what Python's handler of SIGINT raises would get lost in here.
    for signum in again:
        if _before[signum]:
            set_handler(signum, _before[signum])
