"""Who sees what, on the real cluster: the declared split, and nothing but it."""

import asyncio
import json
import urllib.request
from types import ModuleType

from people import Place
from scipy.stats import binom
from town import Json

from assay_assign import Interval, arm_at, decode, slot


def table_of(status: Json) -> tuple[Interval, ...]:
    return decode(",".join(f"{s['arm']}:{s['from']}-{s['to']}" for s in status["state"]["table"]))


async def test_every_unit_is_where_its_hash_says(place: Place, load: ModuleType) -> None:
    """20,000 ids recomputed offline, and a share within its binomial bounds."""
    place.town.apply(place.experiment(*place.two_versions(), ramp=[{"percent": 20}]))
    status = place.running()
    units = load.made_up(20_000)
    async with load.Client(place.target()) as client:
        answers = await load.ask_all(client, units, place.customers[0].row)
    assert load.disagreements(answers, place.uid(), table_of(status)) == []
    candidates = sum(answer.arm == "candidate" for answer in answers)
    low, high = binom.interval(0.9999, len(units), 0.2)
    assert low <= candidates <= high


async def test_a_unit_keeps_its_arm_from_step_to_step_and_through_restarts(
    place: Place, load: ModuleType
) -> None:
    """20 times in a step, in the next steps, after kills of gateway and operator: one arm for each unit."""
    ramp = [{"percent": 5, "minDuration": "6s"}, {"percent": 20, "minDuration": "6s"}, {"percent": 50}]
    place.town.apply(place.experiment(*place.two_versions(), ramp=ramp))
    place.running()
    units = load.made_up(60, prefix="keeper")
    answers = []
    async with load.Client(place.target(), keepalive=False) as client:

        async def everybody_asks(times: int) -> None:
            for _ in range(times):
                answers.extend(await load.ask_all(client, units, place.customers[0].row))

        await everybody_asks(20)
        await asyncio.to_thread(
            place.town.until, "aexp", "exp", place.namespace, lambda s: s.get("step") == 2, 60
        )
        await everybody_asks(5)
        place.town.kill("operator", "operator")
        await everybody_asks(5)
        await asyncio.to_thread(place.town.back, "operator")
        place.town.kubectl("rollout", "restart", "-n", "assay-system", "deployment/assay-gateway")
        await everybody_asks(5)
        place.town.kubectl(
            "rollout", "status", "-n", "assay-system", "deployment/assay-gateway", "--timeout=90s"
        )
        await everybody_asks(5)
    arms = load.arms_of(answers)
    assert arms
    assert {unit: arm for unit, arm in arms.items() if len(arm) > 1} == {}
    assert [a for a in answers if a.failed] == []


async def test_strangers_see_the_champion_and_are_not_analysed(place: Place, load: ModuleType) -> None:
    """Requests without the header are answered, and enter no arm."""
    place.town.apply(place.experiment(*place.two_versions()))
    place.running()
    async with load.Client(place.target()) as client:
        answers = [await client.ask(None, place.customers[0].row) for _ in range(50)]
    assert {(a.arm, a.version, a.status) for a in answers} == {("none", "churn-1", 200)}
    summary = place.collector(f"/v1/experiments/{place.uid()}/summary", "operator")
    assert {name: arm["units"] for name, arm in summary["arms"].items()} == {"control": 0, "candidate": 0}


def test_a_port_forward_to_the_gateway_reaches_a_model_by_its_path(place: Place) -> None:
    """As someone who tries it out from a desk: no Host header, and the same arm as through the Service."""
    place.town.apply(place.experiment(*place.two_versions()))
    table = table_of(place.running())
    units = [f"desk-{number}" for number in range(10)]
    with place.town.forwarded("assay-gateway", 80) as port:
        url = f"http://127.0.0.1:{port}/models/{place.namespace}/churn/predict"
        body, kind = json.dumps([place.customers[0].row]).encode(), {"content-type": "application/json"}
        asked = [urllib.request.Request(url, body, kind | {"x-user-id": unit}) for unit in units]
        arms = []
        for request in asked:
            with urllib.request.urlopen(request, timeout=30) as answer:
                arms.append(answer.headers["x-assay-arm"])
    assert arms == [arm_at(table, slot(place.uid(), unit)) for unit in units]


async def test_a_deleted_experiment_gives_everything_back_before_it_is_gone(
    place: Place, load: ModuleType
) -> None:
    """When kubectl delete returns, not one of 1,000 requests reaches the candidate."""
    place.town.apply(place.experiment(*place.two_versions()))
    place.running()
    await asyncio.to_thread(
        place.town.kubectl, "delete", "aexp", "exp", "-n", place.namespace, "--timeout=20s"
    )
    async with load.Client(place.target()) as client:
        answers = await load.ask_all(client, load.made_up(1000), place.customers[0].row)
    assert {(a.version, a.arm, a.status) for a in answers} == {("churn-1", "unenrolled", 200)} or {
        (a.version, a.status) for a in answers
    } == {("churn-1", 200)}
