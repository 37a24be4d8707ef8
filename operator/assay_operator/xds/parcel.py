"""One Model's resources, packed once: every gateway and every later snapshot reuses the bytes."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import xxhash
from google.protobuf.message import Message

from assay_operator.gateway import Json, ModelRoute, resources
from assay_operator.xds.messages import Assignment, Cluster, Routes, Scope, chunk, parse

Packed = Mapping[str, bytes]
Kind = Callable[[], Message]


@dataclass(frozen=True, slots=True)
class Parcel:
    """The packed resources of a Model, by name, and a version that follows from their content."""

    clusters: Packed
    endpoints: Packed
    scopes: Packed
    routes: Packed
    version: str


def parcel(route: ModelRoute) -> Parcel:
    """Render and pack a route; about a millisecond."""
    rendered = resources(route)
    parts = (
        _packed(Cluster, "name", rendered.clusters),
        _packed(Assignment, "cluster_name", rendered.assignments),
        _packed(Scope, "name", [rendered.scope]),
        _packed(Routes, "name", [rendered.routes]),
    )
    return Parcel(*parts, version=_version(value for part in parts for value in part.values()))


def _packed(kind: Kind, key: str, values: Iterable[Json]) -> Packed:
    return {value[key]: chunk(_message(kind, key, value)) for value in values}


def _message(kind: Kind, key: str, value: Json) -> Message:
    """Parse a resource; clusters differ in little but their name, and parsing is what takes long."""
    rest = json.dumps({field: item for field, item in value.items() if field != key})
    message = kind()
    message.CopyFrom(_nameless(kind, rest))
    setattr(message, key, value[key])
    return message


@lru_cache(maxsize=256)
def _nameless(kind: Kind, text: str) -> Message:
    message: Message = parse(kind, json.loads(text))
    return message


def _version(parts: Iterable[bytes]) -> str:
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
