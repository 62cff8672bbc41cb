"""The module uwsgi, as apps import it.

Names, arguments and results are those of uWSGI 2.0 under Python 3: text and bytes go in, bytes
come out. Names that need an option in uWSGI (spooler, queue, shared areas, snmp) are missing
without it here too, because apps test for them with hasattr. Unsupported functions raise
NotImplementedError.
"""

import sys
from collections import deque
from types import ModuleType

from . import connection, control, events, interrupts, remote, sharing, spooler, title, worker
from .arguments import byte_of, bytes_of, int_of, text_of
from .forked import leave
from .locks import Locks
from .own import io, marshal, os, socket, suppress, thread, time
from .own import signal as system
from .port import LOG_VARIABLE, frame_head
from .trace import report, say

# Attributes that exist only when the configuration has one of these options.
OPTIONAL = {
    "spool send_to_spooler set_spooler_frequency spooler_jobs spooler_pid spooler_pids "
    "spooler_get_task spoolers": ("spooler", "spooler-external"),
    "sharedarea_read sharedarea_write sharedarea_readbyte sharedarea_writebyte sharedarea_read8 "
    "sharedarea_write8 sharedarea_readlong sharedarea_writelong sharedarea_read64 "
    "sharedarea_write64 sharedarea_read32 sharedarea_write32 sharedarea_read16 "
    "sharedarea_write16 sharedarea_inclong sharedarea_inc64 sharedarea_inc32 sharedarea_dec64 "
    "sharedarea_dec32 sharedarea_rlock sharedarea_wlock sharedarea_unlock sharedarea_memoryview "
    "sharedarea_object": ("sharedarea",),
    "queue_get queue_set queue_last queue_push queue_pull queue_pop queue_slot "
    "queue_pull_slot queue_size": ("queue",),
    "snmp_set_counter32 snmp_set_counter64 snmp_set_gauge snmp_incr_counter32 "
    "snmp_incr_counter64 snmp_incr_gauge snmp_decr_counter32 snmp_decr_counter64 "
    "snmp_decr_gauge snmp_set_community": ("snmp",),
}

# What does nothing but raise, and why.
UNSUPPORTED = {
    "async_sleep async_connect": "this server has no asynchronous modes: use threads",
    "add_var": "the environ is the app's: change that",
    "route": "rules are for the configuration (route = …)",
    "SymbolsImporter SymbolsZipImporter ZipImporter": "modules are imported as Python does it",
}

# What does nothing without these options, as in uWSGI, and is not supported with them.
CACHE = ("cache", "cache2")
LEGION = ("legion", "legion-mcast", "legion-node")
QUIET = {
    "cache_get": (CACHE, None),
    "cache_set": (CACHE, None),
    "cache_update": (CACHE, None),
    "cache_del": (CACHE, None),
    "cache_exists": (CACHE, None),
    "cache_clear": (CACHE, None),
    "cache_inc": (CACHE, None),
    "cache_dec": (CACHE, None),
    "cache_mul": (CACHE, None),
    "cache_div": (CACHE, None),
    "cache_num": (CACHE, 0),
    "cache_keys": (CACHE, ValueError("no local uWSGI cache available")),
    "i_am_the_lord": (LEGION, False),
    "lord_scroll": (LEGION, None),
    "scrolls": (LEGION, None),
}

# Options that libraries look for, and that are always so here.
ALWAYS = ("master", "enable-threads", "py-call-uwsgi-fork-hooks")

# What workers() tells of each, in this order.
WORKER = (
    "id pid requests delta_requests signals exceptions status rss vsz running_time last_spawn "
    "respawn_count tx avg_rt apps"
).split()

PIECE = 64 << 10

module = None  # once it is made
_config = {}
_number = 0  # of this process's worker, 0 in every other process
_kind = ""  # of a process beside the workers, such as mule
_forked = False  # this is no zygote
_variables = {}  # core -> (request, what set_logvar has set)
_rpc = {}  # name -> function
_locks = None
_received = {}  # thread -> the last signal that signal_wait has seen


