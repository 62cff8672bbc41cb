"""What an app keeps of a request, used after that has ended."""

import sys
import threading

import pytest
from shim import port
from shim.port import ABORT, END, FAILED

OK = "200 OK"
TEXT = [("Content-Type", "text/plain")]


def fast(keep):
    def app(environ, start_response):
        keep.update(environ=environ, start_response=start_response)
        keep["write"] = start_response(OK, TEXT)
        return [b"fast"]

    return app


def slow(keep):
    def app(environ, start_response):
        keep.update(environ=environ, start_response=start_response)
        keep["write"] = start_response(OK, TEXT)
        yield b"sl"
        yield b"ow"

    return app


def written(keep):
    def app(environ, start_response):
        keep.update(environ=environ, start_response=start_response)
        keep["write"] = write = start_response(OK, TEXT)
        write(b"written")
        return []

    return app


def failed(keep):
    def app(environ, start_response):
        keep.update(environ=environ, start_response=start_response)
        keep["write"] = start_response(OK, TEXT)
        raise ValueError("as asked")

    return app


def without_head(keep):
    def app(environ, start_response):
        keep.update(environ=environ, start_response=start_response, write=None)
        return []

    return app


USES = {
    "write": lambda keep: keep["write"](b"stale"),
    "write_nothing": lambda keep: keep["write"](b""),
    "start_response": lambda keep: keep["start_response"]("201 Created", [("X", "stale")]),
    "with_exc_info": lambda keep: keep["start_response"](
        OK, TEXT, (ValueError, ValueError(), None)
    ),
    "start_and_write": lambda keep: keep["start_response"](OK, TEXT)(b"stale"),
    "input": lambda keep: keep["environ"]["wsgi.input"].read(),
}


def raised(use, keep):
    try:
        use(keep)
    except (RuntimeError, ValueError) as e:
        return str(e)
    return None


@pytest.mark.parametrize("stream_mode", [False, True])
@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("first", [fast, slow, written, failed, without_head])
def test_it_raises(serve, first, name, stream_mode):
    """From the same thread within another request, and from others; ids come round meanwhile."""
    keep, said = {}, []
    use = USES[name]

    def app(environ, start_response):
        said.append(raised(use, keep))
        start_response(OK, TEXT)
        said.append(raised(use, keep))
        other = threading.Thread(target=lambda: said.append(raised(use, keep)))
        other.start()
        other.join()
        return [b"of its own"]

    server = serve(first(keep), app, stream_mode=stream_mode)
    server.get()
    if keep["write"] is None:
        keep["write"] = keep["start_response"].__self__.write
    server.slot -= 1  # the next one has the same id
    a = server.get(app=1)
    assert (a.status, a.headers, a.body) == (OK, TEXT, b"of its own")
    for _ in range(3):
        server.slot -= 1
        assert server.get(app=1).body == b"of its own"
    assert None not in said


def test_while_it_is_closed(serve, capsys):
    """close() is called when the answer is complete: it can add nothing."""
    keep = {}

    class Result(list):
        def close(self):
            keep["write"](b"more")

    def app(environ, start_response):
        keep["write"] = start_response(OK, TEXT)
        return Result([b"a"])

    server = serve(app, fast({}))
    a = server.get()
    assert a.body == b"a"
    server.slot -= 1
    assert server.get(app=1).body == b"fast"
    assert "the body goes on after the answer has ended" in capsys.readouterr().err


def test_write_from_another_thread(serve):
    """Two threads on one stream could cut each other's frames."""
    said = []

    def app(environ, start_response):
        write = start_response(OK, TEXT)
        other = threading.Thread(target=lambda: said.append(raised(lambda _: write(b"x"), None)))
        other.start()
        other.join()
        return [b"of its own"]

    assert serve(app).get().body == b"of its own"
    assert "in another thread" in said[0]


