"""PEP 3333, as an app sees it and as the server gets it."""

import array
import errno
import gzip
import io
import marshal
import mmap
import os
import pathlib
import socket
import sys
import tempfile
import threading
import time
from wsgiref.validate import validator

import pytest
from shim import files, port
from shim.port import ABORT, DATA, DESCRIPTOR, DROPPED, END, FAILED, FILE, HEAD, RETURNED, WHOLE

OK = "200 OK"
TEXT = [("Content-Type", "text/plain")]


class Body:
    """An iterable that counts calls of close."""

    def __init__(self, *blocks):
        self.blocks = iter(blocks)
        self.closed = 0

    def __iter__(self):
        return self

    def __next__(self):
        block = next(self.blocks)
        if isinstance(block, Exception):
            raise block
        return block

    def close(self):
        self.closed += 1


def returns(result, status=OK, headers=TEXT):
    def app(environ, start_response):
        start_response(status, headers)
        return result

    return app


def length(n):
    return [("Content-Length", str(n))]


@pytest.mark.parametrize(
    ("result", "headers", "kinds", "body"),
    [
        pytest.param([b"hello"], TEXT, [WHOLE], b"hello", id="one_block"),
        pytest.param((b"hello",), TEXT, [WHOLE], b"hello", id="tuple"),
        pytest.param(b"hello", TEXT, [WHOLE], b"hello", id="bare_bytes"),
        pytest.param([b"a", b"", b"b"], TEXT, [WHOLE], b"ab", id="blocks_joined"),
        pytest.param([], TEXT, [WHOLE], b"", id="empty_list"),
        pytest.param([b""], TEXT, [WHOLE], b"", id="empty_block"),
        pytest.param([b"x" * 65536], TEXT, [WHOLE], b"x" * 65536, id="largest_whole"),
        pytest.param([b"x" * 65537], TEXT, [HEAD, DATA, END], b"x" * 65537, id="large_list"),
        pytest.param(iter([b"a", b"b"]), TEXT, [HEAD, DATA, DATA, END], b"ab", id="iterator"),
        pytest.param(iter([b"", b"a"]), TEXT, [HEAD, DATA, END], b"a", id="empty_block_first"),
        pytest.param(iter([]), TEXT, [WHOLE], b"", id="empty_iterator"),
        pytest.param(iter([b"ab"]), length(2), [WHOLE], b"ab", id="iterator_of_known_length"),
        pytest.param(
            iter([b"a", b"b"]), length(2), [HEAD, DATA, DATA, END], b"ab", id="blocks_fill_length"
        ),
    ],
)
def test_body(serve, result, headers, kinds, body):
    a = serve(returns(result, headers=headers)).get()
    assert (a.kinds, a.status, a.body) == (kinds, OK, body)


def test_list_gets_its_length(serve):
    a = serve(returns([b"ab", b"cde"])).get()
    assert ("Content-Length", "5") in a.headers


def test_environ(serve):
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        start_response(OK, TEXT)
        return [environ["wsgi.input"].read()]

    a = serve(app).get("POST", body=b"hello", HTTP_X="\xe9")
    assert a.body == b"hello"
    assert type(seen) is dict
    assert seen["wsgi.version"] == (1, 0)
    assert seen["wsgi.errors"] is sys.stderr
    assert seen["wsgi.multithread"] is False
    assert seen["wsgi.multiprocess"] is True
    assert seen["wsgi.run_once"] is False
    assert seen["wsgi.input_terminated"] is True
    assert seen["uwsgi.version"] == b"1.0"
    assert seen["uwsgi.node"] == b"here"
    assert seen["HTTP_X"] == "\xe9"


def test_environ_is_fresh(serve):
    def app(environ, start_response):
        start_response(OK, TEXT)
        seen = environ.get("left", b"no")
        environ["left"] = b"yes"
        environ["wsgi.version"] = None
        return [seen]

    server = serve(app)
    assert [server.get().body, server.get().body] == [b"no", b"no"]


def test_app_is_chosen(serve):
    server = serve(returns([b"first"]), returns([b"second"]))
    assert [server.get(app=1).body, server.get(app=0).body] == [b"second", b"first"]


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_body_in_file(serve, size):
    content = b"x" * size

    def app(environ, start_response):
        start_response(OK, TEXT)
        body = environ["wsgi.input"]
        first = body.readline(3)
        return [first + body.read() + body.read()]

    assert serve(app).get("POST", file=content, CONTENT_LENGTH=str(size)).body == content