def install(config):
    """Make the module, for apps to import."""
    global module, _locks
    _config.update(config)
    _locks = Locks(config["shared"], 1 + config["module"]["locks"])
    control.channel.subscribe("signal", events.offer)
    module = ModuleType("uwsgi")
    names = vars(module)
    names.update(_constants(_config["module"]))
    opt = module.opt
    names.update(_exported)
    for function in sharing.open_all(_config["module"]["stores"], config["shared"]):
        names[function.__name__] = function
    for function in connection.install(_exchange):
        names[function.__name__] = function
    if hasattr(module, "sharedarea_read"):
        names.update((function.__name__, function) for function in connection.SHARED)
    for function in spooler.install(_config):
        names[function.__name__] = function
    if spooler.given:
        names["spoolers"] = spooler.paths()
    for group, why in UNSUPPORTED.items():
        for name in group.split():
            names[name] = _unsupported(name, why)
    for name, (options, result) in QUIET.items():
        if name in names:
            continue
        given = [o for o in options if o in opt]
        names[name] = (
            _unsupported(name, f"the option {given[0]} has no effect")
            if given
            else _quiet(name, result)
        )
    missing = {}
    for group, options in OPTIONAL.items():
        given = [o for o in options if o in opt]
        for name in group.split():
            if name in names:
                continue
            if given:
                names[name] = _unsupported(name, f"the option {given[0]} has no effect")
            else:
                missing[name] = options[0]

    def absent(name):
        if name == "env":
            return _environ()
        why = f": it is there with the option {missing[name]}" if name in missing else ""
        raise AttributeError(f"module 'uwsgi' has no attribute {name!r}{why}")

    module.__getattr__ = absent
    sys.modules["uwsgi"] = module
    sys.meta_path.append(Decorators(_config["module"]["decorators"]))


class Decorators:
    """Finds the module uwsgidecorators where none is installed: so it comes last."""

    def __init__(self, source):
        self.source = source

    def find_spec(self, name, path=None, target=None):
        if name != "uwsgidecorators":
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, self, origin="<uwsgo>/uwsgidecorators.py")

    def create_module(self, spec):
        return None

    def exec_module(self, target):
        code = compile(self.source, "<uwsgo>/uwsgidecorators.py", "exec", dont_inherit=True)
        exec(code, vars(target))


def become(number):
    """Say that this process is a worker now."""
    global _number, _forked
    _number = number
    _forked = True
    _begin()


def become_background(kind):
    """Say that this process is one beside the workers now."""
    global _kind, _forked
    _kind = kind
    _forked = True
    _begin()


def _begin():
    _locks.begin()
    sharing.begin()


def post_fork(held, doing):
    """Call what the app wants called in each worker, before it serves.

    held is the app code to restore meanwhile, see interrupts. Return the code held afterwards.
    """
    if "after_req_hook" in vars(module) and _number == 1:
        say(
            "*** WARNING: uwsgi.after_req_hook is not called here: go on in the close() of what "
            "the app returns ***\n"
        )
    if "post_fork_hook" not in vars(module):
        return held
    pid = os.getpid()
    doing(-1, "running uwsgi.post_fork_hook")
    _, e, held = interrupts.run(held, lambda: call_hook("post_fork_hook"))
    if os.getpid() != pid:
        leave(e)
    return held


def at_exit():
    """Call what the app wants called as a worker ends; Python's own atexit comes after."""
    call_hook("atexit")


def call_hook(name):
    """Call a function that the app has set as that name. What it raises is logged."""
    hook = vars(module).get(name) if module is not None else None
    if hook is not None:
        try:
            hook()
        except BaseException as e:
            if _kind and isinstance(e, SystemExit):
                raise
            report(e)


