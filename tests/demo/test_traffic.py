"""Against a real HTTP server: nothing that a user saw may be missing from the record, or be in it twice."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from churndemo.client import Answer, Client, Target
from churndemo.customers import Customer
from churndemo.ledger import Ledger, disagreements
from churndemo.load import Steady
from churndemo.outcomes import Collector, Labels, deliver, prediction
from churndemo.users import Users

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Target]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Target(f"http://127.0.0.1:{runner.addresses[0][1]}", host="churn.demo")
    finally:
        await runner.cleanup()


def says(label: str, arm: str = "control") -> web.Response:
    return web.json_response(
        {"predictions": [{"label": label}]}, headers={"x-assay-arm": arm, "x-request-id": "r-1"}
    )


async def ask(handler: Handler, **options: Any) -> Answer:
    async with serving(handler) as target, Client(target, **options) as client:
        return await client.ask("c-1", {"age": 42})


async def test_an_answer_says_which_arm_and_what_was_predicted() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert (request.headers["x-user-id"], request.host) == ("c-1", "churn.demo")
        assert await request.json() == {"rows": [{"age": 42}]}
        return says("yes", "candidate")

    answer = await ask(handler)
    assert (answer.status, answer.arm, answer.id, answer.failed) == (200, "candidate", "r-1", False)
    assert prediction(answer.body) == "yes"


async def reset(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hang(_: web.Request) -> web.Response:
    await asyncio.sleep(5)
    return web.Response()


async def refuse(_: web.Request) -> web.Response:
    return web.json_response({"error": "no"}, status=503)


async def babble(_: web.Request) -> web.Response:
    return web.Response(text="<html>")


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        pytest.param(reset, 0, id="a connection that breaks is a failure"),
        pytest.param(hang, 0, id="an answer that doesn't come in time is a failure"),
        pytest.param(refuse, 503, id="a status other than 2xx is a failure"),
        pytest.param(babble, 0, id="a 200 that is no JSON is a failure"),
    ],
)
async def test_whatever_is_not_a_prediction_counts_as_failed(handler: Handler, status: int) -> None:
    ledger = Ledger()
    ledger.add(answer := await ask(handler, timeout=0.5))
    assert (answer.status, answer.failed, ledger.failed) == (status, True, 1)
    assert ledger.complaint().startswith("1 x ")


async def test_a_server_that_is_not_there_is_a_failure_and_not_a_crash() -> None:
    async with Client(Target("http://127.0.0.1:1")) as client:
        assert (await client.ask("c-1", {})).failed


async def test_every_third_failure_is_in_the_record_exactly() -> None:
    numbers = itertools.count()

    async def handler(_: web.Request) -> web.Response:
        return await refuse(_) if next(numbers) % 3 == 0 else says("no")

    ledger = Ledger()
    async with serving(handler) as target, Client(target) as client:
        asks = (partial(client.ask, f"c-{i}", {}) for i in range(90))
        await Steady(500, ledger.add).run(asks, asyncio.Event(), seconds=30)
    assert (ledger.requests, ledger.failed, ledger.statuses) == (90, 30, {200: 60, 503: 30})


async def test_slow_answers_do_not_slow_down_who_comes_next() -> None:
    """A closed loop would send 4 requests in this time; an open one sends them when they are due."""

    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        return says("no")

    ledger = Ledger()
    async with serving(handler) as target, Client(target, connections=200) as client:
        asks = (partial(client.ask, "c-1", {}) for _ in itertools.count())
        steady = Steady(100, ledger.add)
        await steady.run(asks, asyncio.Event(), seconds=1)
    assert ledger.requests == steady.sent == 100
    assert ledger.failed == 0


async def test_no_more_requests_are_under_way_than_there_is_room_for() -> None:
    under_way, most = 0, 0

    async def send() -> Answer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return Answer("c-1", 0, 0.01, 200)

    steady = Steady(10_000, lambda _: None, most_open=7)
    await steady.run(itertools.repeat(send, 100), asyncio.Event(), seconds=5)
    assert most == 7
    assert steady.late > 0.05  # and it says that it could not keep up


async def test_traffic_ends_at_once_when_told_to_with_every_answer_in() -> None:
    async def handler(_: web.Request) -> web.Response:
        return says("no")

    ledger, stop = Ledger(), asyncio.Event()
    async with serving(handler) as target, Client(target) as client:
        asks = (partial(client.ask, "c-1", {}) for _ in itertools.count())
        steady = Steady(50, ledger.add)
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            tasks.create_task(steady.run(asks, stop, seconds=3600))
            while ledger.requests < 3:
                await asyncio.sleep(0.01)
            stop.set()
    assert ledger.requests == steady.sent


def answered(unit: str, arm: str | None, at: float = 0, status: int = 200) -> Answer:
    return Answer(unit, at, 0.01, status, arm, id=f"r-{unit}-{at}", body={"predictions": [{"label": "yes"}]})


def test_a_unit_that_changes_its_arm_is_noticed() -> None:
    ledger = Ledger()
    for answer in (answered("a", "control", 1), answered("a", "candidate", 2), answered("b", "control", 3)):
        ledger.add(answer)
    assert [(m.unit, m.before, m.after) for m in ledger.moves_until(10)] == [("a", "control", "candidate")]
    assert ledger.moves_until(2) == []  # after a verdict everyone may move


def test_a_unit_that_joins_an_experiment_has_not_changed_its_arm() -> None:
    ledger = Ledger()
    for arm in ("none", "unenrolled", None, "candidate", "unenrolled", "candidate"):
        ledger.add(answered("a", arm))
    assert (ledger.moves, ledger.arms) == ([], {"a": "candidate"})


def test_the_next_experiment_may_put_anyone_anywhere() -> None:
    ledger = Ledger()
    ledger.add(answered("a", "control"))
    ledger.begin()
    ledger.add(answered("a", "candidate"))
    assert ledger.moves == []
    assert ledger.requests == 2  # while the count of requests goes on


def test_every_failure_is_told_of_although_not_every_one_is_kept() -> None:
    ledger = Ledger()
    for i in range(1000):
        ledger.add(Answer("a", 0, 0, 503, error="no" if i % 4 else f"odd {i}"))
    assert (ledger.failed, len(ledger.failures)) == (1000, 200)
    assert ledger.complaint().startswith("750 x 503: no; 201 x others; 1 x 503: odd 0")


def test_units_whose_arm_is_not_the_computed_one_are_named() -> None:
    assert disagreements([("a", "control"), ("b", None)], ["control", "candidate"]) == ["b"]


ANNA = Customer("c-1", {"age": 42}, "yes")


def test_a_customer_counts_once_in_an_experiment() -> None:
    labels = Labels("demo/churn", delay=0)
    for at in range(3):
        labels.hear(ANNA, answered("c-1", "candidate", at))
    labels.begin()
    labels.hear(ANNA, answered("c-1", "control", 3))
    records = labels.due(float("inf"))
    assert [r["id"] for r in records] == ["label-r-c-1-0", "label-r-c-1-3"]
    assert {r["value"] for r in records} == {1.0}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answered("c-1", "unenrolled"), id="who is in no experiment"),
        pytest.param(answered("c-1", "candidate", status=500), id="who got no prediction"),
        pytest.param(Answer("c-1", 0, 0, 200, "control", body={"other": 1}), id="an answer of another shape"),
    ],
)
def test_no_label_is_told_of(answer: Answer) -> None:
    labels = Labels("demo/churn")
    labels.hear(ANNA, answer)
    assert not labels.waiting


def test_labels_come_later() -> None:
    labels = Labels("demo/churn", delay=1000)
    labels.hear(ANNA, answered("c-1", "control"))
    assert labels.due(0) == []


async def test_outcomes_that_were_not_acknowledged_are_sent_again_under_the_same_id() -> None:
    batches: list[list[str]] = []

    async def handler(request: web.Request) -> web.Response:
        assert request.headers["authorization"] == "Bearer secret"
        batches.append([record["id"] for record in await request.json()])
        return (
            web.json_response({"accepted": 1, "unknown": 0}) if len(batches) > 2 else web.Response(status=503)
        )

    labels, stop = Labels("demo/churn", delay=0), asyncio.Event()
    labels.hear(ANNA, answered("c-1", "control"))
    stop.set()
    async with serving(handler) as target, Collector(target, "secret") as collector:
        await deliver(labels, collector, stop)
    assert batches == [["label-r-c-1-0"]] * 3
    assert collector.accepted == 1


async def test_a_wrong_token_is_not_tried_again() -> None:
    calls = itertools.count()

    async def handler(_: web.Request) -> web.Response:
        next(calls)
        return web.Response(status=401)

    async with serving(handler) as target, Collector(target, "wrong") as collector:
        with pytest.raises(ConnectionError, match="401"):
            await collector.tell([{"id": "1"}])
    assert next(calls) == 1


async def test_users_call_in_turn_and_their_labels_arrive() -> None:
    received: list[dict[str, Any]] = []

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/v1/outcomes":
            received.extend(await request.json())
            return web.json_response({"accepted": 1})
        response = says("yes", "candidate")
        response.headers["x-request-id"] = f"r-{request.headers['x-user-id']}"
        return response

    ledger, stop = Ledger(), asyncio.Event()
    both = (ANNA, Customer("c-2", {"age": 7}, "no"))
    async with serving(handler) as target, Client(target) as client:
        users = Users(both, client, ledger, Labels("demo/churn", delay=0))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(users.tell(Collector(target, "secret"), stop))
            await users.call(200, stop, seconds=0.1)
            stop.set()
    assert (ledger.requests, ledger.failed, len(ledger.arms)) == (20, 0, 2)
    assert [(t["unit"], t["value"]) for t in received] == [("c-1", 1.0), ("c-2", 0.0)]
