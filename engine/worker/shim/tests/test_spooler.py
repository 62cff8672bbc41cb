"""The spooler: files as uWSGI has them, who runs what when, and what is left of it."""

import contextlib
import fcntl
import os
import signal
import time

import pytest
from shim import spooler, spooling, tasks

# As uWSGI 2.0.31 has written it: spool({b"name": b"Jo", b"empty": b"", "body": b"text"}).
WRITTEN = bytes.fromhex("11130000 0400 6e616d65 0200 4a6f 0500 656d707479 0000".replace(" ", ""))


@pytest.fixture
def given(tmp_path, monkeypatch):
    """The configuration of a spooler in tmp_path, and notices that go to the server."""
    told = []

    class Channel:
        def tell(self, *notice):
            told.append(notice)

        def call(self, name, *args):
            told.append((name, *args))
            return [11, 12]

    monkeypatch.setattr(spooler.control, "channel", Channel())
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    directories = [
        {"name": name, "path": str(tmp_path / name), "processes": n}
        for name, n in (("a", 1), ("b", 2))
    ]
    config = {"directories": directories, "ordered": False, "frequency": 5}
    config.update(sync=True, chdir="", max_tasks=0, quiet=True, harakiri=0, signals=False)
    spooler.install({"module": {"spooler": config}, "node": b"here"})
    config["told"] = told
    monkeypatch.chdir(tmp_path)
    yield config
    spooler.given = spooler.current = None


class Process:
    """What background has a spooler wait by; this never does."""

    def __init__(self):
        self.going = False
        self.offered = 0  # signals
        self.waits = []

    def wait(self, fds, timeout):
        self.waits.append(timeout)
        return []

    def take_signals(self):
        offered, self.offered = self.offered, 0
        return offered

    def task(self, seconds, what):
        return contextlib.nullcontext()


@pytest.fixture
def one(given):
    """A spooler of directory a, that runs what is due once."""

    def make(function):
        s = spooling.Spooler(given["directories"][0]["path"], lambda: function)
        s.process = Process()
        s.once = s.round
        return s

    return make


def files(path):
    return sorted(os.path.join(d, f) for d, _, names in os.walk(path) for f in names)


def test_a_file_is_that_of_uwsgi(given, tmp_path):
    path = os.fsdecode(spooler.spool({b"name": b"Jo", b"empty": b"", "body": b"text"}))
    assert (tmp_path / "a").samefile(os.path.dirname(path))
    name = os.path.basename(path).removeprefix("uwsgi_spoolfile_on_here_").split("_")
    assert int(name[0]) == os.getpid()
    assert len(name) == 5
    with open(path, "rb") as f:
        assert f.read() == WRITTEN + b"text"
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert given["told"] == [("spooled", os.path.dirname(path))]
    assert files(tmp_path) == [path]


SPOOLED = [
    # what is given, what the function gets
    ("bytes", {b"k": b"v"}, {b"k": b"v"}),
    ("text", {"k": "é"}, {b"k": "é".encode()}),
    ("numbers", {"n": 5, "x": 1.5}, {b"n": b"5", b"x": b"1.5"}),
    ("buffers", {"n": bytearray(b"ab"), "m": memoryview(b"cd")}, {b"n": b"ab", b"m": b"cd"}),
    ("body_in_text", {"body": "é"}, {"body": "é".encode()}),
    ("body_in_bytes", {b"body": b"b"}, {"body": b"b"}),
    ("empty_body", {"k": "v", "body": b""}, {b"k": b"v"}),
    ("nothing", {}, {}),
    ("the_most", {"k": b"v" * (0xFFFF - 5)}, {b"k": b"v" * (0xFFFF - 5)}),
]


@pytest.mark.parametrize("task,want", [t[1:] for t in SPOOLED], ids=[t[0] for t in SPOOLED])
def test_what_is_spooled_comes(given, one, task, want):
    got = []

    def function(found):
        got.append(found)
        return spooling.OK

    path = spooler.spool(task)
    assert spooler.spooler_get_task(os.fsdecode(path)) == {"spooler_task_name": path, **want}
    one(function).once()
    assert got == [{"spooler_task_name": os.path.basename(path), **want}]
    assert not os.path.exists(path)


