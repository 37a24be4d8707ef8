"""What an ONNX graph says of its inputs, outputs and class labels; parsed as bytes, so nothing in it is run.

The labels are where the graph's first output comes from: attributes of a classifier of `ai.onnx.ml`, or a
constant in which a position is looked up. On the way there only operators are passed that change no label.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from assay_artifact.onnx_proto.wire import fields, messages, varint

GRAPH, METADATA = 7, 14  # of a model
NODE, INITIALIZER, INPUT, OUTPUT = 1, 5, 11, 12  # of a graph
PASSED = {b"Identity", b"Cast", b"Reshape", b"Squeeze", b"Flatten"}
LABELS = {b"classlabels_strings": 9, b"classlabels_int64s": 8, b"classlabels_ints": 8}
STRING_DATA, INT32_DATA, INT64_DATA, RAW_DATA = 6, 5, 7, 9  # of a tensor
SIGN = 1 << 63
ELEMENTS = {1: "float", 6: "int32", 7: "int64", 8: "string", 9: "bool", 11: "double"}
Labels = tuple[int, ...] | tuple[str, ...]


class Value(NamedTuple):
    """An input or an output.

    Attributes:
        name: Of it.
        kind: Of the elements of a tensor; empty for anything else.
        shape: Of a tensor; None where any size will do.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]


class Node(NamedTuple):
    """An operator, as far as labels need it."""

    operator: bytes
    inputs: tuple[bytes, ...]
    labels: Labels


class Signature:
    """Of one graph."""

    def __init__(self, content: bytes) -> None:
        """Parse what is cheap; weights are not copied.

        Raises:
            ValueError: It is no graph.
        """
        model = list(messages(memoryview(content)))
        self._graph = [field for number, part in model if number == GRAPH for field in messages(part)]
        if not self._graph:
            raise ValueError("there is no graph in it")
        self.metadata = dict(_entry(part) for number, part in model if number == METADATA)
        constants = {_name(part, 8) for part in self._all(INITIALIZER)}
        values = [_value(part) for part in self._all(INPUT)]
        self.inputs = [value for value in values if value.name.encode() not in constants]
        self.outputs = [_value(part) for part in self._all(OUTPUT)]

    def labels(self) -> Labels:
        """Return the classes in the order of the probabilities; empty where the graph doesn't say."""
        at = self.outputs[0].name.encode()
        for _ in range(len(self._nodes) + 1):
            node = self._nodes.get(at)
            if node is None:
                return ()
            if node.labels:
                return node.labels
            if node.operator == b"ArrayFeatureExtractor":
                return self._constant(node.inputs[0])
            if node.operator not in PASSED:
                return ()
            at = node.inputs[0]
        return ()

    @cached_property
    def _nodes(self) -> dict[bytes, Node]:
        return dict(pair for part in self._all(NODE) for pair in _made(part))

    def _all(self, number: int) -> Iterator[memoryview]:
        return (part for found, part in self._graph if found == number)

    def _constant(self, name: bytes) -> Labels:
        return next((_elements(part) for part in self._all(INITIALIZER) if _name(part, 8) == name), ())


def _name(message: memoryview, at: int) -> bytes:
    return next((bytes(part) for number, part in messages(message) if number == at), b"")


def _entry(message: memoryview) -> tuple[str, str]:
    return _name(message, 1).decode(), _name(message, 2).decode()


def _value(message: memoryview) -> Value:
    name = _name(message, 1).decode()
    kind = next((part for number, part in messages(message) if number == 2), memoryview(b""))  # noqa: PLR2004
    tensor = next((part for number, part in messages(kind) if number == 1), None)
    if tensor is None:
        return Value(name, "", ())
    element, shape = "", memoryview(b"")
    for number, part in fields(tensor):
        if number == 1 and isinstance(part, int):
            element = ELEMENTS.get(part, f"type {part}")
        elif isinstance(part, memoryview):
            shape = part
    return Value(name, element, tuple(_size(part) for number, part in messages(shape) if number == 1))


def _size(dimension: memoryview) -> int | None:
    """A dimension is a number, a word for any, or nothing; exporters write 0 for any, too."""
    return (
        next((part for number, part in fields(dimension) if number == 1 and isinstance(part, int)), 0) or None
    )


def _made(node: memoryview) -> Iterator[tuple[bytes, Node]]:
    parts = list(messages(node))
    labels: Labels = ()
    for attribute in (part for number, part in parts if number == 5):  # noqa: PLR2004  the field's number
        if at := LABELS.get(_name(attribute, 1)):
            labels = labels or _listed(attribute, at, strings=at == LABELS[b"classlabels_strings"])
    inputs = tuple(bytes(part) for number, part in parts if number == 1)
    made = Node(_name(node, 4), inputs, labels)
    for number, part in parts:
        if number == 2:  # noqa: PLR2004  its outputs
            yield bytes(part), made


def _listed(message: memoryview, at: int, *, strings: bool) -> Labels:
    found = [part for number, part in fields(message) if number == at]
    if strings:
        return tuple(bytes(part).decode() for part in found if isinstance(part, memoryview))
    return tuple(
        _signed(number) for part in found for number in ([part] if isinstance(part, int) else _packed(part))
    )


def _packed(content: memoryview) -> Iterator[int]:
    at = 0
    while at < len(content):
        value, at = varint(content, at)
        yield value


def _signed(value: int) -> int:
    return value - 2 * SIGN if value >= SIGN else value


def _elements(tensor: memoryview) -> Labels:
    """The elements of a tensor of strings or integers."""
    if strings := _listed(tensor, STRING_DATA, strings=True):
        return strings
    if integers := _listed(tensor, INT32_DATA, strings=False) or _listed(tensor, INT64_DATA, strings=False):
        return integers
    width = {6: 4, 7: 8}.get(next((p for n, p in fields(tensor) if n == 2 and isinstance(p, int)), 0))  # noqa: PLR2004
    raw = _name(tensor, RAW_DATA)
    if width is None:
        return ()
    starts = range(0, len(raw), width)
    return tuple(int.from_bytes(raw[at : at + width], "little", signed=True) for at in starts)
