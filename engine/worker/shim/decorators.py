"""The module uwsgidecorators, for apps that have not installed uWSGI's.

It is run as a module of that name where an app imports it, in place of an installed one
that is missing. Names and behaviour are uWSGI's, also where they are odd: a function that
@timer has decorated is the function itself, one that @spool has decorated is not.
"""

import pickle
import sys
from functools import partial
from threading import Thread

import uwsgi

spooler_functions = {}
mule_functions = {}
postfork_chain = []


def _encoded(value):
    return value.encode("utf-8") if isinstance(value, str) else value


def _decoded(value):
    return value.decode("utf-8") if isinstance(value, bytes) else value


def get_free_signal():
    for number in range(256):
        if not uwsgi.signal_registered(number):
            return number
    raise Exception("No free uwsgi signal available")


def postfork_chain_hook():
    for function in postfork_chain:
        function()


uwsgi.post_fork_hook = postfork_chain_hook


class postfork:
    """Runs a function in each worker before it serves; @postfork(2) in worker 2 alone."""

    def __init__(self, f):
        self.wid, self.f = (0, f) if callable(f) else (f, None)
        postfork_chain.append(self)

    def __call__(self, *args, **kwargs):
        if self.f is None:
            self.f = args[0]
            return None
        if self.wid > 0 and self.wid != uwsgi.worker_id():
            return None
        return self.f()


# Spooler.


def manage_spool_request(variables):
    task = {_decoded(key): value for key, value in variables.items()}
    for key in ("args", "kwargs") if "args" in task else ():
        task[key] = pickle.loads(task[key])
    task = {key: _decoded(value) for key, value in task.items()}
    function = spooler_functions[task["ud_spool_func"]]
    if "args" in task:
        result = function(*task["args"], **task["kwargs"])
    else:
        result = function(task)
    return int(task.get("ud_spool_ret", result))


uwsgi.spooler = manage_spool_request

_OF_THE_TASK = ("message_dict", "spooler", "priority", "at", "body")


class _spoolraw:
    result = None  # what the task always returns; None for what its function does

    def __init__(self, f, pass_arguments):
        if "spooler" not in uwsgi.opt:
            name = type(self).__name__
            raise Exception(f"you have to enable the uWSGI spooler to use @{name} decorator")
        self.f = f
        self.pass_arguments = pass_arguments
        self.base_dict = {"ud_spool_func": f.__name__}
        if self.result is not None:
            self.base_dict["ud_spool_ret"] = str(self.result)
        spooler_functions[f.__name__] = f
        f.spool = self.__call__

    def __call__(self, *args, **kwargs):
        task = dict(self.base_dict)
        if self.pass_arguments:
            task.update({key: kwargs.pop(key) for key in _OF_THE_TASK if key in kwargs})
            task.update(args=pickle.dumps(args), kwargs=pickle.dumps(kwargs))
        else:
            task.update(*args[:1], **kwargs)
        return uwsgi.spool({_encoded(key): _encoded(value) for key, value in task.items()})

    spool = __call__


class _spool(_spoolraw):
    result = uwsgi.SPOOL_OK


class _spoolforever(_spoolraw):
    result = uwsgi.SPOOL_RETRY


def spool_decorate(f=None, pass_arguments=False, _class=_spoolraw):
    if f is None:
        return partial(_class, pass_arguments=pass_arguments)
    return _class(f, pass_arguments)


def spoolraw(f=None, pass_arguments=False):
    return spool_decorate(f, pass_arguments)


def spool(f=None, pass_arguments=False):
    return spool_decorate(f, pass_arguments, _spool)


def spoolforever(f=None, pass_arguments=False):
    return spool_decorate(f, pass_arguments, _spoolforever)


# Mules.


class mulefunc:
    def __init__(self, f):
        self.fname, self.mule = None, f
        if callable(f):
            self._take(f)
            self.mule = 0

    def _take(self, f):
        self.fname = f.__name__
        mule_functions[self.fname] = f

    def real_call(self, *args, **kwargs):
        message = {"service": "uwsgi_mulefunc", "func": self.fname, "args": args, "kwargs": kwargs}
        uwsgi.mule_msg(pickle.dumps(message), self.mule)

    def __call__(self, *args, **kwargs):
        if self.fname is None:
            self._take(args[0])
            return self.real_call
        return self.real_call(*args, **kwargs)