def test_iterator_of_another_request(serve, capsys):
    """An iterator that two requests return is the app's: each gets what is left of it."""
    blocks = iter([b"a"])
    kept = []

    def app(environ, start_response):
        start_response(OK, TEXT)
        if not kept:
            kept.append(environ["wsgi.file_wrapper"](open(__file__, "rb")))
        return kept[0] if environ["PATH_INFO"] == "/file" else blocks

    server = serve(app, fast({}))
    assert [server.get().body, server.get().body] == [b"a", b""]
    server.get(PATH_INFO="/file")
    assert server.get(PATH_INFO="/file").kinds == [FAILED]  # it has been closed
    assert server.get(app=1).body == b"fast"


def test_client_has_gone(serve, capsys):
    """write() raises OSError, as uWSGI's does, each time; nobody is told of that."""
    server, said = None, []

    def app(environ, start_response):
        write = start_response(OK, TEXT)
        write(b"a")
        server.cancelled[server.slot] = port.CANCELLED
        for _ in range(2):
            try:
                write(b"b")
            except OSError as e:
                said.append(str(e))
        write(b"c")

    server = serve(app, fast({}))
    assert server.get().body == b"a"
    assert server.get(app=1).body == b"fast"
    assert said == ["write error"] * 2
    assert capsys.readouterr().err == ""


def test_empty_blocks_for_a_client_that_has_gone(serve):
    server, closed = None, []

    class Result:
        def __iter__(self):
            server.cancelled[server.slot] = port.CANCELLED
            while True:
                yield b""

        def close(self):
            closed.append(1)

    def app(environ, start_response):
        start_response(OK, TEXT)
        return Result()

    server = serve(app, fast({}))
    server.get()
    assert server.get(app=1).body == b"fast"
    assert closed == [1]


class Late(BaseException):
    pass


@pytest.mark.parametrize("file", [None, b"x" * 100_000])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda body: body.close(), id="closed"),
        pytest.param(lambda body: body.detach(), id="detached"),
        pytest.param(lambda body: memoryview(body.getbuffer()), id="exported"),
        pytest.param(lambda body: body.raw.close(), id="raw_closed"),
    ],
)
def test_input_is_spoiled(serve, spoil, file):
    kept = []

    def app(environ, start_response):
        try:
            kept.append(spoil(environ["wsgi.input"]))
        except (AttributeError, OSError):
            pass  # a body of the other kind
        start_response(OK, TEXT)
        return [b"fine"]

    server = serve(app)
    for _ in range(3):
        assert (
            server.get("POST", file=file, body=(file is None and b"data") or True).body == b"fine"
        )


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, Late])
@pytest.mark.parametrize("where", ["close", "close_is_looked_up", "iterates"])
def test_clean_up_fails(serve, capsys, error, where):
    class Result(list):
        if where == "close":

            def close(self):
                raise error("as asked")

        elif where == "close_is_looked_up":

            @property
            def close(self):
                raise error("as asked")

        else:

            def __iter__(self):
                yield b"x"
                raise error("as asked")

    def app(environ, start_response):
        start_response(OK, TEXT)
        return Result([b"x"])

    server = serve(app, fast({}))
    server.get()
    assert server.get(app=1).body == b"fast"
    assert "as asked" in capsys.readouterr().err


def test_recursion_limit(serve, capsys):
    """Wherever in the sending of a block the stack ends, that answer alone fails."""

    def dive(write, n):
        return dive(write, n - 1) if n else write(b"x" * 100_000)

    def app(environ, start_response):
        write = start_response(OK, TEXT)
        dive(write, int(environ["PATH_INFO"][1:]))
        return []

    server = serve(app, fast({}))
    limit = sys.getrecursionlimit()
    last = set()
    for n in range(limit - 80, limit, 1):
        last.add(server.get(PATH_INFO=f"/{n}").kinds[-1])
        assert server.get(app=1).body == b"fast"
    assert last <= {END, FAILED, ABORT} and FAILED in last
