"""The load tool of the end-to-end tests, against a real HTTP server that fails and mis-assigns on purpose."""

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web

from assay_assign import arm_at, slot, table

TABLE = table({"control": 50, "candidate": 50}, 20)
SALT = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture(scope="module")
def load() -> ModuleType:
    path = Path(__file__).parents[1] / "e2e/support/load.py"
    spec = importlib.util.spec_from_file_location("e2e_load", path)
    assert spec
    assert spec.loader
    module = sys.modules["e2e_load"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Gateway:
    """Splits as Envoy does; `wrong` units get another arm, every `breaks`-th request fails."""

    def __init__(self) -> None:
        self.wrong: set[str] = set()
        self.breaks, self.count = 0, 0

    async def answer(self, request: web.Request) -> web.Response:
        self.count += 1
        unit = request.headers["x-user-id"]
        arm = arm_at(TABLE, slot(SALT, unit)) or "unenrolled"
        arm = "elsewhere" if unit in self.wrong else arm
        status = 503 if self.breaks and self.count % self.breaks == 0 else 200
        return web.json_response({"predictions": []}, status=status, headers={"x-assay-arm": arm})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/predict", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


async def test_traffic_goes_on_while_the_test_does_something_and_nothing_is_lost(load: Any) -> None:
    gateway = Gateway()
    both: list[tuple[str, dict[str, str]]] = [("a", {}), ("b", {})]
    async with gateway.serving() as url, load.users(load.Target(url), both, rate=200) as users:
        await users.more(20)
    assert users.ledger.requests == gateway.count == len(users.answers) >= 20
    assert users.ledger.failed == 0, users.ledger.complaint()


async def test_each_failure_is_counted(load: Any) -> None:
    gateway = Gateway()
    gateway.breaks = 5
    async with gateway.serving() as url, load.users(load.Target(url), [("a", {})], rate=200) as users:
        await users.more(50)
    assert users.ledger.failed == gateway.count // 5
    assert "503" in users.ledger.complaint()


async def test_without_keepalive_every_request_opens_a_connection(load: Any) -> None:
    peers: set[Any] = set()

    class Noting(Gateway):
        async def answer(self, request: web.Request) -> web.Response:
            assert request.transport
            peers.add(request.transport.get_extra_info("peername"))
            return await super().answer(request)

    gateway = Noting()
    fresh = {"rate": 100, "keepalive": False}
    async with gateway.serving() as url, load.users(load.Target(url), [("a", {})], **fresh) as users:
        await users.more(10)
    assert len(peers) == users.ledger.requests


async def test_a_wait_for_traffic_that_stands_still_ends(load: Any) -> None:
    async with Gateway().serving() as url, load.users(load.Target(url), [("a", {})], rate=1) as users:
        with pytest.raises(TimeoutError):
            await users.more(100, patience=0.2)


async def test_arms_that_are_not_the_computed_ones_are_named(load: Any) -> None:
    gateway, units = Gateway(), load.made_up(500)
    gateway.wrong = {units[7]}
    async with gateway.serving() as url, load.Client(load.Target(url)) as client:
        answers = await load.ask_all(client, units, {})
    assert [a.unit for a in answers] == units
    (only,) = load.disagreements(answers, SALT, TABLE)
    assert only.startswith(f"{units[7]}: elsewhere (200), computed ")


async def test_an_arm_that_was_not_seen_is_not_verified(load: Any) -> None:
    gateway = Gateway()
    gateway.breaks = 1
    async with gateway.serving() as url, load.Client(load.Target(url)) as client:
        answers = await load.ask_all(client, ["a"], {})
    assert len(load.disagreements(answers, SALT, TABLE)) == 1


async def test_a_unit_with_two_arms_is_seen(load: Any) -> None:
    answers = [load.Answer("a", 0, 0, 200, arm) for arm in ("control", "unenrolled", "candidate")]
    assert load.arms_of(answers) == {"a": {"control", "candidate"}}


def test_made_up_units_are_all_different(load: Any) -> None:
    assert len(set(load.made_up(20_000))) == 20_000


async def test_traffic_stops_with_the_test_that_failed(load: Any) -> None:
    gateway = Gateway()

    async def failing(url: str) -> None:
        async with load.users(load.Target(url), [("a", {})], rate=100) as users:
            await users.more(3)
            raise ZeroDivisionError

    async with gateway.serving() as url:
        with pytest.raises(ZeroDivisionError):
            await failing(url)
        count = gateway.count
        await asyncio.sleep(0.1)
        assert gateway.count == count
