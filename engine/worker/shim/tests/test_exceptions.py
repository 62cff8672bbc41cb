"""What is done about what apps raise, as options ask for it."""

import pytest
from shim import exchange
from shim.port import ABORT, FAILED, PAGE, RENEW


class NotFound(KeyError):
    pass


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.fixture
def options(monkeypatch):
    monkeypatch.setattr(exchange.Exchange, "tells", False)
    monkeypatch.setattr(exchange.Exchange, "renews", None)

    def set_them(tell=False, any_=False, types=(), values=(), reprs=()):
        exchange.exceptions(tell, any_, types, values, reprs)

    return set_them


def last(server, rid):
    while True:
        _, kind, head, payload = server.frame()
        if kind in (ABORT, FAILED):
            return kind, head, payload


@pytest.mark.parametrize(
    ("error", "given", "renew"),
    [
        pytest.param(ValueError("x"), {}, 0, id="nothing_asked_for"),
        pytest.param(ValueError("x"), {"any_": True}, RENEW, id="any"),
        pytest.param(ValueError("x"), {"types": ["ValueError"]}, RENEW, id="class"),
        pytest.param(ValueError("x"), {"types": ["KeyError"]}, 0, id="other_class"),
        pytest.param(NotFound("x"), {"types": [f"{__name__}.NotFound"]}, RENEW, id="with_module"),
        pytest.param(NotFound("x"), {"types": ["KeyError"]}, 0, id="not_its_base"),
        pytest.param(ValueError("x"), {"values": ["x"]}, RENEW, id="text"),
        pytest.param(ValueError("x"), {"values": ["y"]}, 0, id="other_text"),
        pytest.param(ValueError("x"), {"reprs": ["ValueError: x"]}, RENEW, id="class_and_text"),
        pytest.param(ValueError("x"), {"reprs": ["x"]}, 0, id="half_of_it"),
        pytest.param(Mute(), {"values": ["x"]}, 0, id="no_text"),
    ],
)
def test_renew(serve, options, error, given, renew):
    def app(environ, start_response):
        raise error

    options(**given)
    server = serve(app)
    assert last(server, server.send()) == (FAILED, renew, b"")


def test_renew_within_an_answer(serve, options):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"part"
        raise ValueError

    options(tell=True, any_=True)
    server = serve(app)
    assert last(server, server.send()) == (ABORT, RENEW, b"")


def test_page(serve, options):
    def app(environ, start_response):
        raise ValueError("h\xe9 \udcff" + "x" * PAGE)

    options(tell=True)
    server = serve(app)
    kind, renew, page = last(server, server.send(REQUEST_URI="/a"))
    assert (kind, renew, len(page)) == (FAILED, 0, PAGE)
    assert page.startswith(b'uWSGI exceptions catcher for "GET /a"\n\nTraceback (most recent')
    assert "ValueError: h\xe9 \\udcff".encode() in page
