"""What uwsgi.rpc does with answers that are not as they should be."""

import socket
import threading

import pytest
from shim import remote


@pytest.fixture
def served(capfd):
    """Return a function that calls a server with one answer: (result, what it got, the log)."""

    def ask(answer, *words):
        listener = socket.create_server(("127.0.0.1", 0))
        got = []

        def serve():
            with listener.accept()[0] as c:
                c.settimeout(20)
                got.append(c.recv(1 << 17))
                c.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        result = remote.call(b"127.0.0.1:%d" % listener.getsockname()[1], words)
        thread.join(20)
        listener.close()
        return result, got[0], capfd.readouterr().err

    return ask


LONG = b"\x0e\0CONTENT_LENGTH\x05\0" + b"70000"


@pytest.mark.parametrize(
    ("answer", "result", "said"),
    [
        (b"\xad\x02\0\0ok", b"ok", ""),
        (b"\xad" + bytes([len(LONG), 0, 5]) + LONG + b"x" * 70000, b"x" * 70000, ""),
        (b"\xad\0\0\0", None, ""),
        (b"", None, "closes without a whole answer"),
        (b"\xad\x05\0\0ok", None, "closes without a whole answer"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", None, "is this the address of a uwsgi socket?"),
        (b"\xad\x02\0\x05ok", None, "does not say how long it is"),
        (b"\xad\x1a\0\x05\x0e\0CONTENT_LENGTH\x08\x0099999999", None, "at most 67108864 are read"),
    ],
)
def test_answers(served, answer, result, said):
    got, packet, log = served(answer, b"name", b"", b"a\0b")
    assert packet == b"\xad\x0d\0\0\x04\0name\0\0\x03\0a\0b"
    assert got == result
    assert said in log
    assert bool(said) == bool(log)


@pytest.mark.parametrize("words", [[b"f", b"x" * 65533], [b"f"] * 256])
def test_a_call_that_is_too_large_is_not_sent(words, capfd):
    assert remote.call(b"127.0.0.1:1", words) is None
    assert "at most 255 words and 65535 bytes" in capfd.readouterr().err


@pytest.mark.parametrize("address", [b"127.0.0.1:1", b"/no/such/socket", b"127.0.0.1:99999"])
def test_nobody_is_there(address, capfd):
    assert remote.call(address, [b"f"]) is None
    assert "uwsgi.rpc: " + address.decode() in capfd.readouterr().err