def test_write(serve):
    def app(environ, start_response):
        write = start_response(OK, TEXT)
        write(b"a")
        write(b"")
        write(b"b")
        return [b"c"]

    a = serve(app).get()
    assert (a.kinds, a.body) == ([HEAD, DATA, DATA, DATA, END], b"abc")


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        pytest.param("GET", OK, length(3), id="length_reached"),
        pytest.param("HEAD", OK, TEXT, id="head"),
        pytest.param("HEAD", OK, length(3), id="head_with_length"),
        pytest.param("GET", "204 No Content", TEXT, id="no_content"),
        pytest.param("GET", "304 Not Modified", length(3), id="not_modified"),
    ],
)
@pytest.mark.parametrize(
    "result",
    [
        pytest.param(lambda: [b"more!"], id="list"),
        pytest.param(lambda: [b""], id="empty_block"),
        pytest.param(list, id="empty_list"),
        pytest.param(lambda: [b"mo", b"re!"], id="list_of_two"),
        pytest.param(lambda: iter([b"more!"]), id="iterator"),
        pytest.param(lambda: b"more!", id="bytes"),
        pytest.param(lambda: [b"x" * 70_000], id="large"),
    ],
)
def test_nothing_follows_the_last_frame(serve, capsys, method, status, headers, result):
    """What write() has completed is complete, whatever the app returns then."""

    def app(environ, start_response):
        write = start_response(status, headers)
        write(b"abc")
        if environ["QUERY_STRING"] == "twice" and (method == "HEAD" or status != OK):
            write(b"def")
        return result()

    server = serve(app)
    for query in ("", "twice", ""):
        assert server.get(method, QUERY_STRING=query).kinds[-1] in (WHOLE, END)


def test_blocks_reach_server_before_next_is_asked_for(serve):
    asked = threading.Event()

    def app(environ, start_response):
        start_response(OK, TEXT)
        yield b"first"
        assert asked.wait(20)
        yield b"second"

    server = serve(app)
    rid = server.send()
    assert [server.frame()[1:2] for _ in "hd"] == [(HEAD,), (DATA,)]
    asked.set()
    assert server.answer(rid).kinds == [DATA, END]


def test_answer_of_known_length_goes_before_close(serve):
    going = threading.Event()

    class Slow(Body):
        def close(self):
            assert going.wait(20)
            super().close()

    body = Slow(b"ab")
    server = serve(returns(body, headers=length(2)))
    assert server.get().kinds == [WHOLE]
    assert body.closed == 0
    deadline = time.monotonic() + 20
    while not server.claim[0] >> 32:  # the thread is still at work, with no request
        assert time.monotonic() < deadline, "the claim does not say that it has been answered"
        time.sleep(0.001)
    going.set()


@pytest.mark.parametrize(
    ("body", "headers", "last"),
    [
        pytest.param(Body(b"a", b"b"), TEXT, END, id="complete"),
        pytest.param(Body(ValueError("x")), TEXT, FAILED, id="raises_before"),
        pytest.param(Body(b"a", ValueError("x")), TEXT, ABORT, id="raises_after"),
        pytest.param(Body("text"), TEXT, FAILED, id="str"),
        pytest.param(Body(None), TEXT, FAILED, id="none"),
        pytest.param(Body(b"a", 7), TEXT, ABORT, id="int_after_bytes"),
        pytest.param(Body(b"a"), length(2), ABORT, id="too_short"),
        pytest.param(Body(), length(2), FAILED, id="empty_but_declared"),
        pytest.param(Body(b"abc"), length(2), FAILED, id="too_long"),
        pytest.param(Body(b"a", b"bc"), length(2), ABORT, id="too_long_later"),
        pytest.param(Body(b"ab", b"c"), length(2), WHOLE, id="too_long_after_the_answer"),
    ],
)
def test_close_is_called_once(serve, capsys, body, headers, last):
    server = serve(returns(body, headers=headers), returns([b"alive"]))
    a = server.get()
    assert server.get(app=1).body == b"alive"  # and has done with the first
    assert a.kinds[-1] == last
    assert body.closed == 1
    if last is not END:
        assert "Error" in capsys.readouterr().err


