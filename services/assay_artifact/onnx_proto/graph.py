"""A look at an ONNX file before it is opened: does a tensor of it want its numbers from another file?

Only as much of the format is read as it takes to come to every tensor: messages in messages, where a field is
a number, eight or four bytes, or bytes of a stated length (`wire`).
"""

from collections.abc import Iterator

from assay_artifact.errors import ArtifactError
from assay_artifact.onnx_proto.wire import messages

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


def check(content: bytes, name: str) -> None:
    """Refuse a graph that names other files.

    Raises:
        ArtifactError: ExternalData.
        ValueError: It is no graph.
    """
    if ENTRY not in content:
        return
    for tensor in _tensors(memoryview(content), "ModelProto"):
        fields = dict(messages(tensor))
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
    for number, content in messages(message):
        if number in within:
            yield from _tensors(content, within[number])
