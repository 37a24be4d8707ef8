"""A watch goes on where it broke off, lists anew when it cannot, and says so once."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest

from assay_operator.handlers import kind_watch
from assay_operator.handlers.kind_watch import LONGEST_PAUSE, KindWatch, pause
from assay_operator.kinds import EXPERIMENT, SERVICE, Kind
from assay_operator.kube import ApiError, Body
from assay_operator.kube.watch import WatchEvent, WatchExpired, event

Step = WatchEvent | Exception


def service(name: str, version: int) -> dict[str, Any]:
    return {"kind": "Service", "metadata": {"name": name, "namespace": "t", "resourceVersion": str(version)}}


class Scripted:
    """Each watch is answered by the next script; after the last one nothing happens any more."""

    def __init__(self, *scripts: tuple[Step, ...]) -> None:
        self.scripts, self.since = list(scripts), list[int]()
        self.listings: list[tuple[list[Body], int] | Exception] = []
        self.idle = asyncio.Event()

    async def watch(self, kind: Kind, namespace: str | None, version: int) -> AsyncIterator[WatchEvent]:
        assert (kind, namespace) == (SERVICE, "t")
        self.since.append(version)
        if not self.scripts:
            self.idle.set()
            await asyncio.Event().wait()
        for step in self.scripts.pop(0):
            if isinstance(step, Exception):
                raise step
            yield step

    async def listed(self, kind: Kind) -> tuple[list[Body], int]:
        found = self.listings.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


Follow = Callable[[Scripted], Any]


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Follow:
    """Follow from version 10 on until all scripts are played; return what was observed and listed."""
    monkeypatch.setattr(kind_watch, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(kind_watch, "LONGEST_PAUSE", 0.002)

    async def run(cluster: Scripted) -> list[Any]:
        happened: list[Any] = []

        def relisted(kind: Kind, bodies: Iterable[Body], version: int) -> None:
            happened.append((kind.kind, [b["metadata"]["name"] for b in bodies], version))

        watch = KindWatch(
            cluster,
            SERVICE,
            "t",
            lambda body, gone: happened.append((body["metadata"]["name"], gone)),
            relisted,
        )
        task = asyncio.create_task(watch.run(10))
        await asyncio.wait_for(cluster.idle.wait(), 30)
        task.cancel()
        return happened

    return run


async def test_it_goes_on_after_the_last_event_or_bookmark(follow: Follow) -> None:
    cluster = Scripted(
        (WatchEvent(11, service("a", 11)), WatchEvent(12, service("a", 12), deleted=True)),
        (WatchEvent(40),),
        (),
    )
    assert await follow(cluster) == [("a", False), ("a", True)]
    assert cluster.since == [10, 12, 40, 40]


async def test_a_lost_place_is_found_by_a_listing_also_if_that_fails_first(follow: Follow) -> None:
    cluster = Scripted(
        (WatchExpired("too old"),), (WatchExpired("too old"),), (WatchEvent(90, service("c", 90)),)
    )
    cluster.listings = [OSError("away"), ([service("b", 70)], 80)]
    assert await follow(cluster) == [("Service", ["b"], 80), ("c", False)]
    assert cluster.since == [10, 10, 80, 90]


async def test_an_api_server_that_is_away_is_logged_once(
    follow: Follow, caplog: pytest.LogCaptureFixture
) -> None:
    away = [(OSError("nobody there"),)] * 20
    cluster = Scripted(*away, (WatchEvent(11),), (ApiError(500, "odd"),))
    with caplog.at_level(logging.WARNING):
        await follow(cluster)
    assert cluster.since == [10] * 21 + [11, 11]
    assert [record.getMessage() for record in caplog.records] == [
        "the watch of services broke off: nobody there",
        "the watch of services broke off: odd",
    ]


async def test_after_an_outage_a_quiet_watch_is_resumed_as_soon_as_ever(
    follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[int] = []

    def noted(failures: int) -> float:
        paused.append(failures)
        return 0.0

    monkeypatch.setattr(kind_watch, "pause", noted)
    cluster = Scripted(*[(OSError("nobody there"),)] * 3, (), ())
    await follow(cluster)
    assert paused == [1, 2, 3, 0, 0]


def test_pauses_grow_and_end() -> None:
    assert all(0.1 <= pause(0) <= 0.2 for _ in range(100))
    assert all(LONGEST_PAUSE / 2 <= pause(count) <= LONGEST_PAUSE for count in (8, 100, 2000))


def line(sort: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"type": sort, "object": body}).encode()


def test_an_event_has_its_kind_which_the_api_server_leaves_out() -> None:
    metadata = {"name": "e", "resourceVersion": "7", "managedFields": [{"manager": "x"}]}
    found = event(EXPERIMENT, line("MODIFIED", {"metadata": metadata, "spec": {}}))
    kept = {"name": "e", "resourceVersion": "7"}
    body = {"apiVersion": "assay.dev/v1alpha1", "kind": "Experiment", "metadata": kept, "spec": {}}
    assert found == WatchEvent(7, body)
    assert event(EXPERIMENT, line("DELETED", {"metadata": metadata, "spec": {}})).deleted
    assert event(EXPERIMENT, line("BOOKMARK", {"metadata": metadata})) == WatchEvent(7)


def test_an_error_is_raised() -> None:
    with pytest.raises(WatchExpired, match="too old resource version"):
        event(SERVICE, line("ERROR", {"code": 410, "message": "too old resource version: 1 (7)"}))
    with pytest.raises(ApiError, match="slow down") as found:
        event(SERVICE, line("ERROR", {"code": 429, "message": "slow down"}))
    assert found.value.status == 429
    with pytest.raises(ValueError, match="Expecting"):
        event(SERVICE, b"{\n")
