"""The wire format of Protocol Buffers: a message is fields with numbers, whose meaning is the reader's."""

from collections.abc import Iterator

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
MOST_BITS = 70
Field = tuple[int, int | memoryview]


def fields(message: memoryview) -> Iterator[Field]:
    """Yield each field's number and what it holds: a number, or its bytes.

    Raises:
        ValueError: It is no message.
        IndexError: It ends within a number.
    """
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        kind = key & 7
        if kind == VARINT:
            value, at = varint(message, at)
            yield key >> 3, value
            continue
        if kind == BYTES:
            size, at = varint(message, at)
        elif kind in (EIGHT, FOUR):
            size = 8 if kind == EIGHT else 4
        else:
            raise ValueError(f"a field of wire type {kind}")
        if at + size > len(message):
            raise ValueError("a field is longer than its message")
        yield key >> 3, message[at : at + size]
        at += size


def messages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the fields that are no numbers."""
    for number, content in fields(message):
        if isinstance(content, memoryview):
            yield number, content


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the number at a position, and the position behind it."""
    value = 0
    for shift in range(0, MOST_BITS, 7):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004  the eighth bit says that there is more
            return value, at
    raise ValueError("a number of more than 64 bits")
