"""Steady load on a Model with exact accounting, for end-to-end tests.

Load it by path, as the demo's program lives outside the packages:

    @pytest.fixture(scope="session")
    def load() -> ModuleType:
        return support("load")          # importlib: tests/e2e/support/load.py

    async with load.users(load.Target(url, host="churn.demo", namespace=netns), customers) as users:
        ...                             # kill, promote, roll back
    assert users.ledger.failed == 0, users.ledger.complaint()

`Target` says where a Model answers, seen from the cluster's network namespace or from here. `Client.ask` is
one request as one unit; a failure is an Answer, never raised. `users` calls at a steady rate until the block
ends, each request counted exactly once. `ask_all` asks as many units once. `disagreements` recomputes arms
offline against what the gateway said; `arms_of` tells whether a unit keeps its arm.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

from assay_assign import Interval, arm_at, slot

DEMO = Path(__file__).resolve().parents[3] / "hack/demo"
if str(DEMO) not in sys.path:
    sys.path.insert(0, str(DEMO))

from churndemo.client import Answer, Client, Target  # noqa: E402  found by the line above
from churndemo.customers import Customer, read  # noqa: E402
from churndemo.ledger import Ledger, quantile  # noqa: E402
from churndemo.load import Steady  # noqa: E402
from churndemo.outcomes import Collector  # noqa: E402

__all__ = [
    "Answer", "Client", "Collector", "Customer", "Ledger", "Steady", "Target", "Traffic",
    "arms_of", "ask_all", "disagreements", "made_up", "quantile", "read", "users",
]  # fmt: skip

RATE = 50.0  # requests a second
LONGEST = 3600.0
UNENROLLED = "unenrolled"

Row = Mapping[str, Any]


@dataclass
class Traffic:
    """Users who call at a steady rate while a test does something to the cluster."""

    client: Client
    asks: Sequence[tuple[str, Row]]  # unit, row
    rate: float = RATE
    ledger: Ledger = field(default_factory=Ledger)
    answers: list[Answer] = field(default_factory=list)
    keep_answers: bool = True

    async def until(self, stop: asyncio.Event) -> Steady:
        """Call until told to stop; return when every answer is in."""
        steady = Steady(self.rate, self._hear)
        sends: Iterator[Callable[[], Any]] = (
            partial(self.client.ask, unit, row) for unit, row in cycle(self.asks)
        )
        await steady.run(sends, stop, seconds=LONGEST)
        return steady

    def _hear(self, answer: Answer) -> None:
        self.ledger.add(answer)
        if self.keep_answers:
            self.answers.append(answer)

    async def more(self, count: int, patience: float = 60) -> None:
        """Wait until so many more requests were answered, good or bad.

        Raises:
            TimeoutError: They were not in time.
        """
        wanted = self.ledger.requests + count
        async with asyncio.timeout(patience):
            while self.ledger.requests < wanted:
                await asyncio.sleep(0.02)

    def since(self, moment: float) -> list[Answer]:
        """Return the answers to requests sent at or after a moment, in unix seconds."""
        return [answer for answer in self.answers if answer.at >= moment]


@asynccontextmanager
async def users(
    target: Target, asks: Sequence[tuple[str, Row]], rate: float = RATE, *, keepalive: bool = True
) -> AsyncIterator[Traffic]:
    """Yield traffic that runs until the block ends; afterwards every request sent is in the ledger.

    Args:
        target: Where the Model answers.
        asks: Units and their rows, asked in turn again and again.
        rate: Requests a second.
        keepalive: False opens a connection for each request, so that every one is balanced anew.

    Raises:
        AssertionError: Fewer requests came to an end than were sent: the accounting itself is wrong.
    """
    stop = asyncio.Event()
    async with Client(target, keepalive=keepalive) as client:
        traffic = Traffic(client, asks, rate)
        task = asyncio.create_task(traffic.until(stop))
        try:
            yield traffic
        finally:
            stop.set()
            steady = await task
    assert traffic.ledger.requests == steady.sent, (
        f"{steady.sent} sent, {traffic.ledger.requests} accounted for"
    )


async def ask_all(client: Client, units: Iterable[str], row: Row, most_open: int = 32) -> list[Answer]:
    """Ask once as each unit, `most_open` at a time, as fast as it goes; answers in the order of the units."""
    room = asyncio.Semaphore(most_open)

    async def one(unit: str) -> Answer:
        async with room:
            return await client.ask(unit, row)

    return list(await asyncio.gather(*map(one, units)))


def disagreements(answers: Iterable[Answer], salt: str, table: Sequence[Interval]) -> list[str]:
    """Recompute every answer's arm from (salt, unit, table); return what the gateway said otherwise.

    Answers that failed are listed as well: an arm that was not seen was not verified.
    """
    wrong = []
    for answer in answers:
        assert answer.unit is not None
        expected = arm_at(table, slot(salt, answer.unit)) or UNENROLLED
        if answer.failed or answer.arm != expected:
            wrong.append(f"{answer.unit}: {answer.arm} ({answer.status}), computed {expected}")
    return wrong


def arms_of(answers: Iterable[Answer]) -> dict[str, set[str]]:
    """Return every arm each unit was answered under; a unit that keeps its arm has one."""
    found: dict[str, set[str]] = {}
    for answer in answers:
        if answer.enrolled and answer.unit and answer.arm:
            found.setdefault(answer.unit, set()).add(answer.arm)
    return found


def made_up(count: int, prefix: str = "unit") -> list[str]:
    """Return ids of many shapes: numbers, names, addresses and the odd ones that real callers send.

    >>> made_up(5)
    ['unit-0', '1', 'unit.2@example.org', 'unit%203', 'unit/4?x=1']
    """
    shapes = ("{p}-{i}", "{i}", "{p}.{i}@example.org", "{p}%20{i}", "{p}/{i}?x=1")
    return [shapes[i % len(shapes)].format(p=prefix, i=i) for i in range(count)]