def _constants(given):
    version = given["version"]
    numbers = [int(n) for n in version.split(".") if n.isdigit()] + [0] * 4
    found = {
        "SPOOL_OK": -2,
        "SPOOL_RETRY": -1,
        "SPOOL_IGNORE": 0,
        "version": version.encode(),
        "version_info": (*numbers[:4], b""),
        "hostname": _config["node"],
        "numproc": _config["processes"],
        "has_threads": 1,
        "cores": _config["threads"] * _config["slots"],
        "buffer_size": given["buffer_size"],
        "started_on": given["started_on"],
        "applications": None,
        "is_a_reload": given["is_a_reload"],
        "loop": None,
        "unbit": None,
        "sockets": [],
        "opt": {},
    }
    for name in ("mode", "pidfile"):
        if given[name]:
            found[name] = given[name]
    opt = found["opt"]
    opt.update(dict.fromkeys(ALWAYS, True))
    for key, value in given["opt"]:
        opt[key] = value  # of several the last, as in uWSGI under Python 3
    now = time.time()
    magic = {
        "%": "%",
        "(": "%(",
        "[": "\x1b",
        "V": version,
        "v": os.getcwd(),
        "k": str(os.cpu_count() or 1),
        "t": str(given["started_on"]),
        "T": str(int(now * 1e6)),
        "u": str(os.getuid()),
        "g": str(os.getgid()),
    }
    found["magic_table"] = {
        **{k.encode(): os.fsencode(v) for k, v in magic.items()},
        b"h": found["hostname"],
    }
    with suppress(ImportError, KeyError):
        import grp
        import pwd

        found["magic_table"][b"U"] = pwd.getpwuid(os.getuid()).pw_name.encode()
        found["magic_table"][b"G"] = grp.getgrgid(os.getgid()).gr_name.encode()
    return found


def _unsupported(name, why):
    def function(*args, **kwargs):
        raise NotImplementedError(f"uwsgo has no uwsgi.{name}: {why}")

    function.__name__ = function.__qualname__ = name
    return function


def _quiet(name, result):
    def function(*args, **kwargs):
        if isinstance(result, Exception):
            raise type(result)(*result.args)
        return result

    function.__name__ = function.__qualname__ = name
    return function


_exported = {}


def export(function):
    """Have a function be in the module."""
    _exported[function.__name__] = function
    function.__module__ = "uwsgi"
    return function


# The request that the calling thread runs.


def _exchange():
    at = worker.here()
    exchange = at.exchange if at is not None else None
    if not isinstance(exchange, worker.Exchange) or exchange.port is None:
        raise RuntimeError("there is no request in this thread")
    return exchange


