"""Whose object is it? Every kind of child of a Model, against the real API server and its garbage collection.

An object that does not carry the Model's (or its version's) uid is never touched. The Model says so by a
condition, any one, with the reason `NameTaken`, whose message has kind and name.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from api_objects import ApiException, Body, Objects, until
from children import (
    CHILDREN,
    FIRST,
    MODEL,
    SERVED,
    TRAINED,
    Child,
    answer,
    champion,
    messages_of,
    model,
    start_experiment,
)
from operator_process import OperatorProcess

from assay_api.names import predictor_name, version_name

pytestmark = pytest.mark.usefixtures("operated")
SECONDS = 20
MARKS = {"labels": {"team.example/cost": "a-17"}, "annotations": {"team.example/note": "keep"}}

every = pytest.mark.parametrize("child", [pytest.param(c, id=c.title.replace(" ", "-")) for c in CHILDREN])
replaced = pytest.mark.parametrize(
    "child", [pytest.param(c, id=c.title.replace(" ", "-")) for c in CHILDREN if c.replaced]
)
harmed = pytest.mark.parametrize(
    "child", [pytest.param(c, id=c.title.replace(" ", "-")) for c in CHILDREN if c.harm]
)


def frozen(body: Body | None, child: Child) -> str:
    """Return what may not change: every byte, or the parts that are named where users may bring their own."""
    assert body is not None, f"{child.kind} {child.name} is gone"
    if not child.parts:
        return json.dumps(body, sort_keys=True)
    metadata = body["metadata"]
    kept = ("uid", "labels", "annotations", "ownerReferences", "generation")
    return json.dumps([body["spec"], {key: metadata.get(key) for key in kept}], sort_keys=True)


def taken(objects: Objects, child: Child) -> bool:
    """Whether the Model says that this name is taken."""
    return any(
        child.kind in message and child.name in message for message in messages_of(objects, "NameTaken")
    )


def start(objects: Objects, child: Child) -> Body:
    """Create the Model and let it come to where it needs the child; return its metadata."""
    made = objects.create(model(child.spec))["metadata"]
    child.grow(objects)
    return dict(made)


def made(objects: Objects, child: Child) -> Body:
    """Return the child once it is there."""
    return until(lambda: objects.get(child.kind, child.name), f"{child.kind} {child.name}", SECONDS)


def delete_model(objects: Objects, uid: str) -> None:
    """Delete the Model, and wait until what it owns is collected."""
    owner = {"apiVersion": "assay.dev/v1alpha1", "kind": "Model", "name": MODEL, "uid": uid}
    objects.create({"kind": "ConfigMap", "metadata": {"name": "canary", "ownerReferences": [owner]}})
    objects.delete("Model", MODEL)
    until(lambda: objects.get("ConfigMap", "canary") is None, "garbage collection", SECONDS)
    until(lambda: not owned(objects, uid), "the end of what the Model owns", SECONDS)


def owned(objects: Objects, uid: str) -> list[str]:
    """Return the names of all children of the Model with this uid."""
    found = [(child.kind, body) for child in CHILDREN for body in objects.all(child.kind)]
    return [
        f"{kind} {body['metadata']['name']}"
        for kind, body in found
        if uid in {ref["uid"] for ref in body["metadata"].get("ownerReferences", ())}
    ]


@every
def test_an_object_of_someone_else_is_never_touched(objects: Objects, child: Child) -> None:
    before = frozen(objects.create(child.strangers()), child)
    uid = start(objects, child)["uid"]
    until(lambda: taken(objects, child), f"NameTaken with {child.kind} {child.name}", SECONDS)
    assert frozen(objects.get(child.kind, child.name), child) == before
    delete_model(objects, uid)
    assert frozen(objects.get(child.kind, child.name), child) == before


@every
def test_an_object_of_another_model_is_never_touched(objects: Objects, child: Child) -> None:
    other = objects.create(model({"image": {"image": "other:1"}}, "other"))["metadata"]
    owner = {"apiVersion": "assay.dev/v1alpha1", "kind": "Model", "name": "other", "uid": other["uid"]}
    body = child.strangers()
    body["metadata"]["ownerReferences"] = [owner | {"controller": True}]
    before = frozen(objects.create(body), child)
    uid = start(objects, child)["uid"]
    until(lambda: taken(objects, child), f"NameTaken with {child.kind} {child.name}", SECONDS)
    delete_model(objects, uid)
    assert frozen(objects.get(child.kind, child.name), child) == before


@every
def test_a_name_that_becomes_free_is_used(objects: Objects, child: Child) -> None:
    objects.create(child.strangers())
    start(objects, child)
    until(lambda: taken(objects, child), f"NameTaken with {child.kind} {child.name}", SECONDS)
    objects.delete(child.kind, child.name)
    if child.replaced:
        until(lambda: ours(objects, child), f"our {child.kind} {child.name}", 2 * SECONDS)
        until(lambda: not taken(objects, child), "the end of NameTaken", 2 * SECONDS)


def ours(objects: Objects, child: Child) -> bool:
    """Whether the child is there and has a controller of our kinds."""
    references = (objects.get(child.kind, child.name) or {}).get("metadata", {}).get("ownerReferences", ())
    return any(ref["apiVersion"].startswith("assay.dev/") and ref.get("controller") for ref in references)


def test_our_own_is_kept_by_an_operator_that_starts_anew(
    make_namespace: Callable[[], Objects], operated: OperatorProcess
) -> None:
    served, trained = make_namespace(), make_namespace()
    places = [(child, served if child.spec is SERVED else trained) for child in CHILDREN]
    served.create(model(SERVED))
    trained.create(model(TRAINED))
    start_experiment(served)
    before = {child.title: made(place, child)["metadata"]["uid"] for child, place in places}
    operated.kill()
    operated.start()
    for place in (served, trained):
        place.patch("Model", MODEL, {"spec": {"history": {"keep": 7}}})
        until(partial(current, place), "a pass of the new operator", 2 * SECONDS)
    after = {child.title: made(place, child)["metadata"]["uid"] for child, place in places}
    assert after == before
    assert not messages_of(served, "NameTaken")
    assert not messages_of(trained, "NameTaken")


def serves_first(objects: Objects) -> bool:
    """Whether the Model serves its first version."""
    return champion(objects) == FIRST


def current(objects: Objects) -> bool:
    """Whether the Model's status is of its newest generation."""
    body = objects.get("Model", MODEL) or {}
    return bool(body.get("status", {}).get("observedGeneration") == body["metadata"]["generation"])


