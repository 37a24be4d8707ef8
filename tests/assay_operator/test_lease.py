"""At no moment may two replicas act, whatever happens; and when the holder is gone, soon another one acts."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from electors import LOOK_SECONDS, Candidate, Election, Network, in_virtual_time, now
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_operator.kube import Body
from assay_operator.kube.lease import Timing

DRIFT = 0.02  # clocks of one machine park differ by far less
TAKEOVER_SECONDS = 10.0

logging.getLogger("assay_operator.kube.lease").setLevel(logging.ERROR)


def election(program: Callable[[Election], Coroutine[Any, Any, None]], **how: Any) -> None:
    """Run a test's story of an election in virtual time."""

    async def story() -> None:
        stage = Election(how.pop("seed", 1), **how)
        try:
            await program(stage)
        finally:
            await stage.close()

    in_virtual_time(story)


def test_of_three_one_acts_and_it_stays_the_same_one() -> None:
    async def story(stage: Election) -> None:
        for _ in range(3):
            stage.add()
        first = await stage.until_held(patience=1)
        await stage.watch(300)
        assert stage.acting() == (first.name,)
        assert len([acting for _, acting in stage.holders if acting]) == 1
        assert stage.server.lease
        assert stage.server.lease["spec"]["leaseTransitions"] == 1

    election(story)


@pytest.mark.parametrize("seed", range(20))
def test_after_a_kill_another_one_acts_within_ten_seconds(seed: int) -> None:
    async def story(stage: Election) -> None:
        stage.add(drift=DRIFT)
        stage.add(drift=-DRIFT)
        for _ in range(5):
            holder = await stage.until_held()
            await stage.watch(stage.chance.uniform(0, 5))
            holder.kill()
            killed = now()
            stage.add()
            await stage.until_held()
            assert now() - killed < TAKEOVER_SECONDS - 2  # the rest is for the first acts

    election(story, seed=seed)


def test_a_released_lease_is_taken_at_the_next_look() -> None:
    async def story(stage: Election) -> None:
        first, second = stage.add(), stage.add()
        holder = await stage.until_held()
        await stage.watch(10)
        begin = now()
        await holder.leadership.release()
        assert not holder.leadership.held()
        next_one = await stage.until_held()
        assert next_one is ({id(first): second, id(second): first}[id(holder)])
        assert now() - begin <= Timing().retry + 0.1
        await asyncio.wait_for(holder.task, 5)

    election(story)


def test_a_release_waits_for_a_renewal_that_is_on_its_way() -> None:
    """Else it would name a version that has passed, and the next one would wait for the whole duration."""

    async def story(stage: Election) -> None:
        holder = stage.add()
        await stage.until_held()
        stage.add()
        holder.network.latency = 0.2
        commits = len(stage.server.commits)
        while len(stage.server.commits) == commits:  # written, and the answer is still on its way
            await asyncio.sleep(0.001)
        begin = now()
        await holder.leadership.release()
        await stage.until_held()
        assert now() - begin < 3

    election(story)


def test_a_holder_that_stood_still_while_the_answer_came_counts_from_the_request() -> None:
    async def story(stage: Election) -> None:
        holder = stage.add()
        await stage.until_held()
        real = holder.network.replace

        async def then_stopped(lease: Body, spec: Body) -> Body | None:
            written = await real(lease, spec)
            asyncio.get_running_loop()._virtual += 20.0  # type: ignore[attr-defined]
            return written

        holder.network.replace = then_stopped  # type: ignore[method-assign]
        stopped = now() + 19
        while now() < stopped:
            await asyncio.sleep(LOOK_SECONDS)
        assert stage.server.lease
        assert not holder.leadership.held()

    election(story)


def _cut(network: Network) -> None:
    network.cut = True


def _stopped(network: Network) -> None:
    network.running.clear()


def _slow(network: Network) -> None:
    network.latency = 30.0


@pytest.mark.parametrize("fault", [_cut, _stopped, _slow])
@pytest.mark.parametrize("seed", range(5))
def test_a_holder_that_is_cut_off_stops_before_another_one_starts(
    fault: Callable[[Network], None], seed: int
) -> None:
    async def story(stage: Election) -> None:
        stage.add(drift=-DRIFT)  # its second lasts longer than that of the others
        holder = await stage.until_held()
        stage.add(drift=DRIFT)
        await stage.watch(stage.chance.uniform(3, 6))
        begin = now()
        fault(holder.network)
        lost = asyncio.create_task(holder.leadership.lost())
        await stage.watch(15)
        assert stage.acting() == ("replica-1",)
        assert next(at for at, acting in stage.holders if acting == ("replica-1",)) - begin < TAKEOVER_SECONDS
        holder.network.cut, holder.network.latency = False, 0.01
        holder.network.running.set()
        await stage.watch(60)
        assert stage.acting() == ("replica-1",)  # who comes back is a follower
        assert lost.done()

    election(story, seed=seed)


def test_a_short_cut_loses_nothing() -> None:
    async def story(stage: Election) -> None:
        stage.add()
        holder = await stage.until_held()
        stage.add()
        for _ in range(30):
            await stage.watch(stage.chance.uniform(2, 4))
            holder.network.cut = True
            await stage.watch(1.0)
            holder.network.cut = False
        assert len(stage.holders) == 2  # nobody, then the first, for ever

    election(story)