def test_close_is_called_when_client_has_gone(serve):
    server = None
    body = Body()

    def blocks():
        for _ in range(100):
            yield b"x" * 1000
            server.cancelled[server.slot] = 1
        raise AssertionError("the client has gone")

    body.blocks = blocks()
    server = serve(returns(body))
    assert server.get().kinds == [HEAD, DATA, END]
    server.get(cancelled=True)
    assert body.closed == 1


@pytest.mark.parametrize(
    ("app", "message"),
    [
        pytest.param(lambda e, s: [], "has not called start_response", id="not_called"),
        pytest.param(lambda e, s: iter([b"x"]), "before it called start_response", id="body_first"),
        pytest.param(lambda e, s: None, "not iterable", id="returns_none"),
        pytest.param(lambda e, s: 1 / 0, "ZeroDivisionError", id="raises"),
        pytest.param(lambda e, s: sys.exit(3), "SystemExit: 3", id="exits"),
        pytest.param(returns([b"abc"], headers=length(2)), "LengthError", id="list_too_long"),
        pytest.param(returns([b"a"], headers=length(2)), "only 1 bytes", id="list_too_short"),
        pytest.param(returns(["text"]), "not str", id="list_of_str"),
        pytest.param(returns([b"a", None]), "not NoneType", id="list_with_none"),
        pytest.param(returns("text"), "not str", id="bare_str"),
    ],
)
def test_failure(serve, capsys, app, message):
    server = serve(app, returns([b"alive"]))
    assert server.get().kinds == [FAILED]
    assert server.get(app=1).body == b"alive"
    assert message in capsys.readouterr().err


def test_raises_in_generator_before_first_block(serve, capsys):
    def app(environ, start_response):
        start_response(OK, TEXT)
        raise ValueError("early")
        yield b""

    assert serve(app).get().kinds == [FAILED]
    assert "early" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        pytest.param(b"200 OK", TEXT, id="bytes_status"),
        pytest.param(200, TEXT, id="int_status"),
        pytest.param("OK", TEXT, id="status_without_code"),
        pytest.param("20 OK", TEXT, id="status_of_two_digits"),
        pytest.param("100 Continue", TEXT, id="interim_status"),
        pytest.param("200OK", TEXT, id="status_without_space"),
        pytest.param("200 OK\r\nX: y", TEXT, id="status_with_newline"),
        pytest.param(OK, tuple(TEXT), id="tuple_of_headers"),
        pytest.param(OK, dict(TEXT), id="dict_of_headers"),
        pytest.param(OK, None, id="no_headers"),
        pytest.param(OK, [["A", "b"]], id="header_as_list"),
        pytest.param(OK, ["ab"], id="header_as_str"),
        pytest.param(OK, [("A", "b", "c")], id="three_parts"),
        pytest.param(OK, [("A",)], id="one_part"),
        pytest.param(OK, [("A", 1)], id="int_value"),
        pytest.param(OK, [("A", b"b")], id="bytes_value"),
        pytest.param(OK, [("A", None)], id="no_value"),
        pytest.param(OK, [("A", "b\r\nC: d")], id="crlf_in_value"),
        pytest.param(OK, [("A", "b\nC: d")], id="newline_in_value"),
        pytest.param(OK, [("A", "b\0")], id="nul_in_value"),
        pytest.param(OK, [("A", "\u20ac")], id="value_beyond_latin1"),
        pytest.param(OK, [("A:", "b")], id="colon_in_name"),
        pytest.param(OK, [("A B", "c")], id="space_in_name"),
        pytest.param(OK, [("", "c")], id="empty_name"),
        pytest.param(OK, [("\xe9", "c")], id="name_not_ascii"),
        pytest.param(OK, [("Content-Length", "x")], id="length_not_a_number"),
        pytest.param(OK, [*length(1), *length(2)], id="two_lengths"),
    ],
)
def test_bad_head_raises_in_app(serve, status, headers):
    raised = []

    def app(environ, start_response):
        try:
            start_response(status, headers)
        except (TypeError, ValueError) as e:
            raised.append(e)
        start_response("500 Bad", TEXT)
        return [b"bad"]

    server = serve(app, returns([], headers=[("A", "b")]))
    server.get(app=1)  # what is known good must not let its look-alikes pass
    assert server.get().status == "500 Bad"
    assert raised and str(raised[0])


