"""Status and headers: checked, marshalled, remembered."""

from .own import marshal

MAX_HEAD = 1 << 20  # bytes of a marshalled head; the server refuses more

# Without the module re, which takes half a megabyte of each process: bytes that may be in the
# UTF-8 of a text. A character beyond latin-1 begins with a byte above C3.
_DIGITS = b"0123456789"
_TOKEN = b"!#$%&'*+-.^_`|~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" + _DIGITS
_TEXT = bytes([9, *range(0x20, 0x7F), *range(0x80, 0xC4)])

# With these the front server sends a file in place of the body, which then is empty
# although the Content-Length is the file's. The server's response.go has the same list.
ELSEWHERE = frozenset(
    ("x-sendfile", "x-accel-redirect", "x-lighttpd-send-file", "x-litespeed-location")
)


class Head:
    """What start_response was given."""

    __slots__ = ("bodyless", "data", "elsewhere", "length", "parts")

    def __init__(self, parts, length, bodyless, elsewhere=False):
        self.parts = parts  # (status, headers)
        self.data = marshal.dumps(parts, 2)
        self.length = length  # of the body as the app declared it, or None
        self.bodyless = bodyless  # 204 and 304 have no body
        self.elsewhere = elsewhere  # the body may be shorter than declared
        if len(self.data) > MAX_HEAD:
            raise ValueError("the response headers are larger than 1 MiB")

    def with_length(self, length):
        """Return the same head with the Content-Length, which the app did not declare."""
        status, headers = self.parts
        headers = [*headers, ("Content-Length", str(length))]
        return Head((status, headers), length, self.bodyless, self.elsewhere)


class Known(dict):
    """Checked heads, by (status, headers).

    Most responses repeat an earlier head, so checking and marshalling it is one look-up.
    Varying heads sometimes evict the others, which costs little.

    A hit counts only for exact str and tuples: a class of the app could compare equal to the
    head of another request.
    """

    LIMIT = 256
    LARGEST = 2048

    def remember(self, status, headers):
        head = check(status, headers)
        if len(head.data) <= self.LARGEST:
            if len(self) >= self.LIMIT:
                self.clear()
            # The key holds the checked values, not the app's objects: its classes may compare
            # as they like, and change each time.
            status, headers = head.parts
            self[(status, tuple(headers))] = head
        return head


def check(status, headers):
    """Return the Head, or raise TypeError or ValueError, saying what is wrong."""
    if not isinstance(status, str):
        raise TypeError(f"status must be a str such as '200 OK', not {kind(status)}")
    # Only exact str from here on: frameworks have subclasses with their own methods, and
    # marshal refuses them.
    status = str.__str__(status)
    if not _valid(status):
        raise ValueError(f"status must be three digits from 200 on and a reason, not {status!r}")
    if not isinstance(headers, list):
        raise TypeError(f"headers must be a list of (name, value) tuples, not {kind(headers)}")
    exact = []
    length = None
    elsewhere = False
    for header in headers:
        if not isinstance(header, tuple) or len(header) != 2:
            raise TypeError(f"a header must be a tuple (name, value), not {header!r}")
        name, value = header
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"name and value of a header must be str, not {header!r}")
        name, value = str.__str__(name), str.__str__(value)
        if not name or name.encode("utf-8", "surrogatepass").translate(None, _TOKEN):
            raise ValueError(f"{name!r} is not a possible header name")
        if value.encode("utf-8", "surrogatepass").translate(None, _TEXT):
            raise ValueError(
                f"the value of header {name} holds a line break, another control character, "
                f"or one that is not latin-1: {value!r}"
            )
        if len(name) == 14 and name.lower() == "content-length":
            digits = value.strip(" \t")  # no part of the value, RFC 9110 5.5
            if not _number(digits) or length not in (None, int(digits)):
                raise ValueError(f"Content-Length {value!r} is not a number, or not the only one")
            length = int(digits)
        elif len(name) >= 10 and name.lower() in ELSEWHERE:
            elsewhere = True
        exact.append((name, value))
    return Head((status, exact), length, status[:3] in ("204", "304"), elsewhere)


def _valid(status):
    """Report whether it is three digits from 200 on, and a reason behind a space, if any."""
    if len(status) != 3 and status[3:4] != " ":
        return False
    if not "200" <= status[:3] <= "999" or not _number(status[:3]):
        return False
    return not status.encode("utf-8", "surrogatepass").translate(None, _TEXT)


def _number(text):
    return len(text) <= 18 and text.isascii() and text.isdigit()


def kind(value):
    return type(value).__name__