def test_what_is_on_the_disk(given, monkeypatch):
    synced = []
    monkeypatch.setattr(tasks.os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    path = spooler.spool(priority=5)
    folder = os.path.dirname(path)
    assert synced == [os.stat(p).st_ino for p in (os.path.dirname(folder), path, folder)]
    given["sync"] = False
    spooler.spool(priority=6)
    assert len(synced) == 3


def test_keywords_are_a_task(given):
    path = spooler.send_to_spooler(name="Jo", body=b"b")
    assert spooler.spooler_get_task(os.fsdecode(path))[b"name"] == b"Jo"


@pytest.mark.parametrize(
    "task,why",
    [
        ({"k": None}, "must contains only bytes"),
        ({None: b"v"}, "must contains only bytes"),
        ({"k": [1]}, "must contains only bytes"),
        ({"": b"v"}, "needs a name"),
        ({"k": b"v" * 0x10000}, "use 'body'"),
        ({str(n): b"v" * 1000 for n in range(66)}, "use 'body'"),
        ({"priority": "../../etc"}, "no number"),
        ({"priority": "high"}, "no number"),
        ({"at": "tomorrow"}, "not in seconds"),
        ({"spooler": "c"}, 'unable to find spooler "c"'),
        ("text", "must be a dictionary"),
    ],
)
def test_what_is_refused(given, tmp_path, task, why):
    with pytest.raises(ValueError, match=why):
        spooler.spool(task)
    assert files(tmp_path) == []


def test_a_directory_that_cannot_be_written(given, tmp_path):
    os.rename(tmp_path / "a", tmp_path / "gone")
    with pytest.raises(ValueError, match=r"unable to spool job: .*No such file"):
        spooler.spool(k="v")


def test_other_directories(given, tmp_path):
    assert spooler.paths() == tuple(os.fsencode(tmp_path / d) for d in "abb")
    for name in ("b", str(tmp_path / "b")):
        path = spooler.spool(spooler=name)
        assert os.path.dirname(path) == os.fsencode(tmp_path / "b")
    path = spooler.spool({})
    assert spooler.spooler_jobs() == [path]
    assert spooler.spooler_pid() == 11
    assert spooler.spooler_pids() == [11, 12]


def test_the_order(given, one):
    given["ordered"] = True
    want = []
    for priority in ("10", "9", "1", None):
        for n in range(12):
            task = {"n": f"{priority} {n}", **({"priority": priority} if priority else {})}
            spooler.spool(task)
    want = [f"{p} {n}".encode() for p in ("1", "9", "10", None) for n in range(12)]
    got = []

    def function(task):
        got.append(task[b"n"])
        return spooling.OK

    one(function).once()
    assert got == want


def test_priorities_are_run_without_an_order_too(given, one):
    spooler.spool(priority=3)
    ran = []
    one(lambda task: ran.append(task) or spooling.OK).once()
    assert len(ran) == 1


@pytest.mark.parametrize("ordered", [False, True])
def test_so_many_are_looked_for_at_a_time(given, ordered, monkeypatch):
    now = time.time()
    for _ in range(50):
        spooler.spool(at=now + 1000)
    want = [spooler.spool({}) for _ in range(20)]
    path = given["directories"][0]["path"]
    found, soon = tasks.due(path, ordered, {}, 7)
    assert len(found) == 7, "those for later do not count"
    if ordered:
        assert [os.path.join(*task) for task in found] == [os.fsdecode(p) for p in want[:7]]
        assert soon == int(now + 1000)


class Clock:
    def __init__(self, monkeypatch):
        self.now = time.time() + 1  # what is written from now on is before
        real = tasks.time

        class Time:
            time = staticmethod(lambda: self.now)
            time_ns = staticmethod(real.time_ns)
            sleep = staticmethod(real.sleep)

        monkeypatch.setattr(tasks, "time", Time)
        monkeypatch.setattr(spooling, "time", Time)


@pytest.mark.parametrize(
    "result,waits",
    [
        # what the function does, and the seconds until the next times
        (spooling.OK, []),
        (spooling.RETRY, [5, 5, 5]),
        (None, [5, 5]),
        (True, [5, 5]),
        ("text", [5, 5]),
        (spooling.IGNORE, [5, 5]),
        (RuntimeError("as asked"), [5, 10, 20, 40, 80, 80]),
        (SystemExit(3), [5, 10]),
        (KeyboardInterrupt(), [5, 10]),
    ],
)
def test_what_a_result_means(given, one, monkeypatch, result, waits):
    clock = Clock(monkeypatch)
    ran = []

    def function(task):
        ran.append(clock.now)
        if isinstance(result, BaseException):
            raise result
        return result

    path = spooler.spool({})
    s = one(function)
    s.once()
    for n, wait in enumerate(waits):
        assert len(ran) == n + 1
        clock.now = ran[-1] + wait - 0.5
        s.once()
        assert len(ran) == n + 1, f"it came before {wait} s"
        clock.now += 1
        s.once()
    assert len(ran) == 1 + len(waits)
    assert os.path.exists(path) == (result != spooling.OK)


def test_a_task_that_kills_its_process_waits(given, one, monkeypatch):
    clock = Clock(monkeypatch)
    for n in (1, 2):
        spooler.spool(n=n)
    pid = os.fork()
    if pid == 0:
        one(lambda task: os.kill(os.getpid(), signal.SIGKILL)).once()
    os.waitpid(pid, 0)
    ran = []
    s = one(lambda task: ran.append(task) or spooling.OK)
    s.once()
    assert len(ran) == 1, "the other one has its turn first"
    clock.now += 5
    s.once()
    assert len(ran) == 2


def test_one_process_waits_for_what_another_has_tried(given, one, monkeypatch):
    ran = []

    def function(task):
        ran.append(task)
        raise RuntimeError("as asked")

    spooler.spool({})
    one(function).once()
    one(function).once()
    assert len(ran) == 1


def test_at(given, one, monkeypatch):
    clock = Clock(monkeypatch)
    ran = []
    path = spooler.spool(at=clock.now + 100.7)
    assert os.stat(path).st_mtime == int(clock.now + 100.7)
    s = one(lambda task: ran.append(task) or spooling.OK)
    s.once()
    assert not ran
    clock.now += 102
    s.once()
    assert len(ran) == 1


@pytest.mark.parametrize(
    "content,why",
    [
        (b"", "it has 0 bytes"),
        (b"\x11\x01", "it has 2 bytes"),
        (WRITTEN[:10], "it has 10 bytes of 23 and more"),
        (b"\x11\x03\0\0\x01\0k", "cut off"),
        (b"\x11\x04\0\0\0\0\0\0", "cut off"),
        (b"\x11\x05\0\0\x01\0k\x09\0v", "cut off"),
    ],
)
def test_what_is_damaged_is_put_aside(given, one, tmp_path, capsys, monkeypatch, content, why):
    clock = Clock(monkeypatch)
    name = "uwsgi_spoolfile_on_there_1_2_3_4_5"
    (tmp_path / "a" / name).write_bytes(content)
    s = one(lambda task: pytest.fail("it was run"))
    if len(content) < 4:
        s.once()
        assert (tmp_path / "a" / name).exists(), "somebody may be about to write it"
        clock.now += 61
    s.once()
    assert files(tmp_path) == [str(tmp_path / "a" / f"damaged_{name}")]
    assert why in capsys.readouterr().err
    s.once()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "call,error,times",
    [
        ("open", PermissionError("as asked"), spooling.LONGEST),
        ("open", OSError("as asked"), 1),
        ("read", OSError("as asked"), 1),
        ("read", MemoryError("as asked"), 1),
        ("rename", PermissionError("as asked"), spooling.LONGEST),
    ],
)
def test_what_cannot_be_taken_keeps_nobody_from_running(
    given, one, tmp_path, capsys, monkeypatch, call, error, times
):
    """Files of another user, say: more than are looked for at a time, before all others."""
    monkeypatch.setattr(spooling, "AT_ONCE", 2)
    spooler.given["ordered"] = True
    clock = Clock(monkeypatch)
    fails = "uwsgi_spoolfile_on_a"
    for n in range(5):
        (tmp_path / "a" / f"{fails}_{n}").write_bytes(b"\x11\x03\0\0\x01\0k")
    spooler.spool(n=1)
    reals, theirs = {n: getattr(os, n) for n in ("open", "read", "rename")}, set()

    def refused(*args, **kwargs):
        if (call == "read" and args[0] in theirs) or fails in str(args[0]):
            raise error
        return reals[call](*args, **kwargs)

    def opened(path, *args, **kwargs):
        fd = reals["open"](path, *args, **kwargs)
        (theirs.add if fails in str(path) else theirs.discard)(fd)
        return fd

    monkeypatch.setattr(tasks.os, "open", opened)
    monkeypatch.setattr(tasks.os, call, refused)
    ran = []
    s = one(lambda task: ran.append(task) or spooling.OK)
    for _ in range(4):
        s.once()
    assert len(ran) == 1
    assert capsys.readouterr().err.count("as asked") == 5
    s.once()
    assert capsys.readouterr().err == "", "it is said once"
    clock.now += times * s.frequency + 1
    s.once()
    assert capsys.readouterr().err.count("as asked") == 2, "it is tried again"