def _environ():
    """Return the environ of the request, which the thread's own code has at hand."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code in worker.homes:
            environ = frame.f_locals.get("environ")
            if environ is not None:
                return environ
            break
        frame = frame.f_back
    raise AttributeError("uwsgi.env is there only while a request runs, in its own thread")


# Who this is.


@export
def worker_id(*_):
    return _number


@export
def masterpid(*_):
    return _config["module"]["server"]


@export
def i_am_the_spooler(*_):
    return True if spooler.current is not None else None


@export
def spooler_dir(*_):
    return spooler.directory()


@export
def ready(*_):
    return True if _forked else None


@export
def accepting(value=1):
    int_of(value)
    return None


@export
def setprocname(name):
    title.say(text_of(name))


@export
def set_warning_message(message):
    text_of(message)
    return True


# The server.


@export
def reload(*_):
    return _signal_server(system.SIGHUP)


@export
def stop(*_):
    return _signal_server(system.SIGQUIT)


def _signal_server(signum):
    try:
        os.kill(_config["module"]["server"], signum)
    except OSError as e:
        say(f"cannot signal the server: {e}\n")
        return None
    return True


@export
def log(message):
    say(text_of(message).decode() + "\n")
    return True


@export
def alarm(name, message):
    """Raise an alarm of the configuration."""
    name, message = text_of(name), bytes_of(message)
    if "alarm" in module.opt:
        try:
            control.channel.tell("alarm", name.decode(), message)
        except OSError as e:
            say(f"uwsgi.alarm: {e}\n")


@export
def logsize(*_):
    return 0


@export
def micros(*_):
    return int(time.time() * 1e6)


@export
def mem(*_):
    """Return bytes of resident and of virtual memory."""
    with suppress(OSError, ValueError, IndexError):
        with io.open("/proc/self/statm", "rb", buffering=0) as f:
            size, resident = f.read().split()[:2]
        page = os.sysconf("SC_PAGE_SIZE")
        return int(resident) * page, int(size) * page
    return 0, 0


@export
def total_requests(*_):
    return control.channel.call("requests")[0]


@export
def request_id(*_):
    at = worker.here()
    return control.channel.call("requests")[1 + (at.number if at is not None else 0)]


@export
def listen_queue(number=0):
    return control.channel.call("listen queue", int_of(number))


@export
def workers(*_):
    found = []
    for one in control.channel.call("workers"):
        one = {name: one[name] for name in WORKER}
        one["status"] = one["status"].encode()
        one["apps"] = tuple(
            {k: v.encode() if type(v) is str else v for k, v in app.items()} for app in one["apps"]
        )
        found.append(one)
    return tuple(found)


# Locks.


@export
def lock(number=0):
    _locks.lock(_lock_number(number))


@export
def unlock(number=0):
    _locks.unlock(_lock_number(number))


@export
def is_locked(number=0):
    return _locks.locked(_lock_number(number))


def _lock_number(number):
    if spooler.current is not None:
        raise ValueError("The spooler cannot lock/unlock resources")
    if not 0 <= int_of(number) < len(_locks.threads):
        raise ValueError("Invalid lock number")
    return number


# Signals.


@export
def register_signal(number, target, function):
    number, name = byte_of(number), text_of(target).decode()
    if number in events.handlers and not _forked:
        say("[uwsgi-signal] you cannot re-register a signal as the master !!!\n")
        raise ValueError("unable to register signal")
    control.channel.call("register signal", number, name)
    events.register(number, function)
    if worker.running:
        events.serve(worker.here() if _config["threads"] == 1 else None)
    where = name or "default, any worker"
    say(f"[uwsgi-signal] signum {number} registered (wid: {_number} target: {where})\n")


@export
def signal_registered(number):
    return True if byte_of(number) in events.handlers else None


@export
def signal(number, remote=None):
    byte_of(number)
    if remote is not None:
        raise NotImplementedError("uwsgo sends no signals to other servers: use HTTP")
    control.channel.call("send signal", number)


@export
def signal_wait(number=-1):
    if number != -1:
        byte_of(number)
    _received[thread.get_ident()] = -1
    _received[thread.get_ident()] = events.wait(number)
    return b""


@export
def signal_received():
    return _received.get(thread.get_ident(), 0)


@export
def add_timer(number, seconds):
    control.channel.call("add timer", byte_of(number), int_of(seconds))


@export
def add_rb_timer(number, seconds, iterations=0):
    control.channel.call("add rb timer", byte_of(number), int_of(seconds), int_of(iterations))


@export
def add_cron(number, minute, hour, day, month, week):
    fields = [int_of(n) for n in (minute, hour, day, month, week)]
    control.channel.call("add cron", byte_of(number), *fields)
    return True


@export
def add_file_monitor(number, path):
    path = os.path.abspath(text_of(path).decode())
    control.channel.call("add file monitor", byte_of(number), path)


# The request.


@export
def start_response(*args, **kwargs):
    return _exchange().start_response(*args, **kwargs)


@export
def cl(*_):
    length = _exchange().others.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdigit() else 0


@export
def log_this_request(*_):
    _tell_log(_exchange(), b"", b"")


@export
def set_logvar(key, value):
    """Set what %(key) of log-format becomes in this request's line."""
    key, value = bytes_of(key), bytes_of(value)
    exchange = _exchange()
    _own(exchange)[key] = value
    _tell_log(exchange, key, value)


@export
def get_logvar(key):
    return _own(_exchange()).get(bytes_of(key))


def _own(exchange):
    number = worker.here().number
    rid, found = _variables.get(number, (None, None))
    if rid != exchange.rid:
        found = {}
        _variables[number] = exchange.rid, found
    return found


def _tell_log(exchange, key, value):
    if exchange.frame is not None:
        return  # the answer has gone out, and its line is being written
    data = marshal.dumps((key, value), 2)
    if len(data) > PIECE:
        raise ValueError(f"{len(data)} bytes are too many for the log")
    exchange.port.send(frame_head(len(data), exchange.rid, LOG_VARIABLE) + data)


@export
def set_user_harakiri(seconds):
    """Bound the time that this request may still take; 0 for no bound."""
    seconds = int_of(seconds)
    if _kind:
        control.channel.tell("deadline", "user", seconds, "")
        return
    at = worker.here()
    if at is not None and at.exchange is not None:
        control.channel.call("user harakiri", at.number, _exchange().rid, seconds)


