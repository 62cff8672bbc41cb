"""uWSGI signals: numbers that the server sends to workers, which call the app's functions.

The server offers a signal to all its workers. The first worker that asks gets it, so one that
dies before loses nothing. A worker with one thread calls the functions in that thread between
requests, as uWSGI does. A worker with several threads calls them in a separate thread.
"""

from collections import deque

from . import control, interrupts
from .own import signal, thread, time
from .trace import report

WAKE = signal.SIGURG  # has no effect without a handler
PATIENCE = 0.05  # the most seconds between looks at a busy thread

handlers = {}  # number -> function
offered = deque()  # (id, number)
waiters = []  # [number or -1, gate, the number that came], of signal_wait
pump = None  # waits for signals and handles them, in a process beside the workers
_wake = thread.allocate_lock()  # locked while nothing is offered
_wake.acquire()
_state = {"runs": False, "busy": False, "wake": None, "sleep": None}


def register(number, function):
    handlers[number] = function


def offer(ident, number):
    """Take an offer of the server."""
    offered.append((ident, number))
    try:
        _wake.release()
    except RuntimeError:
        pass  # it has been woken already


def serve(main=None):
    """Handle signals from now on, in a worker that serves or is about to.

    main is the process's Thread, if there is only one and it is the caller.
    """
    if _state["runs"]:
        return
    _state["runs"] = True
    if (
        main is not None
        and _state["wake"] is None
        and signal.getsignal(WAKE) in (signal.SIG_DFL, None)
    ):
        try:
            signal.signal(WAKE, _woken)
            _state["main"] = main, thread.get_ident()
        except ValueError:
            pass  # not in the main thread: another thread handles them
    control.channel.serve()
    with interrupts.blocked():
        thread.start_new_thread(_run, ())


def wake_by(function, sleep):
    """Let a hub handle signals. Another thread calls function when signals are offered.

    Greenlets of the hub wait by sleep.
    """
    _state["wake"] = function
    _state["sleep"] = sleep


def _run():
    while True:
        _wake.acquire()
        wait = 0.001
        if _state["wake"] is not None:
            _state["wake"]()
            continue
        while offered:
            main, ident = _state.get("main", (None, 0))
            if main is None or signal.getsignal(WAKE) is not _woken:
                handle_all()
                continue
            if not main.claim[0] and not main.buffer[0] and not _state["busy"]:
                try:
                    signal.pthread_kill(ident, WAKE)
                except OSError:
                    return  # the process ends
            time.sleep(wait)
            wait = min(2 * wait, PATIENCE)


def _woken(signum, frame):
    """Runs in the main thread, between any two of its instructions."""
    main = _state["main"][0]
    if main.claim[0] or main.buffer[0] or _state["busy"]:
        return  # in the middle of a request, or of this function
    handle_all()


def handle_all():
    """Handle the offered signals in this thread."""
    _state["busy"] = True
    try:
        while offered:
            try:
                ident, number = offered.popleft()
            except IndexError:
                break
            main = _state.get("main", (None,))[0]
            if main is not None and main.claim[2]:
                continue  # this process takes no more signals
            if control.channel.call("take signal", ident):
                handle(number)
    except OSError:
        offered.clear()  # the server has gone
    except BaseException as e:
        report(e)
    finally:
        _state["busy"] = False


def handle(number):
    """Call the function of a signal."""
    function = handlers.get(number)
    if function is None:
        return
    try:
        function(number)
    except BaseException as e:
        report(e)
    for waiter in list(waiters):
        if waiter[0] in (-1, number):
            waiter[2] = number
            waiters.remove(waiter)
            waiter[1].release()


def wait(number):
    """Wait until this process has handled the signal, or any for -1. Return its number."""
    gate = thread.allocate_lock()
    gate.acquire()
    waiter = [number, gate, None]
    waiters.append(waiter)
    if _state["sleep"] is not None:
        while waiter[2] is None:
            _state["sleep"](0.01)
        return waiter[2]
    if pump is not None:  # a process beside the workers: this thread handles them
        while waiter[2] is None:
            pump((), 1)
        return waiter[2]
    main = _state.get("main", (None, 0))
    if main[1] == thread.get_ident():
        # Nobody else handles signals, so this thread does.
        while waiter[2] is None:
            handle_all()
            time.sleep(0.01)
        return waiter[2]
    gate.acquire()
    return waiter[2]
