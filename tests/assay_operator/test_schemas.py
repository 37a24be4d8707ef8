"""A candidate that asks for more or other than the champion does not start, unless its owner wants that."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from operated import ROLLOUT, World, merged, two_versions

from assay_api import Ref
from assay_operator.decide.schema import MOST_NAMED, PENDING, Column, Schema, demands, read
from assay_operator.gateway import Endpoint
from assay_operator.telemetry.http import Http, Reply, http
from assay_operator.telemetry.schemas import TRIES, SchemasReader

MINE = "churn-2-g2"
COLUMNS = {"age": ("number", True), "plan": ("category", True), "id": ("text", False)}
BEFORE = Schema({name: Column(*wanted) for name, wanted in COLUMNS.items()})


def changed(*without: str, **columns: tuple[str, bool]) -> Schema:
    kept = {name: column for name, column in BEFORE.columns.items() if name not in without}
    return Schema(kept | {name: Column(*column) for name, column in columns.items()})


@pytest.fixture
async def session() -> AsyncIterator[Http]:
    async with http() as found:
        yield found


CASES = [
    pytest.param(changed(), "", id="the same"),
    pytest.param(changed("plan"), "", id="a column less"),
    pytest.param(changed(tenure=("number", True)), "", id="a column more that may be missing"),
    pytest.param(changed(id=("text", True)), "", id="a column that may be missing now"),
    pytest.param(
        changed(tenure=("number", False)), "tenure (number) is new and required", id="a column more"
    ),
    pytest.param(changed(age=("text", True)), "age is text instead of number", id="another type"),
    pytest.param(changed(age=("boolean", True)), "", id="a number that is true or false"),
    pytest.param(changed(age=("category", True)), "", id="a number that is a category now"),
    pytest.param(
        changed(plan=("number", True)), "plan is number instead of category", id="words that are numbers now"
    ),
    pytest.param(changed(age=("vector", True)), "age is vector instead of number", id="a type of their own"),
    pytest.param(changed(age=("number", False)), "age may no longer be null", id="no nulls any more"),
    pytest.param(
        changed(age=("text", False), tenure=("date", False)),
        "age is text instead of number, tenure (date) is new and required",
        id="several",
    ),
]


@pytest.mark.parametrize(("candidate", "words"), CASES)
def test_what_callers_would_have_to_change_is_named(candidate: Schema, words: str) -> None:
    assert demands(BEFORE, candidate) == words


def test_a_message_stays_short_whatever_a_pod_tells() -> None:
    many = changed(**{f"{at}" * 5_000: ("number" * 99, False) for at in range(10)})
    words = demands(BEFORE, many)
    assert len(words) < 1300
    assert words.endswith(f", and {10 - MOST_NAMED} more")


NO_SCHEMAS = [{}, {"features": []}, {"features": 3}, {"features": [{"name": "age"}]}, [], None, "x"]


@pytest.mark.parametrize("answer", NO_SCHEMAS, ids=str)
def test_what_is_no_schema_is_none(answer: object) -> None:
    assert read(answer) is None


class Described:
    """What the pods of each version tell."""

    def __init__(self, **schemas: Schema | None) -> None:
        self.schemas = {name.replace("_", "-"): schema for name, schema in schemas.items()}

    def read(self, uid: str, ref: Ref, endpoints: tuple[Endpoint, ...]) -> Schema | None:
        assert endpoints
        return next(schema for name, schema in self.schemas.items() if f"-{name}-" in uid)


async def meets(world: World, before: Schema | None, after: Schema | None, **experiment: Any) -> None:
    world.schemas = Described(churn_1=before, churn_2=after)
    world.restart()
    await two_versions(world, rollout=merged(ROLLOUT, {"experiment": experiment}))
    world.answers("churn-2")
    await world.settle()


MORE = changed(tenure=("number", False))


async def test_a_candidate_that_needs_another_column_waits_and_says_which(world: World) -> None:
    await meets(world, BEFORE, MORE)
    status = world.status("Experiment", MINE)
    assert status["phase"] == "Pending"
    assert "startedAt" not in status
    conditions = {c["type"]: (c["reason"], c["message"]) for c in status["conditions"]}
    words = "churn-2 asks for other rows than churn-1: tenure (number) is new and required"
    assert conditions["Ready"] == conditions["Progressing"] == ("SchemaChanged", words)


async def test_it_starts_when_its_owner_allows_that(world: World) -> None:
    await meets(world, BEFORE, MORE, allowSchemaChange=True)
    assert world.status("Experiment", MINE)["phase"] == "Running"


async def test_it_starts_when_the_waiting_one_is_allowed(world: World) -> None:
    await meets(world, BEFORE, MORE)
    body = world.cluster.bodies[("Experiment", MINE)]
    world.put("Experiment", MINE, spec=body["spec"] | {"allowSchemaChange": True})
    await world.settle()
    assert world.status("Experiment", MINE)["phase"] == "Running"


STARTS = [
    pytest.param(BEFORE, BEFORE, id="alike"),
    pytest.param(MORE, BEFORE, id="a column less"),
    pytest.param(None, MORE, id="the champion tells none"),
    pytest.param(BEFORE, None, id="the candidate tells none"),
]


@pytest.mark.parametrize(("before", "after"), STARTS)
async def test_who_asks_for_no_more_starts(world: World, before: Schema | None, after: Schema | None) -> None:
    await meets(world, before, after)
    assert world.status("Experiment", MINE)["phase"] == "Running"


async def test_nobody_starts_before_the_schemas_are_read(world: World) -> None:
    await meets(world, BEFORE, PENDING)
    assert world.condition("Experiment", MINE, "Progressing")[1] == "ArmNotReady"
    world.schemas.schemas["churn-2"] = BEFORE
    await world.settle()
    assert world.status("Experiment", MINE)["phase"] == "Running"


FEATURES = {"features": [{"name": "age", "type": "number", "nullable": False, "more": 1}], "row": {}}
AGE = Schema({"age": Column("number", nullable=False)})
Serve = Callable[[bytes], Awaitable[Endpoint]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[asyncio.Server] = []

    async def serving(answer: bytes) -> Endpoint:
        async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /schema HTTP/1.1\r\n")
            with contextlib.suppress(ConnectionError):  # who has read enough goes
                writer.write(answer)
                await writer.drain()
                writer.close()
                await writer.wait_closed()

        servers.append(await asyncio.start_server(connection, "127.0.0.1", 0))
        return Endpoint(*servers[-1].sockets[0].getsockname())

    yield serving
    for server in servers:
        server.close()


def response(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


ANSWERS = [
    pytest.param(response(json.dumps(FEATURES).encode()), AGE, id="a schema"),
    pytest.param(response(b"", 404), None, id="none"),
    pytest.param(response(b"<html>"), None, id="no JSON"),
    pytest.param(response(b"[" * 5_000), None, id="nested too deeply"),
    pytest.param(response(b" " * 2**21), None, id="more than anybody reads"),
    pytest.param(response(b"", 503), None, id="never ready"),
    pytest.param(b"", None, id="nothing"),
]


@pytest.mark.parametrize(("answer", "schema"), ANSWERS)
async def test_whatever_a_pod_says_the_reader_comes_to_an_end(
    session: Http, serve: Serve, answer: bytes, schema: Schema | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay_operator.telemetry.schemas.EVERY", 0.01)
    endpoint, woken = await serve(answer), asyncio.Event()
    reader = SchemasReader(session, lambda _: woken.set())
    for _ in range(TRIES):
        if reader.read("uid-1", Ref("team", "churn"), (endpoint,)) is not PENDING:
            break
        await asyncio.wait_for(woken.wait(), 30)
        woken.clear()
    assert reader.read("uid-1", Ref("team", "churn"), (endpoint,)) == schema
    await reader.close()


async def test_a_version_without_pods_is_not_asked(session: Http) -> None:
    reader = SchemasReader(session, lambda _: None)
    assert reader.read("uid-1", Ref("team", "churn"), ()) is PENDING
    await reader.close()


async def test_of_many_versions_those_under_way_are_kept_and_end_with_the_reader() -> None:
    ended: list[str] = []

    class Silent(Http):
        async def request(self, method: str, url: str, **_: Any) -> Reply:
            try:
                return await asyncio.Future[Reply]()
            finally:
                ended.append(f"{method} {url}")

    async with aiohttp.ClientSession() as unused:
        await _ask_many(SchemasReader(Silent(unused), lambda _: None))
    assert ended == ["GET http://127.0.0.1:9/schema"]


async def _ask_many(reader: SchemasReader) -> None:
    ref = Ref("team", "churn")
    reader.read("uid-0", ref, (Endpoint("127.0.0.1", 9),))
    await asyncio.sleep(0)  # its question is out
    for number in range(1, 1100):
        reader.read(f"uid-{number}", ref, ())
    await reader.close()
