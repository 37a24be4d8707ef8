"""What is remembered is what Envoy has, and a damaged file is nothing rather than a part."""

from pathlib import Path

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2, wrappers_pb2
from hypothesis import given
from hypothesis import strategies as st

from assay_relay.cached_control_plane import CachedControlPlane
from assay_relay.memory import Memory
from assay_relay.messages import CDS, EDS, RDS, SRDS, Response, encoded, request, response
from assay_relay.telemetry import Telemetry

LDS = "type.googleapis.com/envoy.config.listener.v3.Listener"


def sent(kind: str, *names: str, version: str = "1", content: str = "") -> Response:
    """A response; every resource's name is its field 1, which is all that a relay looks at."""
    message = discovery_pb2.DiscoveryResponse(type_url=kind, version_info=version, nonce="n")
    for name in names:
        value = wrappers_pb2.StringValue(value=name).SerializeToString() + b"\x12" + bytes([len(content)])
        message.resources.add(type_url=kind, value=value + content.encode())
    return response(message.SerializeToString())


def query(kind: str, *names: str, **fields: str) -> bytes:
    return bytes(
        discovery_pb2.DiscoveryRequest(type_url=kind, resource_names=names, **fields).SerializeToString()
    )


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "last")


def names(memory: Memory, kind: str) -> set[str]:
    found = memory.recall(kind)
    return set(found.resources) if found else set()


def test_clusters_are_replaced_and_take_their_endpoints_along(memory: Memory) -> None:
    memory.keep(sent(EDS, "a", "b"))
    memory.keep(sent(CDS, "a", "b", "composite"))
    memory.keep(sent(CDS, "b"))
    assert (names(memory, CDS), names(memory, EDS)) == ({"b"}, {"b"})


def test_endpoints_and_routes_are_added_to_what_is_known(memory: Memory) -> None:
    memory.keep(sent(EDS, "a", "b"))
    memory.keep(sent(EDS, "b", version="2", content="new"))
    found = memory.recall(EDS)
    assert found
    assert (found.version, set(found.resources)) == ("2", {"a", "b"})
    assert found.resources["b"] != sent(EDS, "b").resources["b"]


def test_endpoints_that_come_before_their_cluster_are_kept(memory: Memory) -> None:
    """A running Envoy accepts a new cluster only when it has its endpoints."""
    memory.keep(sent(CDS, "a"))
    memory.keep(sent(EDS, "a", "new"))
    memory.keep(sent(CDS, "a", "new"))
    assert names(memory, EDS) == {"a", "new"}


packs = st.dictionaries(st.text(min_size=1), st.binary(max_size=40), max_size=6)


@given(st.dictionaries(st.sampled_from([CDS, EDS, LDS, SRDS, RDS]), packs, max_size=5), st.data())
def test_the_file_is_all_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, dict[str, bytes]], data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("memory") / "last"
    first = Memory(file)
    for kind, values in content.items():
        packed = {
            name: any_pb2.Any(
                type_url=kind, value=wrappers_pb2.StringValue(value=name).SerializeToString() + b"\x12\x01x"
            ).SerializeToString(deterministic=True)
            for name in values
        }
        first.keep(Response(kind, "7", "nonce", packed))
    first.save(first.copy())
    second = Memory(file)
    assert {kind: second.recall(kind) for kind in content} == {kind: first.recall(kind) for kind in content}
    cut = data.draw(st.integers(0, len(file.read_bytes()) - 1))
    file.write_bytes(file.read_bytes()[:cut])
    assert len(Memory(file)) == 0


def test_a_file_of_something_else_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "last").write_bytes(b"x" * 200)
    assert len(Memory(tmp_path / "last")) == 0


@pytest.fixture
def deputy(memory: Memory) -> CachedControlPlane:
    memory.keep(sent(EDS, "a", "b"))
    memory.keep(sent(CDS, "a", "b"))
    memory.keep(sent(LDS, "edge"))
    return CachedControlPlane(memory, Telemetry())


def test_an_envoy_that_has_nothing_gets_what_is_remembered_under_its_version(
    deputy: CachedControlPlane,
) -> None:
    answer = deputy.answer(request(query(CDS)))
    assert answer
    assert (set(answer.resources), answer.version) == ({"a", "b"}, "1")
    assert response(encoded(answer)) == answer
    assert deputy.answered


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(query(CDS, version_info="5"), id="it has clusters already"),
        pytest.param(query(CDS, version_info="1", response_nonce="remembered-1"), id="it accepts an answer"),
        pytest.param(query(SRDS), id="nothing of that kind is remembered"),
        pytest.param(query(EDS, "stranger"), id="nothing of that name is remembered"),
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_say(deputy: CachedControlPlane, words: bytes) -> None:
    assert deputy.answer(request(words)) is None
    assert not deputy.answered


def test_parts_are_sent_when_they_are_asked_for_and_once(deputy: CachedControlPlane) -> None:
    first = deputy.answer(request(query(EDS, "a")))
    again = deputy.answer(request(query(EDS, "a", response_nonce="remembered-1", version_info="1")))
    more = deputy.answer(request(query(EDS, "a", "b", response_nonce="remembered-1", version_info="1")))
    assert first
    assert more
    assert (set(first.resources), again, set(more.resources)) == ({"a"}, None, {"b"})


def test_a_refusal_of_what_is_remembered_is_counted_and_not_repeated(memory: Memory) -> None:
    telemetry = Telemetry()
    memory.keep(sent(CDS, "a"))
    message = discovery_pb2.DiscoveryRequest(type_url=CDS, response_nonce="remembered-1")
    message.error_detail.message = "no"
    assert CachedControlPlane(memory, telemetry).answer(request(message.SerializeToString())) is None
    assert telemetry.registry.get_sample_value("assay_relay_refused_total") == 1


def test_what_is_adopted_is_what_was_packed(memory: Memory, tmp_path: Path) -> None:
    memory.keep(sent(CDS, "a"))
    memory.keep(sent(EDS, "a"))
    other = Memory(tmp_path / "other")
    other.adopt(memory.packed())
    assert other.changed, "it is written down soon"
    assert (names(other, CDS), names(other, EDS)) == ({"a"}, {"a"})
    other.adopt(memory.packed()[:-1])
    assert len(other) == 0