def mule_msg_dispatcher(message):
    message = pickle.loads(message)
    if message["service"] == "uwsgi_mulefunc":
        return mule_functions[message["func"]](*message["args"], **message["kwargs"])
    return None


uwsgi.mule_msg_hook = mule_msg_dispatcher


def _or_end(function, *args):
    """Call it; what it raises ends the mule."""
    try:
        function(*args)
    except SystemExit:
        raise  # the mule is to go
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.exit(1)


class mule_brain:
    def __init__(self, f, num):
        self.f = f
        self.num = num

    def __call__(self):
        if uwsgi.mule_id() == self.num:
            _or_end(self.f)


class mule_brainloop(mule_brain):
    def __call__(self):
        while uwsgi.mule_id() == self.num:
            _or_end(self.f)


class mulemsg_loop(mule_brain):
    def __call__(self):
        while uwsgi.mule_id() == self.num:
            message = uwsgi.mule_get_msg()
            if message:
                self.f(message)


class mule:
    brain = mule_brain

    def __init__(self, num):
        self.num = num

    def __call__(self, f):
        postfork_chain.append(self.brain(f, self.num))


class muleloop(mule):
    brain = mule_brainloop


class mulemsg(mule):
    brain = mulemsg_loop


class farm_loop:
    def __init__(self, f, farm):
        self.f = f
        self.farm = farm

    def __call__(self):
        if uwsgi.mule_id() == 0 or not uwsgi.in_farm(self.farm):
            return
        while True:
            message = uwsgi.farm_get_msg()
            if message:
                self.f(message)


class farm:
    def __init__(self, name=None, **kwargs):
        self.name = name

    def __call__(self, f):
        postfork_chain.append(farm_loop(f, self.name))


# Signals, and what sends them.


class signal:
    def __init__(self, num, **kwargs):
        self.num = num
        self.target = kwargs.get("target", "")

    def __call__(self, f):
        uwsgi.register_signal(self.num, self.target, f)
        return f


class _sends:
    """Registers a function for a signal of its own, and has that sent."""

    def __init__(self, *when, **kwargs):
        self.num = kwargs["signum"] if "signum" in kwargs else get_free_signal()
        self.target = kwargs.get("target", "")
        self.when = when

    def __call__(self, f):
        uwsgi.register_signal(self.num, self.target, f)
        self.ask(self.num, *self.when)
        return f


class timer(_sends):
    def __init__(self, secs, **kwargs):
        super().__init__(secs, **kwargs)
        self.secs = secs

    def ask(self, *args):
        uwsgi.add_timer(*args)


class rbtimer(timer):
    def ask(self, *args):
        uwsgi.add_rb_timer(*args)


class cron(_sends):
    def __init__(self, minute, hour, day, month, dayweek, **kwargs):
        super().__init__(minute, hour, day, month, dayweek, **kwargs)

    def ask(self, *args):
        uwsgi.add_cron(*args)


class filemon(_sends):
    def __init__(self, fsobj, **kwargs):
        super().__init__(fsobj, **kwargs)
        self.fsobj = fsobj

    def ask(self, *args):
        uwsgi.add_file_monitor(*args)


# The rest.


class rpc:
    def __init__(self, name):
        self.name = name

    def __call__(self, f):
        uwsgi.register_rpc(self.name, f)
        return f


class erlang:
    def __init__(self, name):
        self.name = name

    def __call__(self, f):
        uwsgi.erlang_register_process(self.name, f)
        return f


class lock:
    def __init__(self, f):
        self.f = f

    def __call__(self, *args, **kwargs):
        if uwsgi.i_am_the_spooler():
            return None
        uwsgi.lock()
        try:
            return self.f(*args, **kwargs)
        finally:
            uwsgi.unlock()


class thread:
    def __init__(self, f):
        self.f = f

    def __call__(self, *args):
        Thread(target=self.f, args=args, daemon=True).start()
        return self.f


class harakiri:
    def __init__(self, seconds):
        self.s = seconds

    def real_call(self, *args, **kwargs):
        uwsgi.set_user_harakiri(self.s)
        try:
            return self.f(*args, **kwargs)
        finally:
            uwsgi.set_user_harakiri(0)

    def __call__(self, f):
        self.f = f
        return self.real_call
