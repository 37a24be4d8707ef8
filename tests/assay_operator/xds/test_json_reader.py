"""The reader of JSON values says what protobuf's own says, and refuses what it refuses."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from assay_assign import SLOTS, Interval
from assay_operator.gateway import (
    ArmRoute,
    Backend,
    Edge,
    Endpoint,
    ModelRoute,
    Shadow,
    Split,
    Tls,
    listeners,
    resources,
    survivors,
)
from assay_operator.xds.json_reader import encoded, parse
from assay_operator.xds.messages import Assignment, Cluster, Listener, Routes, Scope

words = st.text("abcdefgh-", min_size=1, max_size=12)
endpoints = st.builds(Endpoint, st.ip_addresses().map(str), st.integers(1, 65_535))
backends = st.builds(Backend, words, st.lists(endpoints, max_size=3).map(tuple), st.none() | endpoints)


@st.composite
def splits(draw: st.DrawFn) -> Split:
    names = draw(st.lists(words, min_size=2, max_size=4, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, SLOTS), min_size=len(names) + 1, max_size=len(names) + 1)))
    table = tuple(Interval(*row) for row in zip(names, cuts, cuts[1:], strict=False))
    arms = tuple(ArmRoute(name, draw(backends)) for name in names)
    return Split(draw(words), draw(st.integers(0, 99)), "x-user-id", arms, table, draw(st.just("") | words))


routes = st.builds(
    ModelRoute,
    words,
    words,
    backends,
    st.none() | splits(),
    st.booleans(),
    st.floats(0.001, 3600),
    st.none() | st.builds(Shadow, backends, st.floats(0.1, 100)),
)


def agrees(kind: type[Message], value: dict[str, Any]) -> bool:
    """Whether both readers make the same message, and packing it again changes no byte."""
    ours, theirs = parse(kind, value), json_format.ParseDict(value, kind())
    again = kind()
    again.ParseFromString(encoded(ours))
    return _plain(ours) == _plain(theirs) and encoded(again) == encoded(ours)


def _plain(message: Message) -> dict[str, Any]:
    plain: dict[str, Any] = json_format.MessageToDict(message)
    return plain


def _resources(route: ModelRoute) -> Iterator[tuple[type[Message], dict[str, Any]]]:
    rendered = resources(route)
    yield from ((Cluster, value) for value in rendered.clusters)
    names = [value["cluster_name"] for value in rendered.assignments]
    yield from ((Cluster, value) for value in survivors(names))
    yield from ((Assignment, value) for value in rendered.assignments)
    yield Scope, rendered.scope
    yield Routes, rendered.routes


@given(routes)
def test_it_reads_every_route_as_protobuf_does(route: ModelRoute) -> None:
    for kind, value in _resources(route):
        assert agrees(kind, value), value


@pytest.mark.parametrize("edge", [Edge(), Edge(tls=Tls(port=8443))], ids=["plain", "tls"])
def test_it_reads_the_listeners_as_protobuf_does(edge: Edge) -> None:
    for value in listeners(edge):
        assert agrees(Listener, value), value


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"no_such_field": 1}, "no_such_field"),
        ({"common_lb_config": {"no_such_field": 1}}, "no_such_field"),
        ({"type": "NO_SUCH_TYPE"}, "NO_SUCH_TYPE"),
        ({"name": 5}, "bad argument type"),
        ({"connect_timeout": "soon"}, "soon|Duration"),
        ({"common_lb_config": "words"}, "str"),
        ({"circuit_breakers": {"thresholds": [{"max_requests": -1}]}}, "out of range"),
        ({"typed_extension_protocol_options": {"x": {"@type": "type.googleapis.com/no.Such"}}}, "no.Such"),
        ({"typed_extension_protocol_options": {"x": {"fields": {}}}}, "@type"),
    ],
)
def test_what_the_schema_does_not_know_is_refused_by_name(value: dict[str, Any], word: str) -> None:
    with pytest.raises((json_format.ParseError, ValueError)):
        json_format.ParseDict(value, Cluster())
    with pytest.raises(json_format.ParseError, match=word):
        parse(Cluster, value)
