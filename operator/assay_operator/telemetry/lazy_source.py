"""A `MetricSource` that is made when it is first asked: database libraries are large, and few need them."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from assay_operator.telemetry import MetricSource, Question


class LazySource:
    """Makes the source in a thread, as its imports take half a second."""

    def __init__(self, make: Callable[[], MetricSource]) -> None:
        """Take what makes it; called once."""
        self._make = make
        self._made: asyncio.Task[MetricSource] | None = None

    async def ask(self, question: Question, now: datetime) -> Mapping[str, Any]:
        """See `MetricSource.ask`."""
        if self._made is None:
            self._made = asyncio.create_task(asyncio.to_thread(self._make))
        source = await asyncio.shield(self._made)  # who asks first may be told to stop
        return await source.ask(question, now)
