"""Pods follow their bounds, resources change under load, rows are counted, and bad files are refused."""

import asyncio
from typing import Any

from people import Place
from town import Json, wait

PREDICTOR = "churn-1--predictor"
QUICK = {"timeout": "3s"}
SMALL = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}


def pods(place: Place) -> tuple[int, int]:
    """Return how many pods the version should have, and how many are available."""
    found = place.town.get("deployment", PREDICTOR, place.namespace) or {"spec": {}, "status": {}}
    return found["spec"].get("replicas", -1), found.get("status", {}).get("availableReplicas", 0)


def serving(place: Place, **how: Any) -> Json:
    return place.model("plain", serving=QUICK | {"resources": SMALL} | how)


def settled(place: Place, model: Json) -> None:
    """Apply a Model, and wait until the operator has acted on all of it."""
    place.town.apply(model)
    generation = (place.town.get("amodel", "churn", place.namespace) or {})["metadata"]["generation"]
    place.town.until(
        "amodel", "churn", place.namespace, lambda s: s.get("observedGeneration", 0) >= generation
    )


def exists(place: Place, kind: str) -> bool:
    return place.town.get(kind, PREDICTOR, place.namespace) is not None


def test_an_autoscaler_moves_within_its_bounds_and_the_operator_lets_it(place: Place) -> None:
    """There are no metrics here, so kubectl is the autoscaler."""
    settled(place, serving(place, replicas=2, maxReplicas=3))
    place.champion("churn-1")
    wait(lambda: pods(place) == (2, 2), 60, told=lambda: pods(place))
    assert exists(place, "hpa")
    assert exists(place, "pdb")
    place.town.kubectl("scale", "deployment", PREDICTOR, "-n", place.namespace, "--replicas=3")
    wait(lambda: pods(place) == (3, 3), 60, told=lambda: pods(place))
    settled(place, serving(place, replicas=2, maxReplicas=3, timeout="4s"))
    assert pods(place)[0] == 3
    settled(place, serving(place, replicas=1))
    wait(lambda: pods(place) == (1, 1), 60, told=lambda: pods(place))
    wait(lambda: not exists(place, "hpa") and not exists(place, "pdb"), 30)
    place.town.kubectl("scale", "amodel", "churn", "-n", place.namespace, "--replicas=2")
    wait(lambda: pods(place) == (2, 2), 60, told=lambda: pods(place))
    place.town.until("amodel", "churn", place.namespace, lambda s: s.get("replicas") == 2)


async def test_other_resources_lose_no_request(place: Place) -> None:
    """New pods are ready before old ones go, and those answer until the gateways know."""
    place.town.apply(serving(place))
    await asyncio.to_thread(place.champion, "churn-1")
    async with place.users() as traffic:
        await traffic.more(50)
        more = SMALL | {"requests": {"cpu": "60m", "memory": "130Mi"}}
        await asyncio.to_thread(settled, place, serving(place, resources=more))
        done = ("rollout", "status", f"deployment/{PREDICTOR}", "-n", place.namespace, "--timeout=90s")
        await asyncio.to_thread(place.town.kubectl, *done)
        await traffic.more(400)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()


async def test_rows_are_counted_where_the_model_asks_for_it(place: Place) -> None:
    """From a user's request to the collector's sums, under the token of the Model's own namespace."""
    left_out = "total_day_minutes"
    capture = {"exclude": [left_out], "interval": "2s"}
    place.town.apply(serving(place, capture=capture))
    await asyncio.to_thread(place.champion, "churn-1")
    async with place.users() as traffic:
        await traffic.more(100)

    def told() -> Any:
        path = f"/v1/profiles/{place.namespace}/churn/churn-1"
        return place.collector(path, "operator")["profiles"]

    def counted() -> bool:
        return bool(told()) and told()[0]["rows"] >= 100

    await asyncio.to_thread(wait, counted, 60)
    (sums,) = told()
    assert left_out not in sums["features"]
    assert sum(sums["features"]["international_plan"]) == sums["rows"]
    assert sum(sums["predictions"]["score"]) == sums["rows"]


async def test_a_lone_file_is_served_as_it_is(place: Place) -> None:
    """No manifest: the graph itself says its columns and classes."""
    place.town.apply(place.model("lone", serving=QUICK | {"resources": SMALL}))
    await asyncio.to_thread(place.champion, "churn-1")
    async with place.users() as traffic:
        await traffic.more(50)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()


def test_a_hostile_file_is_refused_unopened_and_the_version_says_why(place: Place) -> None:
    town, namespace = place.town, place.namespace
    town.apply(*[place.model(name, name=name, serving=QUICK | {"resources": SMALL}) for name in town.hostile])

    def reasons() -> dict[str, str]:
        return {
            name: town.condition("amv", f"{name}-1", namespace, "Available").get("reason", "")
            for name in town.hostile
        }

    wait(lambda: reasons() == town.hostile, 90, told=reasons)
    for name in town.hostile:
        assert town.status("amodel", name, namespace).get("champion", "") == ""
