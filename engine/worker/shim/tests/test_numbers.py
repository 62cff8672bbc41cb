"""An OSError that the app's handler of a signal raises says nothing about the server."""

import errno

import pytest
from test_asked import Raises

NUMBERS = ["EPIPE", "ECONNRESET", "EBADF", "ENOTSOCK", "ENOTCONN", "EINVAL"]


def app(environ, start_response):
    start_response("200 OK", [("X", "y")])
    return [environ["wsgi.input"].read()]


@pytest.mark.parametrize("name", NUMBERS)
def test_while_the_thread_waits_for_a_body(serve, capsys, name):
    server = serve(app)
    real = server.port.sock
    server.get()
    server.port.sock = Raises(real, lambda: None, OSError(getattr(errno, name), "as asked"))
    assert server.get("POST", file=b"first").body == b"first"
    server.port.sock = real
    assert server.get("POST", file=b"second").body == b"second"
    assert "as asked" in capsys.readouterr().err


@pytest.mark.parametrize("name", NUMBERS)
def test_while_a_file_is_given(serve, capsys, name, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100_000)

    def files(environ, start_response):
        start_response("200 OK", [("X", "y")])
        return environ["wsgi.file_wrapper"](open(file, "rb"))

    server = serve(files)
    real = server.port.sock

    class Interrupted(Raises):
        def sendmsg(self, *arguments):
            if len(arguments) > 1 and self.meanwhile:
                self.meanwhile = None
                raise OSError(getattr(errno, name), "as asked")
            return self.sock.sendmsg(*arguments)

    server.port.sock = Interrupted(real, lambda: None)
    assert server.get().file[0] == b"x" * 100_000
    server.port.sock = real