def test_what_is_no_task_is_left_alone(given, one, tmp_path):
    a = tmp_path / "a"
    (a / "uwsgi_spoolfile_on_link").symlink_to(tmp_path / "target")
    (tmp_path / "target").write_bytes(WRITTEN)
    (a / "uwsgi_spoolfile_on_folder").mkdir()
    (a / "readme").write_bytes(WRITTEN)
    (a / "7").write_bytes(WRITTEN)
    os.mkfifo(a / "uwsgi_spoolfile_on_fifo")
    before = files(tmp_path)
    one(lambda task: pytest.fail("it was run")).once()
    assert files(tmp_path) == before
    for name in ("readme", "nothing", "."):
        spooler.spooler_get_task(str(a / name))
    assert files(tmp_path) == before


def test_a_lock_keeps_others_away(given, one):
    path = os.fsdecode(spooler.spool(k="v"))
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        fd = os.open(path, os.O_RDWR)
        fcntl.lockf(fd, fcntl.LOCK_EX)
        os.write(tell, b"1")
        signal.pause()
    os.read(told, 1)
    ran = []
    s = one(lambda task: ran.append(task) or spooling.OK)
    s.once()
    assert not ran
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    s.once()
    assert len(ran) == 1


def test_a_task_stays_locked_while_it_is_looked_at(given, one):
    path = os.fsdecode(spooler.spool(k="v"))
    seen = []

    def function(task):
        spooler.current = s
        seen.append(spooler.spooler_get_task(path)[b"k"])
        pid = os.fork()
        if pid == 0:
            fd = os.open(path, os.O_RDWR)
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os._exit(7)
            os._exit(0)
        seen.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        return spooling.OK

    s = one(function)
    s.once()
    assert seen == [b"v", 7]


