"""The bell of the long polls: at once, gathered, and never missed."""

import asyncio
import time

from assay_collector.api.changes import Changes


async def test_it_rings_at_once_when_it_was_quiet() -> None:
    changes = Changes(pause=5)
    ringing = changes.next()
    changes.changed()
    await asyncio.wait_for(ringing.wait(), 1)


async def test_what_follows_closely_is_gathered_into_one_ringing() -> None:
    changes = Changes(pause=0.2)
    first = changes.next()
    changes.changed()
    await first.wait()
    second, started = changes.next(), time.monotonic()
    for _ in range(100):
        changes.changed()
    await asyncio.wait_for(second.wait(), 5)
    assert time.monotonic() - started >= 0.15


async def test_a_change_between_the_look_and_the_wait_is_not_missed() -> None:
    changes = Changes(pause=0)
    ringing = changes.next()
    changes.changed()
    await asyncio.sleep(0.05)  # it has rung, and nobody was waiting
    started = time.monotonic()
    await changes.wait(ringing, 30)
    assert time.monotonic() - started < 5


async def test_the_end_sends_everybody_home_for_good() -> None:
    changes = Changes()
    waiting = asyncio.create_task(changes.wait(changes.next(), 30))
    await asyncio.sleep(0)
    changes.close()
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(changes.wait(changes.next(), 30), 5)


async def test_nobody_waits_longer_than_asked() -> None:
    changes = Changes()
    started = time.monotonic()
    await changes.wait(changes.next(), 0.05)
    assert 0.04 <= time.monotonic() - started < 5
