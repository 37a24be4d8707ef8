"""From JSON values to protobuf messages, several times as fast as `google.protobuf.json_format`.

That looks up every field of every message anew. Here the readers of a type's fields are made once, and the
message is built by its constructor, in C. Values are spelled as we write them: field and enum names as in
the schema, and each message within an `Any` packed into the same bytes in every process.
"""

import base64
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from assay_operator.gateway import Json

PREFIX = "type.googleapis.com/"
_WELL_KNOWN = "google.protobuf."
_ANY = any_pb2.Any.DESCRIPTOR.full_name
_Reader = Callable[[Any], Any]


def parse(kind: type[Message], value: Json) -> Any:
    """Return the message.

    Raises:
        google.protobuf.json_format.ParseError: The schema does not know a field or a type, or a value does
            not fit.
    """
    return _built(kind.DESCRIPTOR.full_name, value)


def encoded(message: Message) -> bytes:
    """Return the same bytes for the same content, in every process."""
    return bytes(message.SerializeToString(deterministic=True))


def _built(name: str, value: Json) -> Message:
    arguments = _arguments(name, value)
    try:
        return _class(name)(**arguments)
    except (TypeError, ValueError) as error:
        raise json_format.ParseError(f"{name}: {error}") from error


def _arguments(name: str, value: Json) -> Json:
    """Return what the constructor of a message takes; dictionaries stand for the messages within it."""
    readers = _readers(name)
    try:
        return {field: readers[field](item) for field, item in value.items()}
    except (KeyError, AttributeError, ValueError) as error:
        raise json_format.ParseError(f"{name}: {error}") from error


def _packed(value: Json) -> any_pb2.Any:
    """Return a message within an `Any`; `@type` is its type."""
    rest = dict(value)
    url = rest.pop("@type")
    return any_pb2.Any(type_url=url, value=encoded(_built(url.removeprefix(PREFIX), rest)))


@cache
def _class(name: str) -> type[Message]:
    found: type[Message] = message_factory.GetMessageClass(_descriptor(name))
    return found


def _descriptor(name: str) -> Descriptor:
    return descriptor_pool.Default().FindMessageTypeByName(name)


@cache
def _readers(name: str) -> Mapping[str, _Reader]:
    return {field.name: _field(field) for field in _descriptor(name).fields}


def _field(field: FieldDescriptor) -> _Reader:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        read = _one(kind.fields_by_name["value"])
        return lambda items: {key: read(item) for key, item in items.items()}
    read = _one(field)
    return (lambda items: [read(item) for item in items]) if field.is_repeated else read


def _one(field: FieldDescriptor) -> _Reader:
    """Return the reader of a single value."""
    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64decode
    if field.message_type is None:
        return lambda value: value
    name = field.message_type.full_name
    if name == _ANY:
        return _packed
    if name.startswith(_WELL_KNOWN):
        return lambda value: _well_known(name, value)
    return lambda value: _arguments(name, value)


def _well_known(name: str, value: Any) -> Message:
    """Return a duration, a wrapped number, a struct: their JSON is not that of their fields."""
    return _scalar(name, value) if isinstance(value, (str, int)) else _special(name, value)


@lru_cache(maxsize=1024, typed=True)
def _scalar(name: str, value: str | int) -> Message:
    return _special(name, value)


def _special(name: str, value: Any) -> Message:
    return json_format.ParseDict(value, _class(name)())
