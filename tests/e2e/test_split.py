"""Who sees what, on the real cluster: the declared split, and nothing but it."""

import asyncio
import json
import urllib.request
from types import ModuleType

from cluster_fixture import Json
from namespace_fixture import NamespaceFixture
from scipy.stats import binom

from assay_assign import Interval, arm_at, decode, slot


def table_of(status: Json) -> tuple[Interval, ...]:
    return decode(",".join(f"{s['arm']}:{s['from']}-{s['to']}" for s in status["state"]["table"]))


async def test_every_unit_is_where_its_hash_says(ns: NamespaceFixture, load: ModuleType) -> None:
    """20,000 ids recomputed offline, and a share within its binomial bounds."""
    ns.cluster.apply(ns.experiment(*ns.two_versions(), ramp=[{"percent": 20}]))
    status = ns.running()
    units = load.made_up(20_000)
    async with load.Client(ns.target()) as client:
        answers = await load.ask_all(client, units, ns.customers[0].row)
    assert load.disagreements(answers, ns.uid(), table_of(status)) == []
    candidates = sum(answer.arm == "candidate" for answer in answers)
    low, high = binom.interval(0.9999, len(units), 0.2)
    assert low <= candidates <= high


async def test_a_unit_keeps_its_arm_from_step_to_step_and_through_restarts(
    ns: NamespaceFixture, load: ModuleType
) -> None:
    """20 times in a step, in the next steps, after kills of gateway and operator: one arm for each unit."""
    ramp = [{"percent": 5, "minDuration": "6s"}, {"percent": 20, "minDuration": "6s"}, {"percent": 50}]
    ns.cluster.apply(ns.experiment(*ns.two_versions(), ramp=ramp))
    ns.running()
    units = load.made_up(60, prefix="keeper")
    answers = []
    async with load.Client(ns.target(), keepalive=False) as client:

        async def everybody_asks(times: int) -> None:
            for _ in range(times):
                answers.extend(await load.ask_all(client, units, ns.customers[0].row))

        await everybody_asks(20)
        await asyncio.to_thread(ns.cluster.until, "aexp", "exp", ns.name, lambda s: s.get("step") == 2, 60)
        await everybody_asks(5)
        ns.cluster.kill("operator", "operator")
        await everybody_asks(5)
        await asyncio.to_thread(ns.cluster.back, "operator")
        ns.cluster.kubectl("rollout", "restart", "-n", "assay-system", "deployment/assay-gateway")
        await everybody_asks(5)
        ns.cluster.kubectl(
            "rollout", "status", "-n", "assay-system", "deployment/assay-gateway", "--timeout=90s"
        )
        await everybody_asks(5)
    arms = load.arms_of(answers)
    assert arms
    assert {unit: arm for unit, arm in arms.items() if len(arm) > 1} == {}
    assert [a for a in answers if a.failed] == []


async def test_strangers_see_the_champion_and_are_not_analysed(
    ns: NamespaceFixture, load: ModuleType
) -> None:
    """Requests without the header are answered, and enter no arm."""
    ns.cluster.apply(ns.experiment(*ns.two_versions()))
    ns.running()
    async with load.Client(ns.target()) as client:
        answers = [await client.ask(None, ns.customers[0].row) for _ in range(50)]
    assert {(a.arm, a.version, a.status) for a in answers} == {("none", "churn-1", 200)}
    summary = ns.collector(f"/v1/experiments/{ns.uid()}/summary", "operator")
    assert {name: arm["units"] for name, arm in summary["arms"].items()} == {"control": 0, "candidate": 0}


def test_a_port_forward_to_the_gateway_reaches_a_model_by_its_path(ns: NamespaceFixture) -> None:
    """As someone who tries it out from a desk: no Host header, and the same arm as through the Service."""
    ns.cluster.apply(ns.experiment(*ns.two_versions()))
    table = table_of(ns.running())
    units = [f"desk-{number}" for number in range(10)]
    with ns.cluster.forwarded("assay-gateway", 80) as port:
        url = f"http://127.0.0.1:{port}/models/{ns.name}/churn/predict"
        body, kind = json.dumps([ns.customers[0].row]).encode(), {"content-type": "application/json"}
        requests = [urllib.request.Request(url, body, kind | {"x-user-id": unit}) for unit in units]
        arms = []
        for request in requests:
            with urllib.request.urlopen(request, timeout=30) as answer:
                arms.append(answer.headers["x-assay-arm"])
    assert arms == [arm_at(table, slot(ns.uid(), unit)) for unit in units]


async def test_a_deleted_experiment_gives_everything_back_before_it_is_gone(
    ns: NamespaceFixture, load: ModuleType
) -> None:
    """When kubectl delete returns, not one of 1,000 requests reaches the candidate."""
    ns.cluster.apply(ns.experiment(*ns.two_versions()))
    ns.running()
    await asyncio.to_thread(ns.cluster.kubectl, "delete", "aexp", "exp", "-n", ns.name, "--timeout=20s")
    async with load.Client(ns.target()) as client:
        answers = await load.ask_all(client, load.made_up(1000), ns.customers[0].row)
    assert {(a.version, a.arm, a.status) for a in answers} == {("churn-1", "unenrolled", 200)} or {
        (a.version, a.status) for a in answers
    } == {("churn-1", 200)}