@replaced
def test_our_own_is_made_again_when_it_is_deleted(objects: Objects, child: Child) -> None:
    start(objects, child)
    uid = made(objects, child)["metadata"]["uid"]
    objects.delete(child.kind, child.name)

    def another() -> bool:
        found = objects.get(child.kind, child.name)
        return found is not None and found["metadata"]["uid"] != uid

    until(another, f"another {child.kind} {child.name}", SECONDS)
    assert ours(objects, child)


@harmed
def test_our_own_is_put_right_and_marks_of_others_stay(objects: Objects, child: Child) -> None:
    start(objects, child)
    made(objects, child)
    until(lambda: objects.condition("ModelVersion", FIRST, "Available"), "a whole pass", SECONDS)
    before = made(objects, child)
    assert child.harm is not None
    objects.patch(child.kind, child.name, {"metadata": MARKS})
    harmed = objects.patch(child.kind, child.name, child.harm)
    assert comparable(harmed) != comparable(before)

    def right() -> bool:
        return bool(comparable(objects.get(child.kind, child.name) or {}) == comparable(before))

    with suppress(AssertionError):  # the comparison below says more
        until(right, f"{child.kind} {child.name} as it should be", SECONDS)
    assert comparable(made(objects, child)) == comparable(before)
    metadata = made(objects, child)["metadata"]
    assert metadata["uid"] == before["metadata"]["uid"]
    assert metadata["labels"].items() >= MARKS["labels"].items()
    assert metadata["annotations"].items() >= MARKS["annotations"].items()


def comparable(body: Body) -> Any:
    """Return what people and the operator write of an object, without the marks of others."""
    labels = {k: v for k, v in body.get("metadata", {}).get("labels", {}).items() if k not in MARKS["labels"]}
    rest = {k: v for k, v in body.items() if k not in {"metadata", "status"}}
    return [labels, json.loads(json.dumps(rest))]


def test_deleting_a_model_deletes_all_of_its_own(objects: Objects) -> None:
    uid = objects.create(model(SERVED))["metadata"]["uid"]
    answer(objects, FIRST)
    until(lambda: champion(objects) == FIRST, "the champion", SECONDS)
    assert len(owned(objects, uid)) >= 3
    version = objects.get("ModelVersion", FIRST)
    assert version is not None
    objects.delete("Model", MODEL)
    until(lambda: not owned(objects, uid), "the end of what the Model owns", 2 * SECONDS)
    until(lambda: not owned(objects, version["metadata"]["uid"]), "the end of its version's", 2 * SECONDS)


def test_a_model_that_is_named_like_another_ones_child_harms_nobody(objects: Objects) -> None:
    """The names of children that people can guess: the Model is refused, or both serve."""
    objects.create(model({"image": {"image": "prod:1"}}, "prod"))
    first = version_name("prod", 1)
    answer(objects, first)
    until(lambda: champion(objects, "prod") == first, "the champion of prod", SECONDS)
    before = objects.get("Service", predictor_name(first))
    refused = 0
    names = {predictor_name(first), f"{first}-predictor", first}
    for name in sorted(names):
        try:
            objects.create(model({"image": {"image": "thief:1"}}, name))
            until(partial(objects.conditions, "Model", name), f"conditions of {name}", SECONDS)
        except ApiException as error:
            if error.status != 422 or "reserved" not in str(error.body):
                raise
            refused += 1
    after = objects.get("Service", predictor_name(first))
    assert refused < len(names)
    assert after is not None
    assert before is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    assert after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]
    assert champion(objects, "prod") == first


def test_two_namespaces_have_the_same_names(objects: Objects, make_namespace: Callable[[], Objects]) -> None:
    elsewhere = make_namespace()
    for here in (objects, elsewhere):
        here.create(model(SERVED))
        answer(here, FIRST)
    for here in (objects, elsewhere):
        until(partial(serves_first, here), f"the champion in {here.namespace}", SECONDS)
        assert not messages_of(here, "NameTaken")