def test_several_share_a_directory(given, one):
    for n in range(200):
        spooler.spool(n=n)
    told, tell = os.pipe()
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            s = one(lambda task: os.write(tell, task[b"n"] + b"\n") and spooling.OK)
            s.once()
            os._exit(0)
        children.append(pid)
    os.close(tell)
    with os.fdopen(told) as f:
        ran = [int(line) for line in f]
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    assert sorted(ran) == list(range(200))


def test_nothing_is_lost_or_half_written_by_a_kill(given, tmp_path, monkeypatch):
    """A process that is killed as it spools leaves whole tasks and files that nobody takes."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        n = 0
        while True:
            n += 1
            spooler.spool(n=n, body=b"x" * 5000)
            os.write(tell, b".")
    os.close(tell)
    got = b""
    while len(got) < 20:
        got += os.read(told, 100)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while more := os.read(told, 100):
        got += more
    there = []
    for path in files(tmp_path):
        task = tasks.peek(path)
        if os.path.basename(path).startswith(tasks.PREFIX):
            assert len(task.body) == 5000
            there.append(int(task.variables[b"n"]))
    assert sorted(there)[: len(got)] == list(range(1, len(got) + 1))
    for path in files(tmp_path):
        if os.path.basename(path).startswith(tasks.UNFINISHED):
            break
    else:
        path = str(tmp_path / "a" / (tasks.UNFINISHED + tasks.PREFIX))
        open(path, "w").close()
    tasks.tidy(str(tmp_path / "a"))
    assert os.path.exists(path)
    monkeypatch.setattr(tasks, "ABANDONED", -1)
    tasks.tidy(str(tmp_path / "a"))
    assert not os.path.exists(path)


def test_it_goes_between_tasks(given, one):
    ran = []

    def function(task):
        ran.append(task)
        s.process.going = len(ran) == 2
        return spooling.OK

    for n in range(3):
        spooler.spool(n=n)
    s = one(function)
    s.once()
    assert len(ran) == 2


def test_how_long_it_waits(given, one):
    s = one(lambda task: spooling.OK)
    s.once()
    spooler.spool(at=int(time.time()) + 3)
    s.once()
    s.set_frequency(2)
    s.once()
    assert s.process.waits[0] == 5
    assert 0 < s.process.waits[1] <= 3
    assert s.process.waits[2] == 2
    assert given["told"][-1] == ("spooler idle",)


def test_it_leaves_after_so_many_tasks(given, one, capsys):
    given["max_tasks"] = 2
    for n in range(3):
        spooler.spool(n=n)
    s = one(lambda task: spooling.OK)
    s.run()
    assert s.tasks == 2
    assert "maximum number of tasks reached (2) recycling" in capsys.readouterr().err


def test_signals_count_as_tasks(given, one):
    given.update(max_tasks=2, signals=True)
    s = one(None)
    s.process.offered = 2
    s.run()
    assert s.tasks == 2


def test_without_a_function_tasks_stay(given, one, tmp_path, capsys):
    spooler.spool({})
    s = one(None)
    s.once()
    s.once()
    assert len(files(tmp_path)) == 1
    assert capsys.readouterr().err.count("unable to find the spooler function") == 1


def test_where_a_function_runs(given, one, tmp_path):
    where = []
    for chdir in ("", str(tmp_path)):
        given["chdir"] = chdir
        spooler.spool(priority="5")
        one(lambda task: where.append(os.getcwd()) or spooling.OK).once()
    assert where == [str(tmp_path / "a" / "5"), str(tmp_path)]
