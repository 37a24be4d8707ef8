from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assay_api import Ref
from assay_operator.kinds import EXPERIMENT, MODEL, POD
from assay_operator.kube.store import Layer, Store
from assay_operator.plan.world import Key

CHURN = Ref("team", "churn")


def body(kind: str, name: str, version: int, uid: str = "", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team", "uid": uid or name, "resourceVersion": str(version)}
    return {"kind": kind, "metadata": metadata | more.pop("metadata", {}), **more}


def child(kind: str, name: str, version: int, uid: str = "") -> dict[str, Any]:
    return body(kind, name, version, uid, metadata={"labels": {"assay.dev/model": "churn"}})


@given(order=st.permutations([1, 2, 3]))
def test_the_newest_body_wins_whatever_comes_last(order: list[int]) -> None:
    """A watch event may tell what our own write has already replaced."""
    store = Store()
    for version in order:
        store.put(body("Model", "churn", version))
    assert store.objects(CHURN)[Key("Model", "churn")]["metadata"]["resourceVersion"] == "3"


@given(order=st.permutations([1, 2, 3]))
def test_the_newest_body_says_to_which_model_it_belongs(order: list[int]) -> None:
    """Somebody changed a label, and the answer to our own write of before comes late."""
    store = Store()
    for version in order:
        labels = {"assay.dev/model": "other" if version == 3 else "churn"}
        store.put(body("Service", "s", version, metadata={"labels": labels}))
    assert store.objects(CHURN) == {}
    assert list(store.objects(Ref("team", "other"))) == [("Service", "s")]
    assert store.whose("s") == Ref("team", "other")


def test_an_experiment_belongs_to_the_model_it_names_even_if_there_is_none() -> None:
    store = Store()
    ref = store.put(body("Experiment", "e", 1, spec={"modelRef": {"name": "ghost"}}))
    assert (ref, store.refs()) == (Ref("team", "ghost"), (Ref("team", "ghost"),))


def test_a_deletion_of_the_old_one_leaves_the_new_one_of_the_same_name() -> None:
    store = Store()
    store.put(body("Model", "churn", 5, uid="new"))
    store.drop(body("Model", "churn", 4, uid="old"))
    assert ("Model", "churn") in store.objects(CHURN)


def test_a_listing_forgets_what_vanished_in_a_watch_gap_but_not_what_is_newer() -> None:
    store = Store()
    store.put(body("Model", "churn", 1))
    store.put(child("Pod", "ghost", 2))
    store.put(child("Pod", "just-made", 9))
    touched = store.replace(POD, [], version=5)
    assert {name for _, name in store.objects(CHURN)} == {"churn", "just-made"}
    assert touched == {CHURN}
    assert store.replace(MODEL, [body("Model", "churn", 1)], version=9) == set(), (
        "nothing changed, nobody is asked"
    )


def test_a_family_that_is_gone_takes_no_memory() -> None:
    store = Store()
    store.put(body("Model", "churn", 1))
    assert store.whose("churn") == CHURN
    store.drop(body("Model", "churn", 2))
    assert (store.refs(), store.whose("churn")) == ((), None)


def test_what_belongs_to_no_model_is_not_kept() -> None:
    store = Store()
    gateway = body("Pod", "gateway", 1, metadata={"labels": {"assay.dev/role": "gateway"}})
    assert store.put(gateway) is None
    assert (store.refs(), store.drop(gateway)) == ((), None)


def test_a_child_that_loses_its_label_is_forgotten() -> None:
    """The watch, which is filtered by the label, says that it is deleted, and shows it without the label."""
    store = Store()
    store.put(body("Service", "churn", 1, metadata={"labels": {"assay.dev/model": "churn"}}))
    assert store.drop(body("Service", "churn", 2, metadata={"labels": {}})) == CHURN
    assert store.objects(CHURN) == {}


LAYERS = [None, "page", "mail"]
CHANGES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "drop", "list"]), st.sampled_from(LAYERS)),
    max_size=30,
)


@given(changes=CHANGES)
def test_a_layer_has_the_experiments_that_name_it_now_whatever_came_before(
    changes: list[tuple[str, str, str | None]],
) -> None:
    """Edits before the start, deletions, and listings after a gap in the watch: no ghost keeps a slot."""
    store, known = Store(), {}
    for version, (name, change, layer) in enumerate(changes, 1):
        spec = {"modelRef": {"name": "churn"}} | ({"layer": {"name": layer, "share": 5}} if layer else {})
        new = body("Experiment", name, version, spec=spec)
        if change == "put":
            store.put(new)
            known[name] = new
        elif change == "drop":
            store.drop(known.pop(name, new))
        else:
            known.pop(name, None)
            store.replace(EXPERIMENT, known.values(), version)
        for wanted in ("page", "mail"):
            names = {b["metadata"]["name"] for b in store.layer(Layer("team", wanted))}
            assert names == {n for n, b in known.items() if b["spec"].get("layer", {}).get("name") == wanted}
    assert set(store._layers) <= {Layer("team", "page"), Layer("team", "mail")}
    assert all(store._layers.values()), "a layer that nobody names is forgotten"