@pytest.mark.parametrize("value", ["", "a\tb", "caf\xe9", "x" * 5000])
def test_header_value(serve, value):
    for _ in range(2):
        a = serve(returns([b""], headers=[("X-A", value)])).get()
        assert ("X-A", value) in a.headers


def test_subclass_of_str_in_head(serve):
    class Safe(str):
        pass

    a = serve(returns([b"x"], Safe(OK), [(Safe("A"), Safe("b"))])).get()
    assert (a.status, a.headers) == (OK, [("A", "b")])


def test_many_heads(serve):
    def app(environ, start_response):
        start_response(OK, [("X-Path", environ["PATH_INFO"])])
        return [b"x"]

    server = serve(app)
    for i in range(600):
        assert server.get(PATH_INFO=f"/{i}").headers == [("X-Path", f"/{i}")]


def test_start_response_twice(serve):
    def app(environ, start_response):
        start_response(OK, TEXT)
        try:
            start_response("201 Created", TEXT)
        except RuntimeError:
            return [b"refused"]

    a = serve(app).get()
    assert (a.status, a.body) == (OK, b"refused")


def test_exc_info_replaces_head(serve):
    def app(environ, start_response):
        start_response(OK, TEXT)
        try:
            raise ValueError
        except ValueError:
            start_response("500 Oops", [("X", "y")], sys.exc_info())
        return [b"sorry"]

    a = serve(app).get()
    assert (a.status, a.headers, a.body) == ("500 Oops", [("X", "y")], b"sorry")


def test_exc_info_raises_after_head(serve, capsys):
    def app(environ, start_response):
        start_response(OK, TEXT)
        yield b"x"
        try:
            raise ValueError("late")
        except ValueError:
            start_response("500 Oops", TEXT, sys.exc_info())
        yield b"y"

    assert serve(app).get().kinds == [HEAD, DATA, ABORT]
    assert "late" in capsys.readouterr().err


def test_error_in_close_is_logged(serve, capsys):
    class Bad(Body):
        def close(self):
            raise ValueError("in close")

    server = serve(returns(Bad(b"x")))
    assert server.get().kinds == [HEAD, DATA, END]
    server.get()
    assert "in close" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "status", "result", "headers", "want"),
    [
        pytest.param("HEAD", OK, [b"abc"], TEXT, b"abc", id="head_list"),
        pytest.param("HEAD", OK, [], length(9), b"", id="head_declared"),
        pytest.param("HEAD", OK, iter([b"abc", 1 / 1]), TEXT, b"", id="head_iterator_is_not_read"),
        pytest.param("GET", "304 Not Modified", [], length(9), b"", id="not_modified"),
        pytest.param("GET", "204 No Content", iter([b"abc"]), TEXT, b"", id="no_content"),
        pytest.param("GET", "204 No Content", [b"a", b"b"], TEXT, b"", id="no_content_list"),
    ],
)
def test_no_body(serve, method, status, result, headers, want):
    a = serve(returns(result, status, headers)).get(method)
    assert (a.kinds[-1] in (WHOLE, END), a.status, a.body) == (True, status, want)
    if status[:3] == "204":
        assert "Content-Length" not in dict(a.headers)


def test_method_override_keeps_head(serve):
    def app(environ, start_response):
        environ["REQUEST_METHOD"] = "GET"
        start_response(OK, length(9))
        return []

    assert serve(app).get("HEAD").kinds == [HEAD, END]


def wrapped(file, headers=TEXT, blksize=8192):
    def app(environ, start_response):
        start_response(OK, headers)
        return environ["wsgi.file_wrapper"](file, blksize)

    return app


class Refusing:
    """A socket that passes no descriptor on."""

    def __init__(self, sock, number):
        self.sock = sock
        self.number = number

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def sendmsg(self, buffers, ancillary=(), *others):
        if ancillary:
            raise OSError(self.number, os.strerror(self.number))
        return self.sock.sendmsg(buffers, ancillary, *others)


