"""What is wanted after publications, acknowledgements and refusals: a table of stories."""

from assay_api import Ref
from assay_operator.gateway import Backend, Endpoint, ModelRoute
from assay_operator.xds.resource_bundle import ResourceBundle, resource_bundle
from assay_operator.xds.snapshot_cache import SnapshotCache

A, B = Ref("demo", "a"), Ref("demo", "b")


def of(ref: Ref, version: str, port: int = 3000) -> ResourceBundle:
    return resource_bundle(ModelRoute(*ref, Backend(version, (Endpoint("10.0.0.1", port),))))


def nothing(_: Ref) -> None:
    return None


def names(cache: SnapshotCache) -> set[str]:
    return set(cache.snapshot().clusters)


def test_the_snapshot_is_the_same_object_until_something_changes() -> None:
    cache = SnapshotCache()
    assert cache.publish(A, of(A, "a-1"))
    first = cache.snapshot()
    assert not cache.publish(A, of(A, "a-1"))
    assert cache.snapshot() is first
    assert cache.publish(A, of(A, "a-1", port=3001))
    second = cache.snapshot()
    assert second.clusters.version == first.clusters.version
    assert second.routes.version == first.routes.version
    assert second.endpoints.version != first.endpoints.version


def test_equal_content_has_equal_versions_in_another_process_and_order() -> None:
    one, other = SnapshotCache(), SnapshotCache()
    for ref in (A, B):
        one.publish(ref, of(ref, "1"))
    other.publish(A, of(A, "0"))
    for ref in (B, A):
        other.publish(ref, of(ref, "1"))
    other.drop(other.retired(99))
    x, y = one.snapshot(), other.snapshot()
    assert (x.clusters.version, x.endpoints.version, x.routes.version) == (
        y.clusters.version,
        y.endpoints.version,
        y.routes.version,
    )


def test_a_cluster_stays_until_no_gateway_has_a_route_to_it() -> None:
    cache = SnapshotCache()
    cache.publish(A, of(A, "a-1"))
    before = cache.snapshot().generation
    cache.publish(A, of(A, "a-2"))
    assert names(cache) == {"demo/a/champion@a-1", "demo/a/champion@a-2"}
    assert cache.retired(before) == []
    leaving = cache.retired(cache.snapshot().generation)
    assert leaving == ["demo/a/champion@a-1"]
    assert cache.retired(cache.snapshot().generation) == []
    cache.drop(leaving)
    assert names(cache) == {"demo/a/champion@a-2"}


def test_a_cluster_that_comes_back_while_it_is_leaving_stays() -> None:
    cache = SnapshotCache()
    cache.publish(A, of(A, "a-1"))
    cache.publish(A, of(A, "a-2"))
    leaving = cache.retired(cache.snapshot().generation)
    cache.publish(A, of(A, "a-1"))
    cache.drop(leaving)
    assert "demo/a/champion@a-1" in names(cache)


def test_a_refused_parcel_gives_way_to_the_last_good_one() -> None:
    cache = SnapshotCache()
    cache.publish(A, of(A, "a-1"))
    cache.acknowledge(A)
    cache.publish(A, of(A, "a-2"))
    assert cache.reject(cache.snapshot(), "because", nothing) == [A]
    assert cache.wanted(A) == of(A, "a-1").version
    assert cache.rejected[A] == (of(A, "a-2").version, "because")
    assert not cache.publish(A, of(A, "a-2")), "it is not tried again"
    assert cache.publish(A, of(A, "a-3"))
    assert A not in cache.rejected


def test_a_model_that_was_never_good_gets_something_plainer_and_then_nothing() -> None:
    cache = SnapshotCache()
    cache.publish(A, of(A, "a-1"))
    assert cache.reject(cache.snapshot(), "because", lambda _: of(A, "plain")) == [A]
    assert cache.wanted(A) == of(A, "plain").version
    assert cache.reject(cache.snapshot(), "that too", lambda _: of(A, "plain")) == [A]
    assert cache.wanted(A) is None
    assert len(cache.snapshot().routes) == 0


def test_a_reason_with_a_name_spares_the_others() -> None:
    cache = SnapshotCache()
    for ref in (A, B):
        cache.publish(ref, of(ref, "1"))
    assert cache.reject(cache.snapshot(), "unknown cluster 'demo/b/champion@1'", nothing) == [B]
    assert cache.wanted(A)


def test_several_suspects_are_taken_back_but_lose_nothing() -> None:
    cache = SnapshotCache()
    cache.publish(A, of(A, "1"))
    cache.acknowledge(A)
    cache.publish(A, of(A, "2"))
    cache.publish(B, of(B, "1"))
    assert cache.reject(cache.snapshot(), "no name", nothing) == [A]
    assert cache.wanted(A) == of(A, "1").version
    assert cache.wanted(B) == of(B, "1").version
    assert cache.publish(A, of(A, "2")), "publishing it again tries again"
    assert cache.publish(A, None)
    assert cache.wanted(A) is None


def test_who_changed_since_is_no_suspect() -> None:
    cache = SnapshotCache()
    cache.publish(A, of(A, "1"))
    refused = cache.snapshot()
    cache.publish(A, of(A, "2"))
    assert cache.reject(refused, "because", nothing) == []
    assert cache.wanted(A) == of(A, "2").version
