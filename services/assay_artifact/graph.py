"""A look at an ONNX file before it is opened: does a tensor of it want its numbers from another file?

Only as much of the format is read as it takes to come to every tensor: messages in messages, where a field is
a number, eight or four bytes, or bytes of a stated length (the wire format of Protocol Buffers).
"""

from collections.abc import Iterator

from assay_artifact.errors import ArtifactError

ENTRY = (
    b"\x0a\x08location"  # every reference to another file has this entry, so most files end the search here
)
TENSOR = "TensorProto"
WITHIN: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: TENSOR, 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: TENSOR,
        6: "GraphProto",
        10: TENSOR,
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: TENSOR, 2: TENSOR},
}
NAME, EXTERNAL_DATA = 8, 13
VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
MOST_BITS = 70


def check(content: bytes, name: str) -> None:
    """Refuse a graph that names other files.

    Raises:
        ArtifactError: ExternalData.
        ValueError: It is no graph.
    """
    if ENTRY not in content:
        return
    for tensor in _tensors(memoryview(content), "ModelProto"):
        fields = dict(_fields(tensor))
        if EXTERNAL_DATA in fields:
            called = bytes(fields.get(NAME, b"")).decode(errors="replace")[:100]
            raise ArtifactError(
                "ExternalData", f"{name}: tensor {called!r} is in another file; save the graph as one file"
            )


def _tensors(message: memoryview, kind: str) -> Iterator[memoryview]:
    if kind == TENSOR:
        yield message
        return
    within = WITHIN[kind]
    for number, content in _fields(message):
        if number in within:
            yield from _tensors(content, within[number])


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the fields that are bytes, with their numbers."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == VARINT:
            _, at = _varint(message, at)
        elif kind in (EIGHT, FOUR):
            at += 8 if kind == EIGHT else 4
        elif kind == BYTES:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise ValueError("a field is longer than its message")
            yield key >> 3, message[at : at + size]
            at += size
        else:
            raise ValueError(f"a field of wire type {kind}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, MOST_BITS, 7):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004  the eighth bit says that there is more
            return value, at
    raise ValueError("a number of more than 64 bits")