@pytest.mark.parametrize("number", [errno.ETOOMANYREFS, errno.EBADF, errno.EPERM, errno.EINVAL])
def test_file_is_not_passed_on(serve, tmp_path, capfd, number):
    path = tmp_path / "file"
    path.write_bytes(b"y" * 100_000)

    def app(environ, start_response):
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/file":
            return environ["wsgi.file_wrapper"](path.open("rb"))
        return [b"hello"]

    s = serve(app)
    s.port.sock = Refusing(s.port.sock, number)
    for _ in range(3):
        rid = s.send(PATH_INFO="/file")
        got, kind, _, _ = s.frame()
        assert (got, kind) == (rid, FILE)
        s.tell(DESCRIPTOR, 1)
        # The server is told that none comes, and the stream goes on.
        assert s.stream.recvmsg(1, 64)[:2] == (b"f", [])
        assert s.get().body == b"hello"
    assert capfd.readouterr().err.count(os.strerror(number)) == 3


def test_file_is_sent_as_descriptor(serve, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10 + b"y" * 100_000)
    file = path.open("rb")
    file.seek(10)
    a = serve(wrapped(file)).get()
    assert a.kinds == [FILE]
    assert a.file == (b"y" * 100_000, 10, 100_000)
    assert ("Content-Length", "100000") in a.headers


def test_file_is_closed(serve, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100_000)
    file = path.open("rb")
    server = serve(wrapped(file), returns([]))
    server.get()
    server.get(app=1)
    assert file.closed


@pytest.mark.parametrize(
    ("size", "headers", "kinds", "body"),
    [
        pytest.param(100, TEXT, [WHOLE], b"x" * 100, id="small"),
        pytest.param(0, TEXT, [WHOLE], b"", id="empty"),
        pytest.param(100, length(40), [WHOLE], b"x" * 40, id="part"),
        pytest.param(100, length(101), [FAILED], b"", id="too_short"),
    ],
)
def test_small_file(serve, tmp_path, size, headers, kinds, body):
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    with path.open("rb") as file:
        a = serve(wrapped(file, headers)).get()
    assert (a.kinds, a.body) == (kinds, body)


def test_file_for_head(serve, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100_000)
    with path.open("rb") as file:
        a = serve(wrapped(file)).get("HEAD")
    assert (a.kinds, a.headers[-1]) == ([HEAD, END], ("Content-Length", "100000"))


class Reversed:
    """Something whose fileno() gives other bytes than its read()."""

    def __init__(self, file):
        self.file = file
        self.fileno = file.fileno

    def read(self, size):
        return self.file.read(size)[::-1]


@pytest.mark.parametrize("kind", ["bytesio", "reversed", "no_close"])
def test_what_is_no_file_is_read(serve, tmp_path, kind):
    path = tmp_path / "file"
    path.write_bytes(b"ab")
    file = path.open("rb")
    source = {"bytesio": io.BytesIO(b"ba"), "reversed": Reversed(file)}.get(kind)
    if source is None:
        source = type("Reader", (), {"read": io.BytesIO(b"ba").read})()
    assert serve(wrapped(source, blksize=2)).get().body == b"ba"
    file.close()


def spooled(path):
    file = tempfile.SpooledTemporaryFile(max_size=100)
    file.write(path.read_bytes())
    file.seek(0)
    return file


def named(path):
    file = tempfile.NamedTemporaryFile()
    file.write(path.read_bytes())
    file.seek(0)
    return file


def piped(path):
    reads, writes = os.pipe()
    os.write(writes, path.read_bytes())
    os.close(writes)
    return os.fdopen(reads, "rb")


def connected(path):
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(path.read_bytes())
    with ours:
        return ours.makefile("rb")


def zipped(path):
    return gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(path.read_bytes())))


def read_on(path, mode, size):
    file = path.open(mode, **({} if "b" in mode else {"encoding": "utf-8", "newline": ""}))
    file.read(size)
    return file


def closed(path):
    file = path.open("rb")
    file.close()
    return file


def text_of(path):
    return io.StringIO(path.read_text(encoding="utf-8"))


