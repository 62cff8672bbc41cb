"""Heads that are remembered, and what an app with classes of its own gets of them."""

import pytest

TEXT = [("Content-Type", "text/plain")]


class Same(str):
    """Equal to every str with the hash of another."""

    like = ""

    def __hash__(self):
        return hash(self.like)

    def __eq__(self, other):
        return True


class SameTuple(tuple):
    like = ()

    def __hash__(self):
        return hash(self.like)

    def __eq__(self, other):
        return True


class Twice(list):
    """Gives one header when it is checked, and another after that."""

    def __init__(self, *turns):
        super().__init__(turns[-1])
        self.turns = list(turns)

    def __iter__(self):
        return iter(self.turns.pop(0) if len(self.turns) > 1 else self.turns[0])


class TwiceTuple(tuple):
    def __iter__(self):
        return iter(("X", "checked"))


def same(text, like):
    s = Same(text)
    s.like = like
    return s


def same_tuple(header, like):
    t = SameTuple(header)
    t.like = like
    return t


def answers(*heads):
    heads = list(heads)

    def app(environ, start_response):
        start_response(*heads.pop(0))
        return [b"x"]

    return app


HEADS = {
    "status": lambda: (same("201 Created", "200 OK"), [("X", "first")]),
    "name": lambda: ("200 OK", [(same("Y", "X"), "first")]),
    "value": lambda: ("200 OK", [("X", same("second", "first"))]),
    "tuple": lambda: ("200 OK", [same_tuple(("Y", "second"), ("X", "first"))]),
}


@pytest.mark.parametrize("name", HEADS)
def test_what_claims_to_be_equal_gets_its_own_head(serve, name):
    status, headers = HEADS[name]()
    mine = str.__str__(status), [tuple(map(str.__str__, tuple.__iter__(h))) for h in headers]
    server = serve(answers(("200 OK", [("X", "first")]), (status, headers), (status, headers)))
    assert server.get().headers[0] == ("X", "first")
    for _ in range(2):
        a = server.get()
        assert (a.status, a.headers[:1]) == mine


@pytest.mark.parametrize("name", HEADS)
def test_what_claims_to_be_equal_is_not_remembered_for_others(serve, name):
    head = HEADS[name]()
    server = serve(answers(head, ("200 OK", [("X", "first")])))
    server.get()
    a = server.get()
    assert (a.status, a.headers[0]) == ("200 OK", ("X", "first"))


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda: Twice([("X", "checked")], [("X", "other")]), id="list"),
        pytest.param(lambda: [TwiceTuple(("X", "other"))], id="tuple"),
    ],
)
def test_what_is_remembered_is_what_was_checked(serve, headers):
    server = serve(answers(("200 OK", headers()), ("200 OK", [("X", "other")])))
    assert server.get().headers[0] == ("X", "checked")
    assert server.get().headers[0] == ("X", "other")


def test_methods_of_a_subclass_do_not_decide(serve):
    """The length is that of the header that goes out."""

    class Quiet(str):
        def lower(self):
            return "x"

        def strip(self, *_):
            return "1"

    server = serve(answers(("200 OK", [(Quiet("Content-Length"), Quiet("2"))])))
    assert server.get().kinds != []
    assert server.worker.failures == 0
