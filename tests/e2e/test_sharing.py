"""Experiments that share their units, and one that shows a version to nobody, on the real cluster."""

from types import ModuleType
from typing import Any

from people import Place

from assay_assign import decode

AA = ("control", "same")


def alike(place: Place, model: str, share: int) -> dict[str, Any]:
    """An A/A Experiment in the layer: it needs one version only."""
    arms = [{"name": name, "version": f"{model}-1", "weight": 50} for name in AA]
    layer = {"name": "page", "share": share}
    more = {
        "modelRef": {"name": model},
        "mode": "AA",
        "arms": arms,
        "layer": layer,
        "ramp": [{"percent": share // 2}],
    }
    return place.experiment(f"{model}-1", f"{model}-1", name=f"{model}-aa", **more)


def table_of(status: dict[str, Any]) -> tuple:
    return decode(",".join(f"{s['arm']}:{s['from']}-{s['to']}" for s in status["table"]))


async def test_no_unit_is_in_two_experiments_of_a_layer_and_room_is_given_on(
    place: Place, load: ModuleType
) -> None:
    """Two Models side by side, a third share that has to wait, and then finds what the first one left."""
    for model in ("churn", "upsell"):
        place.town.apply(place.model("plain", name=model))
    for model in ("churn", "upsell"):
        place.town.until("amodel", model, place.namespace, lambda s: s.get("champion"))
    place.town.apply(alike(place, "churn", 40))
    first = place.running("churn-aa")
    place.town.apply(alike(place, "upsell", 70))
    queued = place.experiment_phase("upsell-aa", "Queued")
    assert any(c["reason"] == "LayerFull" and "churn-aa 40%" in c["message"] for c in queued["conditions"])
    place.town.kubectl("delete", "aexp", "upsell-aa", "-n", place.namespace)
    place.town.apply(alike(place, "upsell", 60))
    second = place.running("upsell-aa")
    assert second["salt"] == first["salt"]
    units, enrolled = load.made_up(2_000), []
    for model, status in (("churn", first), ("upsell", second)):
        async with load.Client(place.target(model)) as client:
            answers = await load.ask_all(client, units, place.customers[0].row)
        assert load.disagreements(answers, status["salt"], table_of(status)) == []
        enrolled.append({answer.unit for answer in answers if answer.arm in AA})
    assert enrolled[0] & enrolled[1] == set()
    assert enrolled[0] | enrolled[1] == set(units)
    place.town.kubectl("delete", "aexp", "upsell-aa", "-n", place.namespace)
    place.town.kubectl("annotate", "aexp", "churn-aa", "-n", place.namespace, "assay.dev/abort=enough")
    place.town.until("aexp", "churn-aa", place.namespace, lambda s: s.get("decision") and "slots" not in s)
    place.town.apply(alike(place, "upsell", 100))
    assert place.running("upsell-aa")["slots"] == {"from": 0, "to": 10_000}


async def test_a_shadow_is_seen_by_nobody(place: Place, load: ModuleType) -> None:
    """Every answer is the champion's; the Experiment runs, enrols nobody, and ends by itself."""
    shadow = {"mode": "Shadow", "metrics": {}, "ramp": [{"percent": 99}]}
    decision = {"minDuration": "1s", "maxDuration": "15s"}
    place.town.apply(place.experiment(*place.two_versions(), **shadow, decision=decision))
    place.running()
    async with load.Client(place.target()) as client:
        answers = await load.ask_all(client, load.made_up(200), place.customers[0].row)
    assert {(answer.failed, answer.arm) for answer in answers} == {(False, "none")}
    status = place.experiment_phase("exp", "Inconclusive", patience=40)
    assert status["decision"]["reason"] == "ShadowOver"
    assert [arm["units"] for arm in status["arms"]] == [0, 0]