@export
def chunked_read(timeout=0):
    """Return the next piece of the request's body, b"" at its end."""
    int_of(timeout)
    _exchange()
    body = _environ()["wsgi.input"]
    return body.read1(PIECE) if hasattr(body, "read1") else body.read(PIECE)


@export
def chunked_read_nb():
    return chunked_read()


@export
def sendfile(what, chunk=0, pos=0, size=0):
    """Send a file, by name or open, as the body of the answer."""
    if hasattr(what, "fileno"):
        fd, mine = what.fileno(), None
    elif isinstance(what, int):
        fd, mine = what, None
    else:
        try:
            fd = mine = os.open(os.fsdecode(bytes_of(what)), os.O_RDONLY)
        except OSError as e:
            say(f"{e}\n")
            return None
    write = _exchange().write
    try:
        pos, left = int_of(pos), int_of(size) or os.fstat(fd).st_size - pos
        while left > 0:
            block = os.pread(fd, min(PIECE, left), pos)
            if not block:
                break
            write(block)
            pos += len(block)
            left -= len(block)
    finally:
        if mine is not None:
            os.close(mine)
    return True


@export
def offload(*args):
    return b""


@export
def green_schedule(*_):
    return True


# Descriptors.


@export
def send(what, *data):
    if not data:
        raise NotImplementedError("uwsgo has no uwsgi.send(data): answer as PEP 3333 has it")
    try:
        os.write(int_of(what), bytes_of(*data))
    except OSError as e:
        say(f"write(): {e}\n")
        return None
    return True


@export
def recv(fd, size=4096):
    try:
        return os.read(int_of(fd), min(int_of(size), 4096)) or None
    except OSError:
        return None


@export
def close(fd):
    with suppress(OSError):
        os.close(int_of(fd))


@export
def connect(address, timeout=0):
    """Return a descriptor that is connected to host:port or to a unix socket, -1 for none."""
    address = text_of(address).decode()
    try:
        sock, to = remote.open_socket(address)
        try:
            sock.settimeout(int_of(timeout) or None)
            sock.connect(to)
            return sock.detach()
        finally:
            sock.close()
    except OSError as e:
        say(f"uwsgi.connect({address!r}): {e}\n")
        return -1


@export
def is_connected(fd):
    try:
        sock = socket.socket(fileno=os.dup(int_of(fd)))
    except OSError:
        return False
    try:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    except OSError:
        return False
    finally:
        sock.close()


# Files.


@export
def extract(name):
    try:
        with io.open(text_of(name), "rb") as f:
            return f.read() or None
    except OSError as e:
        say(f"{e}\n")
        return None


@export
def embedded_data(name):
    raise ValueError(f"unable to find symbol {text_of(name).decode()}")


@export
def parsefile(name):
    """Return the variables of a uwsgi packet in a file, None if it holds none."""
    data = extract(name)
    if data is None or len(data) < 4 or data[0] not in (0, 17):
        return None
    pieces, at, end = deque(), 4, 4 + int.from_bytes(data[1:3], "little")
    while at + 2 <= end <= len(data):
        size = int.from_bytes(data[at : at + 2], "little")
        pieces.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    if at != end or len(pieces) % 2:
        return None
    return dict(zip(list(pieces)[::2], list(pieces)[1::2]))


# RPC, within this process, or to other servers.


@export
def register_rpc(name, function, argc=0):
    byte_of(argc)
    _rpc[text_of(name)] = function
    return True


@export
def rpc_list(*_):
    return tuple(_rpc)


@export
def call(*args):
    if not args or not all(isinstance(a, bytes) for a in args):
        raise ValueError("unable to call rpc function")
    function = _rpc.get(args[0])
    if function is None:
        return None
    try:
        result = function(*args[1:])
    except Exception as e:
        report(e)
        return None
    return bytes(result) or None if isinstance(result, (bytes, bytearray, memoryview)) else None


@export
def rpc(*args):
    if len(args) < 2 or not isinstance(args[1], bytes):
        raise ValueError("unable to call rpc function")
    if not all(isinstance(a, bytes) for a in args[1:]):
        raise ValueError("unable to call rpc function")
    if args[0]:
        return remote.call(bytes_of(args[0]), args[1:])
    return call(*args[1:])
