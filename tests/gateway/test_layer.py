"""Two Models, two Experiments, one layer: no unit is in both, and anybody can check it; a real Envoy."""

from dataclasses import replace
from typing import Any

from assay_assign import Interval, Span, arm_at, room, slot, table
from assay_operator.gateway import ArmRoute, Split

EQUAL = {"control": 50, "boosted": 50}
UNITS = [f"user-{n}" for n in range(1_500)]
SALT = "the-layer"


def split(servers: Any, uid: str, intervals: tuple[Interval, ...]) -> Split:
    v1, v2 = servers
    arms = (ArmRoute("control", v1.backend), ArmRoute("boosted", v2.backend))
    return Split(uid, 1, "x-user-id", arms, intervals, salt=SALT)


def request(model: str, unit: str) -> bytes:
    return f"GET /p HTTP/1.1\r\nhost: {model}.demo\r\nx-user-id: {unit}\r\n\r\n".encode()


async def arms_of(caller: Any, model: str) -> list[str]:
    answers = []
    for at in range(0, len(UNITS), 50):
        answers += await caller.send([request(model, unit) for unit in UNITS[at : at + 50]])
    return [answer.arm for answer in answers]


async def test_a_unit_is_in_at_most_one_experiment_of_a_layer(lab: Any, gateway: Any, servers: Any) -> None:
    first = Span(0, 4000)
    second = room([first], 60)
    assert second is not None
    tables = {"churn": table(EQUAL, 20, first), "upsell": table(EQUAL, 30, second)}
    for model, intervals in tables.items():
        route = lab.churn(servers[0].backend, split(servers, f"exp-{model}", intervals))
        await gateway.publish(replace(route, name=model))
    answered = {model: await arms_of(gateway.caller(), model) for model in tables}
    enrolled = [{u for u, arm in zip(UNITS, answered[m], strict=True) if arm != "unenrolled"} for m in tables]
    assert enrolled[0] & enrolled[1] == set()
    assert enrolled[0] | enrolled[1] == set(UNITS), "both are at their last step"
    for model, intervals in tables.items():
        assert answered[model] == [arm_at(intervals, slot(SALT, unit)) or "unenrolled" for unit in UNITS]
    assert {record["salt"] for record in await gateway.log(2 * len(UNITS))} == {SALT}
