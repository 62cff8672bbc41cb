"""Arguments of the uwsgi module's functions, converted as uWSGI's C code converts them."""


def text_of(value, what="argument"):
    """Return the bytes of a str."""
    if isinstance(value, str):
        return value.encode()
    raise TypeError(f"{what} must be str, not {type(value).__name__}")


def bytes_of(value, what="argument"):
    """Return the bytes of a str or of a bytes-like object."""
    if isinstance(value, str):
        return value.encode()
    try:
        return bytes(memoryview(value))
    except TypeError:
        raise TypeError(
            f"{what} must be str or a bytes-like object, not {type(value).__name__}"
        ) from None


def int_of(value, least=-(1 << 31), most=(1 << 31) - 1):
    if not hasattr(value, "__index__"):
        raise TypeError(f"{type(value).__name__!r} object cannot be interpreted as an integer")
    value = value.__index__()
    if not least <= value <= most:
        raise OverflowError(f"{value} is not between {least} and {most}")
    return value


def byte_of(value):
    return int_of(value, -(1 << 63), (1 << 63) - 1) & 0xFF  # as uWSGI does: 300 is 44