def _hand(spec: dict[str, Any], other: Candidate, how: str) -> dict[str, Any] | None:
    match how:
        case "another holder":
            return spec | {"holderIdentity": other.name}
        case "a stranger":
            return spec | {"holderIdentity": "nobody-knows"}
        case "no holder":
            return spec | {"holderIdentity": ""}
        case "deleted":
            return None
    return spec | {"renewTime": "1999-01-01T00:00:00.000000Z"}


@pytest.mark.parametrize("how", ["another holder", "a stranger", "no holder", "deleted", "an old renewTime"])
def test_a_lease_that_is_changed_by_hand_makes_no_second_leader(how: str) -> None:
    async def story(stage: Election) -> None:
        stage.add(), stage.add()
        for _ in range(20):
            holder = await stage.until_held()
            other = next(c for c in stage.candidates if c is not holder)
            await stage.watch(stage.chance.uniform(0, 5))
            if not stage.acting():
                continue
            assert stage.server.lease
            stage.server.put(_hand(dict(stage.server.lease["spec"]), other, how), "hand")
            await stage.watch(Timing().renew + 0.2)
            assert stage.acting() == ((holder.name,) if how == "an old renewTime" else ())
            await stage.watch(TAKEOVER_SECONDS)
            assert stage.acting()

    election(story)


def test_a_lease_that_was_never_made_is_made() -> None:
    async def story(stage: Election) -> None:
        stage.server.lease = None
        stage.add(), stage.add()
        await stage.until_held(patience=TAKEOVER_SECONDS)

    election(story)


def test_a_holder_of_another_release_is_given_the_time_that_it_promised() -> None:
    async def story(stage: Election) -> None:
        stage.server.put({"holderIdentity": "older", "leaseDurationSeconds": 15}, "older")
        stage.add()
        await stage.watch(14.9)
        assert not stage.acting()
        await stage.until_held(patience=1.5)

    election(story)


def test_a_lost_answer_is_found_out() -> None:
    """The write arrived, its answer did not: the Lease is ours, and nobody waits for its end."""

    async def story(stage: Election) -> None:
        candidate = stage.add()
        real = candidate.network._one_way
        ways = 0

        async def answer_lost() -> None:
            nonlocal ways
            ways += 1
            if ways == 4:  # there and back of the read, there of the write
                candidate.network.cut = True
                asyncio.get_running_loop().call_later(2, candidate.network.mend)
            await real()

        candidate.network._one_way = answer_lost  # type: ignore[method-assign]
        await stage.until_held(patience=4)
        assert stage.server.lease
        assert stage.server.lease["spec"]["leaseTransitions"] == 1

    election(story)


def test_timing_with_which_one_slow_request_would_lose_the_lease_is_refused() -> None:
    with pytest.raises(ValueError, match="must be less"):
        Timing(duration=4, margin=1, renew=2, timeout=1.5)


who = st.integers(0, 2)
faults = st.one_of(
    st.tuples(st.just("cut"), who, st.floats(0.1, 20)),
    st.tuples(st.just("pause"), who, st.floats(0.1, 20)),
    st.tuples(st.just("latency"), who, st.sampled_from([0.001, 0.05, 0.3, 1.0, 3.0])),
    st.tuples(st.just("loss"), who, st.floats(0, 0.6)),
    st.tuples(st.just("kill"), who, st.just(0.0)),
    st.tuples(st.just("release"), who, st.just(0.0)),
    st.tuples(st.just("hand"), who, st.sampled_from([0.0, 1.0, 2.0, 3.0])),
)
plans = st.lists(st.tuples(st.floats(0, 8), faults), max_size=14)
HAND = ("another holder", "a stranger", "no holder", "an old renewTime")


async def _strike(stage: Election, kind: str, victim: int, how_much: float) -> None:
    candidate = stage.candidates[victim]
    network = candidate.network
    later = asyncio.get_running_loop().call_later
    match kind:
        case "cut":
            network.cut = True
            later(how_much, network.mend)
        case "pause":
            network.running.clear()
            later(how_much, network.running.set)
        case "latency":
            network.latency = how_much
        case "loss":
            network.loss = how_much
        case "kill":
            candidate.kill()
            stage.candidates[victim] = _reborn(stage, victim)
        case "release":
            await candidate.leadership.release()
            stage.candidates[victim] = _reborn(stage, victim)
        case "hand" if stage.server.lease:
            spec = dict(stage.server.lease["spec"])
            stage.server.put(_hand(spec, candidate, HAND[int(how_much)]), "hand")


def _reborn(stage: Election, victim: int) -> Candidate:
    """Start a process anew in the place of one that has ended; nothing of it may be left acting."""
    old = stage.candidates[victim]
    assert not (old.alive and old.leadership.held())
    new = stage.add(drift=stage.chance.uniform(-DRIFT, DRIFT))
    stage.candidates.pop()
    return new


@settings(max_examples=100, deadline=None)
@given(plans, st.integers(0, 2**32 - 1))
def test_whatever_happens_there_are_never_two_and_in_the_end_there_is_one(
    plan: list[tuple[float, tuple[str, int, float]]], seed: int
) -> None:
    async def story(stage: Election) -> None:
        for _ in range(3):
            stage.add(drift=stage.chance.uniform(-DRIFT, DRIFT))
        for wait, (kind, victim, how_much) in plan:
            await stage.watch(wait)
            await _strike(stage, kind, victim, how_much)
        for candidate in stage.candidates:
            candidate.network.cut, candidate.network.latency, candidate.network.loss = False, 0.02, 0.0
            candidate.network.running.set()
        await stage.until_held(patience=TAKEOVER_SECONDS)
        await stage.watch(20)
        assert stage.acting()

    election(story, seed=seed)
