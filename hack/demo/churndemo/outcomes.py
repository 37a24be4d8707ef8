"""The application's side of the evidence: true labels that come true later, told once each."""

import asyncio
import time
from collections import deque
from http import HTTPStatus
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import uuid4

import aiohttp

from churndemo import sockets
from churndemo.client import Answer, Target
from churndemo.customers import Customer

BATCH = 500
PATIENCE = 60.0  # seconds that a batch is offered again and again
METRIC = "correct"
HOPELESS = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


class Outcome(NamedTuple):
    """One fact about one unit, due at a moment."""

    due: float  # monotonic seconds
    record: dict[str, Any]


def prediction(body: Any) -> str | None:
    """Return the label in an answer of `/predict`, or None if there is none.

    >>> prediction({"predictions": [{"label": "yes", "probability": 0.8}]})
    'yes'
    """
    match body:
        case {"predictions": [{"label": str(label)}, *_]}:
            return label
    return None


class Labels:
    """Turns a customer's first answer in an Experiment into an outcome some seconds later.

    A customer counts once in an Experiment: the label that came true says whether its first prediction was
    right. `begin` starts the next Experiment. The id of an outcome is the id of the request, so that a
    batch may be sent again after a failure without counting twice.
    """

    def __init__(self, model: str, delay: float = 2.0) -> None:
        self._model = model
        self._delay = delay
        self._reported: set[str] = set()
        self.waiting: deque[Outcome] = deque()

    def begin(self) -> None:
        """Start the next Experiment: everyone may count again."""
        self._reported.clear()

    def hear(self, customer: Customer, answer: Answer) -> None:
        """Take note of an answer; only the first of a customer in an arm becomes an outcome."""
        predicted = prediction(answer.body)
        if answer.failed or predicted is None or not answer.enrolled or customer.id in self._reported:
            return
        self._reported.add(customer.id)
        record = {
            "model": self._model,
            "unit": customer.id,
            "metric": METRIC,
            "value": float(predicted == customer.label),
            "time": time.time(),
            "id": f"label-{answer.id or uuid4()}",
        }
        self.waiting.append(Outcome(time.monotonic() + self._delay, record))

    def due(self, now: float) -> list[dict[str, Any]]:
        """Remove and return at most a batch of outcomes whose moment has come."""
        batch: list[dict[str, Any]] = []
        while self.waiting and self.waiting[0].due <= now and len(batch) < BATCH:
            batch.append(self.waiting.popleft().record)
        return batch


class Collector:
    """The collector's door for applications; `async with` opens and closes it."""

    def __init__(self, target: Target, token: str) -> None:
        self._target = target
        self._token = token
        self._session: aiohttp.ClientSession
        self.accepted = self.refused = 0

    async def __aenter__(self) -> Self:
        made_there = sockets.factory(self._target.namespace) if self._target.namespace else None
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=made_there),
            timeout=aiohttp.ClientTimeout(total=10),
            headers={"authorization": f"Bearer {self._token}"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def tell(self, records: list[dict[str, Any]], patience: float = PATIENCE) -> dict[str, Any]:
        """Send outcomes until they are acknowledged; sending again is safe, as each has its id.

        Raises:
            ConnectionError: The collector did not take them in time, or refuses them for good.
        """
        until = time.monotonic() + patience
        while True:
            try:
                return await self._once(records)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if refused(error) or time.monotonic() > until:
                    raise ConnectionError(
                        f"the collector did not take {len(records)} outcomes: {error}"
                    ) from error
            await asyncio.sleep(0.2)

    async def _once(self, records: list[dict[str, Any]]) -> dict[str, Any]:
        async with self._session.post(f"{self._target.url}/v1/outcomes", json=records) as response:
            response.raise_for_status()
            reply: dict[str, Any] = await response.json()
        self.accepted += reply.get("accepted", 0)
        self.refused += reply.get("unknown", 0)
        return reply


def refused(error: Exception) -> bool:
    """Tell whether trying again is of no use: the request itself is wrong."""
    return isinstance(error, aiohttp.ClientResponseError) and error.status in HOPELESS


async def deliver(labels: Labels, collector: Collector, stop: asyncio.Event) -> None:
    """Send labels as they come true, until told to stop; then send all that still wait."""
    while not stop.is_set():
        if batch := labels.due(time.monotonic()):
            await collector.tell(batch)
            continue
        try:
            await asyncio.wait_for(stop.wait(), 0.25)
        except TimeoutError:
            continue
    while batch := labels.due(float("inf")):
        await collector.tell(batch)