TEXT_OF_FILE = "gr\u00fcn\r\n\u20ac uro\n"
FILES = {
    # What is wrapped, and how many bytes of the file it has passed; None where it has none to give.
    "binary": (lambda p: p.open("rb"), 0),
    "unbuffered": (lambda p: p.open("rb", buffering=0), 0),
    "at an offset": (lambda p: read_on(p, "rb", 4), 4),
    "text": (lambda p: p.open(encoding="utf-8"), 0),
    "text, universal newlines": (lambda p: p.open(encoding="utf-8", newline=None), 0),
    "text at an offset": (lambda p: read_on(p, "r", 3), 4),
    "text of another encoding": (lambda p: p.open(encoding="utf-16"), 0),
    "text, open for both": (lambda p: p.open("r+", encoding="utf-8"), 0),
    "open for both": (lambda p: p.open("r+b"), 0),
    "open for both, at its end": (lambda p: p.open("a+b"), len(TEXT_OF_FILE.encode())),
    "open for writing": (lambda p: p.open("ab"), None),
    "text, open for writing": (lambda p: p.open("a", encoding="utf-8"), None),
    "closed": (closed, None),
    "spooled": (spooled, 0),
    "named temporary": (named, 0),
    "pipe": (piped, 0),
    "socket": (connected, 0),
    "gzip": (zipped, 0),
    "bytesio": (lambda p: io.BytesIO(p.read_bytes()), 0),
    "stringio": (text_of, None),
}


@pytest.mark.parametrize("blksize", [8192, 3, 0, -1])
@pytest.mark.parametrize("kind", FILES)
def test_wrapped(serve, tmp_path, kind, blksize):
    path = tmp_path / "file"
    path.write_bytes(TEXT_OF_FILE.encode())
    make, passed = FILES[kind]
    a = serve(wrapped(make(path), blksize=blksize)).get()
    if passed is None:
        assert a.kinds == [FAILED]
    else:
        assert a.body == TEXT_OF_FILE.encode()[passed:]


@pytest.mark.parametrize("mode", ["rb", "r"])
@pytest.mark.parametrize("size", [0, 1, 7, 5000], ids="size{}".format)
@pytest.mark.parametrize("said", [0, 4, 4096], ids="said{}".format)
def test_size_that_the_system_says_wrong(serve, tmp_path, monkeypatch, mode, size, said):
    """Files of /proc and /sys, and those that grow or shrink just now."""
    content = bytes(range(32, 127)) * 100
    path = tmp_path / "file"
    path.write_bytes(content[:size])
    status = os.stat(path)
    status = os.stat_result((*status[:6], said, *status[7:]))
    monkeypatch.setattr(files.os, "fstat", lambda fd: status)
    with path.open(mode) as file:
        a = serve(wrapped(file)).get()
    assert a.body == content[:size]
    assert ("Content-Length", str(said)) not in a.headers or said == size


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SKIP: files of Linux")
@pytest.mark.parametrize("name", ["/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"])
@pytest.mark.parametrize("mode", ["rb", "r"])
@pytest.mark.parametrize(("headers", "part"), [(TEXT, None), (length(5), 5)], ids=["all", "part"])
def test_files_of_the_system(serve, name, mode, headers, part):
    path = pathlib.Path(name)
    if not path.exists():
        pytest.skip(f"SKIP: no {name} here")
    server = serve(lambda *a: wrapped(path.open(mode), headers)(*a))
    assert server.get().body == path.read_bytes()[:part]
    assert server.get("HEAD").body == b""


def test_cancelled_is_not_run(serve):
    ran = []

    def app(environ, start_response):
        ran.append(1)
        return returns([])(environ, start_response)

    server = serve(app)
    assert server.get(cancelled=True).kinds == [DROPPED]
    assert not ran
    assert server.get().kinds == [WHOLE]


def test_credit(serve):
    """A streamed answer is at most a window ahead, and late credit does no harm."""
    made = []

    def app(environ, start_response):
        start_response(OK, TEXT)
        for _ in range(40):
            made.append(1)
            yield b"x" * 65536

    server = serve(app, returns(iter([b"x" * port.WINDOW, b"y"])))
    server.credit = False
    rid = server.send()
    assert server.frame()[1] == HEAD
    got = 0
    while got < port.WINDOW:
        got += len(server.frame()[3])
    assert got == port.WINDOW
    assert len(made) <= port.WINDOW // 65536 + 1
    server.tell(1, 1 << 30)  # more than it needs
    assert len(server.answer(rid).body) == 40 * 65536 - port.WINDOW
    for _ in range(50):
        server.tell(1, 1 << 20)  # too late
    server.credit = True
    assert len(server.get(app=1).body) == port.WINDOW + 1


