"""What is wanted after publications, acknowledgements and refusals: a table of stories."""

from assay_api import Ref
from assay_operator.gateway import Backend, Endpoint, ModelRoute
from assay_operator.xds.parcel import Parcel, parcel
from assay_operator.xds.shelf import Shelf

A, B = Ref("demo", "a"), Ref("demo", "b")


def of(ref: Ref, version: str, port: int = 3000) -> Parcel:
    return parcel(ModelRoute(*ref, Backend(version, (Endpoint("10.0.0.1", port),))))


def nothing(_: Ref) -> None:
    return None


def names(shelf: Shelf) -> set[str]:
    return set(shelf.snapshot().clusters)


def test_the_snapshot_is_the_same_object_until_something_changes() -> None:
    shelf = Shelf()
    assert shelf.publish(A, of(A, "a-1"))
    first = shelf.snapshot()
    assert not shelf.publish(A, of(A, "a-1"))
    assert shelf.snapshot() is first
    assert shelf.publish(A, of(A, "a-1", port=3001))
    second = shelf.snapshot()
    assert second.clusters.version == first.clusters.version
    assert second.routes.version == first.routes.version
    assert second.endpoints.version != first.endpoints.version


def test_equal_content_has_equal_versions_in_another_process_and_order() -> None:
    one, other = Shelf(), Shelf()
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
    shelf = Shelf()
    shelf.publish(A, of(A, "a-1"))
    before = shelf.snapshot().generation
    shelf.publish(A, of(A, "a-2"))
    assert names(shelf) == {"demo/a/champion@a-1", "demo/a/champion@a-2"}
    assert shelf.retired(before) == []
    leaving = shelf.retired(shelf.snapshot().generation)
    assert leaving == ["demo/a/champion@a-1"]
    assert shelf.retired(shelf.snapshot().generation) == []
    shelf.drop(leaving)
    assert names(shelf) == {"demo/a/champion@a-2"}


def test_a_cluster_that_comes_back_while_it_is_leaving_stays() -> None:
    shelf = Shelf()
    shelf.publish(A, of(A, "a-1"))
    shelf.publish(A, of(A, "a-2"))
    leaving = shelf.retired(shelf.snapshot().generation)
    shelf.publish(A, of(A, "a-1"))
    shelf.drop(leaving)
    assert "demo/a/champion@a-1" in names(shelf)


def test_a_refused_parcel_gives_way_to_the_last_good_one() -> None:
    shelf = Shelf()
    shelf.publish(A, of(A, "a-1"))
    shelf.prove(A)
    shelf.publish(A, of(A, "a-2"))
    assert shelf.reject(shelf.snapshot(), "because", nothing) == [A]
    assert shelf.wanted(A) == of(A, "a-1").version
    assert shelf.held[A] == (of(A, "a-2").version, "because")
    assert not shelf.publish(A, of(A, "a-2")), "it is not tried again"
    assert shelf.publish(A, of(A, "a-3"))
    assert A not in shelf.held


def test_a_model_that_was_never_good_gets_something_plainer_and_then_nothing() -> None:
    shelf = Shelf()
    shelf.publish(A, of(A, "a-1"))
    assert shelf.reject(shelf.snapshot(), "because", lambda _: of(A, "plain")) == [A]
    assert shelf.wanted(A) == of(A, "plain").version
    assert shelf.reject(shelf.snapshot(), "that too", lambda _: of(A, "plain")) == [A]
    assert shelf.wanted(A) is None
    assert len(shelf.snapshot().routes) == 0


def test_a_reason_with_a_name_spares_the_others() -> None:
    shelf = Shelf()
    for ref in (A, B):
        shelf.publish(ref, of(ref, "1"))
    assert shelf.reject(shelf.snapshot(), "unknown cluster 'demo/b/champion@1'", nothing) == [B]
    assert shelf.wanted(A)


def test_several_suspects_are_taken_back_but_lose_nothing() -> None:
    shelf = Shelf()
    shelf.publish(A, of(A, "1"))
    shelf.prove(A)
    shelf.publish(A, of(A, "2"))
    shelf.publish(B, of(B, "1"))
    assert shelf.reject(shelf.snapshot(), "no name", nothing) == [A]
    assert shelf.wanted(A) == of(A, "1").version
    assert shelf.wanted(B) == of(B, "1").version
    assert shelf.publish(A, of(A, "2")), "publishing it again tries again"
    assert shelf.publish(A, None)
    assert shelf.wanted(A) is None


def test_who_changed_since_is_no_suspect() -> None:
    shelf = Shelf()
    shelf.publish(A, of(A, "1"))
    refused = shelf.snapshot()
    shelf.publish(A, of(A, "2"))
    assert shelf.reject(refused, "because", nothing) == []
    assert shelf.wanted(A) == of(A, "2").version
