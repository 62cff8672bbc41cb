"""The process that imports the apps once and forks workers.

It talks to the server over the control socket, in frames of a little-endian
uint32 and as many bytes of marshal. From the server come lists:

    ["spawn", place, number, count]   fork a process for worker number, which has that
                                      place from then on; as many descriptors follow. From
                                      config["places"] on the places are those of processes
                                      beside the workers, see background
    ["signal", place, signum]
    ["kill"]                   SIGKILL to every worker
    ["ping"]

and the end of the socket: kill the workers and exit. To the server go tuples:

    ("loaded", version, executable, outcome of apps.load_all)
    ("threads", names, once)    threads run after the import, so nothing is forked unless
                                they may stay here (once)
    ("doing", place, app, text, group)  before what may take long: what, place -1 being the
                                zygote; app, of those to load, is the one that is imported,
                                or -1; group is that of the processes of a command, or 0
    ("spawned", place, pid)
    ("ready", place, outcome, pid)  the worker takes requests from now on; outcome is that
                                of its own imports with lazy-apps, else empty
    ("pong",)
    ("exit", place, pid, status)    status: exit code, or minus the signal
    ("imported", files)             where the server watches them
"""

import gc
import sys
from array import array
from errno import ENOMEM
from resource import RLIMIT_AS, RLIMIT_NOFILE, RLIMIT_NPROC, getrlimit, setrlimit

from . import (
    apps,
    background,
    control,
    forked,
    greenlets,
    hooks,
    hub,
    imports,
    interrupts,
    module,
    mule,
    signals,
    spooling,
    title,
    worker,
)
from .own import marshal, os, select, signal, socket, suppress, thread, time
from .port import CLOEXEC
from .trace import say

FDS_AT_ONCE = 100  # descriptors in a message; the kernel takes 253
NO_APP = 22  # the exit code of a worker that cannot load its app, as in uWSGI
FAREWELL = 5  # seconds that such a worker waits to be ended, with what its app has started

KINDS = mule, spooling  # of processes beside the workers: they register themselves

collect, freeze = gc.collect, getattr(gc, "freeze", None)  # PyPy has no freeze


class Control:
    """The control socket."""

    def __init__(self, fd):
        self.sock = socket.socket(fileno=fd)
        self.sock.setblocking(True)

    def send(self, message):
        data = marshal.dumps(message, 2)
        # In one piece: lazy workers send on the same socket.
        self.sock.sendall(len(data).to_bytes(4, "little") + data)

    def receive(self):
        """Return the next message, None at the end."""
        head = self.sock.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            return None
        size = int.from_bytes(head, "little")
        data = self.sock.recv(size, socket.MSG_WAITALL)
        return marshal.loads(data) if len(data) == size else None

    def descriptors(self, count):
        """Return as many descriptors, or fewer where this process has no room for them."""
        fds = array("i")
        # The count is of messages: contents beyond the room are cut off.
        for _ in range(0, count, FDS_AT_ONCE):
            space = socket.CMSG_SPACE(FDS_AT_ONCE * fds.itemsize)
            data, ancillary, _, _ = self.sock.recvmsg(1, space, CLOEXEC)
            if not data:
                raise EOFError
            for _, _, content in ancillary:
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        return list(fds)