def test_client_goes_while_thread_waits_for_credit(serve):
    body = Body(*[b"x" * port.WINDOW] * 3)
    server = serve(returns(body))
    server.credit = False
    rid = server.send()
    assert server.frame()[1] == HEAD
    assert len(server.frame()[3]) == port.WINDOW
    server.tell(1, port.GONE)
    assert server.answer(rid).kinds[-1] == END
    server.get(cancelled=True)
    assert body.closed == 1


def test_stream_mode(serve):
    server = serve(returns([b"hello"]), returns(iter([b"a", b"b"])), stream_mode=True)
    assert server.get().body == b"hello"
    server.tell(7, 100)  # late credit
    assert server.get(app=1).body == b"ab"
    assert server.get(body=b"x" * 30_000).body == b"hello"


def test_request_is_given_back(serve):
    """A thread that is to finish takes no request; another one will."""
    server = serve(returns([b"hello"]))
    assert server.get().body == b"hello"
    server.claim[2] = 1
    rid = server.send("POST", body=b"data")
    got, kind, head, payload = server.frame()
    assert (got, kind, head) == (rid, RETURNED, 0)
    assert marshal.loads(payload)[0] == rid
    server.thread.join(20)
    assert not server.thread.is_alive()


def test_validator(serve):
    """wsgiref's checker finds nothing to complain about."""

    @validator
    def app(environ, start_response):
        body = environ["wsgi.input"].read(100) + environ["wsgi.input"].read(100)
        environ["wsgi.errors"].flush()
        write = start_response(OK, TEXT)
        write(b"w")
        return [b"got ", body]

    server = serve(app)
    assert server.get("POST", body=b"data", CONTENT_LENGTH="4").body == b"wgot data"
    assert server.get("POST", file=b"data", CONTENT_LENGTH="4").body == b"wgot data"


def test_validated_generator(serve):
    @validator
    def app(environ, start_response):
        start_response(OK, TEXT)
        yield b"a"
        yield b"b"

    assert serve(app).get().body == b"ab"


class HexBytes(bytes):
    """As those of web3: repr and str, len and iteration are its own."""

    def __str__(self):
        return self.hex()

    def __repr__(self):
        return "HexBytes"

    def __len__(self):
        return 1

    def __iter__(self):
        return iter(())


def mapped(content):
    if not content:
        return content  # a map cannot be empty
    m = mmap.mmap(-1, len(content))
    m.write(content)
    return m


KINDS = {
    "bytes": bytes,
    "subclass": HexBytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "view_of_numbers": lambda b: memoryview(b).cast("H"),
    "view_of_bytearray": lambda b: memoryview(bytearray(b)),
    "view_of_every_second": lambda b: memoryview(bytes(x for pair in zip(b, b) for x in pair))[::2],
    "view_backwards": lambda b: memoryview(b[::-1])[::-1],
    "array": lambda b: array.array("B", b),
    "array_of_numbers": lambda b: array.array("H", b),
    "mmap": mapped,
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("where", ["result", "list", "lists", "tuple", "iterator", "write"])
@pytest.mark.parametrize("size", [6, 200_000])
def test_bytes_of_any_class(serve, make, where, size):
    text = (b"abcdef" * size)[:size]

    def app(environ, start_response):
        write = start_response(OK, TEXT)
        block = make(text)
        if where == "write":
            write(block)
            write(make(b""))
            return []
        return {
            "result": block,
            "list": [block],
            "lists": [b"", block, make(b"")],
            "tuple": (block,),
            "iterator": iter([make(b""), block]),
        }[where]

    assert serve(app).get().body == text


@pytest.mark.parametrize("block", ["text", 7, None, [b"x"], object()])
def test_what_is_not_bytes(serve, capsys, block):
    def app(environ, start_response):
        write = start_response(OK, TEXT)
        if environ["PATH_INFO"] == "/write":
            write(block)
        return iter([block]) if environ["PATH_INFO"] == "/iterator" else [block]

    server = serve(app)
    for path in ("/write", "/iterator", "/list"):
        assert server.get(PATH_INFO=path).kinds == [FAILED]
    assert capsys.readouterr().err.count("bytes, not") >= 3
