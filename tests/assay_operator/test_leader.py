"""Duties run while the Lease is held, and never when it is not; a follower shows and serves nothing."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from electors import Candidate, Election, in_virtual_time, now
from prometheus_client import Gauge
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from assay_operator.handlers.leader import ASSERT_SECONDS, Leader, announce, hand_over, leader_only
from assay_operator.manifests import Manifest
from assay_operator.manifests.leader import Replica, leader_slice
from assay_operator.telemetry import metrics
from assay_operator.telemetry.gauges import forget_everything

POD = Replica("assay-system", "assay-operator-7f-x", "uid-7", "10.1.2.3")
PORTS = {"xds": 18000, "http": 8081}


@dataclass
class Work:
    """Duties that note when they run, and may take a while to end."""

    candidate: Candidate
    seconds_to_end: float = 0.1
    running: bool = False
    begun: int = 0
    dropped: int = 0
    killed: list[float] = field(default_factory=list)

    async def __call__(self) -> None:
        self.running, self.begun = True, self.begun + 1
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.shield(asyncio.sleep(self.seconds_to_end))
            self.running = False

    def drop(self) -> None:
        assert not self.running
        self.dropped += 1

    def leader(self) -> Leader:
        return Leader(self.candidate.leadership, self, self.drop, lambda: self.killed.append(now()))


def replicas(story: Callable[[Election, list[Work]], Coroutine[Any, Any, None]], **how: Any) -> None:
    """Run two replicas with duties in virtual time."""

    async def both() -> None:
        stage = Election(1)
        works = [Work(stage.add(), **how) for _ in range(2)]
        tasks = [asyncio.create_task(work.leader().run()) for work in works]
        try:
            await story(stage, works)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await stage.close()

    in_virtual_time(both)


def test_a_follower_takes_over_and_the_old_leader_follows() -> None:
    async def story(stage: Election, works: list[Work]) -> None:
        for _ in range(3):
            holder = await stage.until_held()
            work = next(w for w in works if w.candidate is holder)
            other = next(w for w in works if w is not work)
            await stage.watch(5)
            assert (work.running, other.running) == (True, False)
            holder.network.cut = True
            await stage.watch(12)
            assert (work.running, other.running) == (False, True)
            assert work.dropped == work.begun
            holder.network.mend()
        assert sum(w.begun for w in works) == 4

    replicas(story)


def test_duties_that_do_not_end_are_ended_with_the_process() -> None:
    async def story(stage: Election, works: list[Work]) -> None:
        holder = await stage.until_held()
        work = next(w for w in works if w.candidate is holder)
        await stage.watch(2)
        holder.network.cut = True
        await stage.watch(15)
        assert len(work.killed) == 1

    replicas(story, seconds_to_end=3600)


def test_duties_that_fail_take_the_process_along() -> None:
    async def story() -> None:
        stage = Election(1)
        candidate = stage.add()

        async def broken() -> None:
            raise LookupError("duties")

        with pytest.raises(LookupError, match="duties"):
            await Leader(candidate.leadership, broken, lambda: None).run()
        await stage.close()

    in_virtual_time(story)


def test_a_replica_that_is_to_stop_ends_its_duties_before_another_one_begins() -> None:
    async def story() -> None:
        stage = Election(1)
        old = Work(stage.add(), seconds_to_end=2.0)
        acting = asyncio.create_task(old.leader().run())
        await stage.until_held()
        new = Work(stage.add())
        follower = asyncio.create_task(new.leader().run())
        await stage.watch(3)
        stop = asyncio.Event()
        stop.set()
        begin = now()
        await hand_over(stop, acting, old.candidate.leadership.release)
        assert not old.running
        assert not new.begun
        await stage.watch(1.2)
        assert new.running
        assert now() - begin < 2.0 + 1.3
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        await stage.close()

    in_virtual_time(story)


class Held:
    """A Lease that is held or not, as a test likes."""

    def __init__(self) -> None:
        self.is_held = True

    def held(self) -> bool:
        return self.is_held

    async def acquired(self) -> None: ...

    async def lost(self) -> None: ...


def test_the_slice_is_repeated_while_the_lease_is_held_and_not_longer() -> None:
    async def story() -> None:
        lease, applied = Held(), [0.0]

        async def apply(manifest: Manifest) -> None:
            assert manifest == {"metadata": {"name": "it"}}
            applied.append(now())
            if len(applied) == 2:
                raise OSError("the API server is away")

        task = asyncio.create_task(announce(apply, lease, {"metadata": {"name": "it"}}))
        await asyncio.sleep(1 + 4 * ASSERT_SECONDS + 0.1)
        assert applied[1:] == [0, 1, *(1 + ASSERT_SECONDS * n for n in (1, 2, 3, 4))]
        lease.is_held = False
        await asyncio.sleep(60)
        assert len(applied) == 7
        task.cancel()

    in_virtual_time(story)


@pytest.mark.parametrize(("address", "family"), [("10.1.2.3", "IPv4"), ("fd00::7", "IPv6")])
def test_the_slice_leads_to_this_pod_and_goes_with_it(address: str, family: str) -> None:
    found = leader_slice("assay-operator-leader", POD._replace(address=address), PORTS)
    assert (found["addressType"], found["endpoints"][0]["addresses"]) == (family, [address])
    assert found["metadata"]["labels"]["kubernetes.io/service-name"] == "assay-operator-leader"
    assert [owner["uid"] for owner in found["metadata"]["ownerReferences"]] == [POD.uid]
    assert {port["name"]: port["port"] for port in found["ports"]} == PORTS


@pytest.mark.parametrize(("held", "status"), [(True, 200), (False, 503)])
async def test_a_follower_takes_no_alerts(*, held: bool, status: int) -> None:
    lease = Held()
    lease.is_held = held

    async def answer(_: Request) -> Response:
        return JSONResponse({})

    response = await leader_only(lease, answer)(Request({"type": "http"}))
    assert response.status_code == status


def test_a_follower_shows_no_object() -> None:
    """Whatever gauge names an object: Prometheus must not hear of it from two replicas."""
    of_objects = [g for g in vars(metrics).values() if isinstance(g, Gauge) and "namespace" in g._labelnames]
    assert len(of_objects) > 10
    for gauge in of_objects:
        gauge.labels(*gauge._labelnames).set(1)
    forget_everything()
    families = [family for gauge in of_objects for family in gauge.collect()]
    assert [sample.name for family in families for sample in family.samples] == []