class Zygote:
    """The workers that were forked and are not reaped yet."""

    def __init__(self, control, config):
        self.control = control
        self.config = config
        self.pids = {}  # place -> pid
        self.apps = None
        self.pid = os.getpid()
        # Nothing of the app's runs in between from here on, but while it is imported.
        self.held = interrupts.hold()
        self.mask = self.held.mask  # of signals, as the server has it
        self.prctl = parent_death_signal()
        self.imports = imports.Imports(config, control.send) if config["watch"] else None

    def load(self):
        """Import the apps. Return False when the server has to start anew."""
        config = self.config
        outcome = []
        if config["gevent"]:
            self.doing(-1)(-1, "loading gevent")
            try:
                hub.begin(config)
            except hub.Unusable as e:
                say(f"{e}\n")
                raise SystemExit(1) from e
        if not config["lazy"]:
            self.apps, outcome, self.held = apps.load_all(config, self.doing(-1), self.held)
            if self.imports:
                self.imports.tell()
            if thread._count() > 0:
                # PyPy does not fork well beside threads.
                once = config["once"] and sys.implementation.name != "pypy"
                self.control.send(("threads", apps.threads(), once))
                if not once:
                    return False
        version = sys.version.split()[0]
        self.control.send(("loaded", version, sys.executable or "", outcome))
        return True

    def doing(self, place):
        """Return what tells the server what a process does before it serves."""

        def tell(app, text, group=0):
            self.control.send(("doing", place, app, text[:500], group))

        return tell

    def serve(self):
        """Obey the server. Return only in a worker, and then what to run there."""
        collect()
        if freeze:
            freeze()
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        # The apps' own handler, if any, is put back in workers.
        inherited = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        poll.register(self.control.sock, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if wake.fileno() in ready:
                with suppress(BlockingIOError):
                    wake.recv(4096)
                self.reap()
            if self.control.sock.fileno() not in ready:
                continue
            message = self.control.receive()
            if message is None:
                self.end()
            elif message[0] == "spawn":
                place, number, count = message[1:]
                fds = self.control.descriptors(count)
                if len(fds) < count:
                    self.short(place, number, fds, count)
                elif self.fork(place, fds):
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, inherited or signal.SIG_DFL)
                    wake.close()
                    woken.close()
                    return place, number, fds
            elif message[0] == "signal":
                self.kill(message[1], message[2])
            elif message[0] == "ping":
                self.control.send(("pong",))
            elif message[0] == "kill":
                for place in list(self.pids):
                    self.kill(place, signal.SIGKILL)

    def who(self, place, number):
        """Return what the log calls a process."""
        if place < self.config["places"]:
            return f"worker {number}"
        return f"{self.config['backgrounds'][place - self.config['places']]['kind']} {number}"

    def short(self, place, number, fds, count):
        """Tell the server that there is no room for a process's descriptors."""
        close(fds)
        limit = getrlimit(RLIMIT_NOFILE)[0]
        say(
            f"cannot fork {self.who(place, number)}: it needs {count} file descriptors, and there "
            f"is room for {len(fds)}: RLIMIT_NOFILE is {limit}: raise it (ulimit -n, "
            "LimitNOFILE=), or have the app leave fewer files open when it is imported\n"
        )
        self.control.send(("exit", place, 0, 1))

    def fork(self, place, fds):
        """Return True in the worker, which alone keeps the descriptors."""
        signals.forking(worker=True)
        try:
            pid = os.fork()
        except Exception as e:  # also of an audit hook of the app's
            signals.forking(worker=False)
            close(fds)
            say(f"cannot fork a worker: {e}\n")
            self.control.send(("exit", place, 0, 1))
            return False
        signals.forking(worker=False)
        if pid == 0:
            if self.prctl:
                self.prctl(hooks.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self.pid:
                os._exit(0)
            return True
        self.pids[place] = pid
        # First: what the server sends to a worker that dies must not seem to arrive.
        close(fds)
        self.control.send(("spawned", place, pid))
        return False

    def kill(self, place, signum):
        # Only processes that are not reaped, so that no other process is ever hit.
        if place in self.pids:
            with suppress(ProcessLookupError):
                os.kill(self.pids[place], signum)

    def reap(self):
        # By pid: an app's import may have left children of its own.
        for place, pid in list(self.pids.items()):
            try:
                done, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                done, status = pid, 0  # the app has reaped it, as in an at-fork handler
            if done:
                del self.pids[place]
                with suppress(BrokenPipeError):
                    code = os.waitstatus_to_exitcode(status)
                    self.control.send(("exit", place, pid, code))

    def give_up(self, place, number, doing):
        """End a worker that cannot serve, as it failed at what doing says."""
        say(f"{self.who(place, number)} ends, as it failed at {doing}\n")
        self.doing(place)(-1, doing)
        os._exit(1)

    def end(self):
        """The server has ended, or died."""
        for place, pid in self.pids.items():
            self.kill(place, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        os._exit(0)


def close(fds):
    for fd in fds:
        os.close(fd)


def parent_death_signal():
    """Return prctl where there is one: a zygote that is killed must not leave workers behind."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        # What ctypes is made of: that itself takes 0.2 MB of each process.
        from _ctypes import call_function, dlopen, dlsym

        prctl = dlsym(dlopen(None, 0), "prctl")
        return lambda *args: call_function(prctl, args)
    except (ImportError, OSError, AttributeError):
        pass
    try:
        import ctypes

        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None  # workers still end with the queue


def limit_address_space(size):
    try:
        setrlimit(RLIMIT_AS, (size, size))
    except (ValueError, OSError) as e:
        say(f"limit-as: cannot limit the address space to {size} bytes: {e}\n")


def map_to_processors(number, count):
    """Have a worker run on so many processors, the next worker on those behind them."""
    try:
        there = sorted(os.sched_getaffinity(0))
        first = (number - 1) * count
        chosen = [there[(first + i) % len(there)] for i in range(min(count, len(there)))]
        os.sched_setaffinity(0, chosen)
    except (OSError, AttributeError) as e:  # there is no such function on macOS
        say(f"cpu-affinity: cannot map worker {number} to processors: {e}\n")
        return
    say(f"mapping worker {number} to CPUs: {' '.join(map(str, chosen))}\n")


def main(config):
    for name in ("control", "queue", "shared", "stacks", "calls", "bodies"):
        fd = config[name]
        if fd >= 0:
            os.set_inheritable(fd, False)
    title.of_process(config["names"], 0)
    sys.argv = ["uwsgi", *config["argv"]]
    sys.path[:] = [p for p in sys.path if p != ""]
    sys.path.insert(0, ".")
    for path in config["pythonpath"]:
        sys.path.insert(0, path)
    sys.stdout.reconfigure(line_buffering=True)
    sys.stderr.reconfigure(line_buffering=True)
    signals.leave_to_server()
    if config["limit_as"]:
        limit_address_space(config["limit_as"])
    greenlets.settle()
    server = Control(config["control"])
    zygote = Zygote(server, config)
    control.begin(config["calls"])
    mule.open_all(config["module"])
    module.install(config)
    try:
        if not zygote.load():
            server.receive()  # the end: last words may go unheard once a process is gone
            say("")
            os._exit(0)
        place, number, fds = zygote.serve()
    except (BrokenPipeError, EOFError):
        zygote.end()
    control.begin(fds.pop())
    if place >= config["places"]:
        return background.main(zygote, place, config["backgrounds"][place - config["places"]])
    module.become(number)
    title.of_process(config["names"], number)
    if config["affinity"]:
        map_to_processors(number, config["affinity"])
    outcome = []
    hooks.run("hook-post-fork", config["post_fork"], zygote, zygote.doing(place))
    if config["lazy"]:
        zygote.apps, outcome, zygote.held = apps.load_all(config, zygote.doing(place), zygote.held)
        if zygote.imports:
            zygote.imports.tell()
    else:
        apps.reseed()
    zygote.held = module.post_fork(zygote.held, zygote.doing(place))
    # All steps that may fail come first. After the report the server takes this process as
    # serving and retires its predecessor.
    try:
        memory = worker.share(config)
    except OSError as e:
        limit = f"RLIMIT_NOFILE is {getrlimit(RLIMIT_NOFILE)[0]}"
        if e.errno == ENOMEM and config["limit_as"]:
            limit = f"limit-as is {config['limit_as']} bytes: raise it, or leave it out"
        what = "mapping the memory that it shares with the server"
        zygote.give_up(place, number, f"{what}: {e} ({limit})")

    def ready():
        server.send(("ready", place, outcome, os.getpid()))

    if config["need_app"] and any(reason for _, _, reason in outcome):
        ready()
        time.sleep(FAREWELL)
        raise SystemExit(NO_APP)
    callables = [app or apps.missing for app in zygote.apps] or [apps.missing]
    try:
        kind = hub if config["gevent"] else worker
        go = kind.prepare(config, place, number, fds, memory, callables, zygote.held)
    except worker.NoThread as e:
        limit = f"RLIMIT_NPROC is {getrlimit(RLIMIT_NPROC)[0]}"
        what = "raise that (ulimit -u), or that of the service or container (TasksMax=, pids.max)"
        zygote.give_up(place, number, f"starting {e} ({limit}: {what})")
    ready()
    if zygote.imports:
        zygote.imports.watch()
        forked.sockets.append(server.sock)
    else:
        server.sock.close()
    go()
    module.at_exit()
