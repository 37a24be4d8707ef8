"""The one version that this process serves: absent while it loads, draining when it must go."""

import time
from collections.abc import Callable
from typing import Any

from assay_artifact import Prediction, Predictor, Table
from assay_artifact.table import concatenate
from assay_serving.answers import AnswerWriter, Identities
from assay_serving.batcher import Cost, Limits, MicroBatcher
from assay_serving.metrics import Metrics
from assay_serving.problems import Problem
from assay_serving.rows import RowReader
from assay_serving.settings import Settings

PROBES = 5
MANY = 256


class Version:
    """A loaded, warmed-up version with everything that answers for it."""

    def __init__(self, predictor: Predictor, settings: Settings) -> None:
        """Make the first predictions; raises whatever the model raises."""
        self.manifest = manifest = predictor.manifest
        self.model = settings.model or manifest.model
        self.version = settings.version or manifest.version
        self.settings = settings
        self.predictor = predictor
        self.metrics = Metrics(settings.namespace, self.model, self.version)
        self.reader = RowReader(manifest.features, settings.max_rows)
        self.writer = AnswerWriter(manifest, self.model, self.version)
        self.identities = Identities()
        self.cost = self._warm_up()
        limits = Limits(waiting=settings.max_waiting_rows)
        self.batcher = MicroBatcher(self._counted, self.cost, limits)

    def _warm_up(self) -> Cost:
        """Predict rows of nulls and of values until it is fast; return what that takes then."""
        blank: dict[str, Any] = dict.fromkeys(f.name for f in self.manifest.features if f.nullable)
        values = {"category": "", "text": "", "date": 0.0, "number": 0.0, "boolean": False}
        filled = {feature.name: values[feature.type] for feature in self.manifest.features}
        table, _ = self.reader.table([{**filled, **blank}])
        self.writer.write(self.predictor.predict(table), "warm-up", [])
        table, _ = self.reader.table([filled])
        one, many = (self._seconds(concatenate([table] * rows)) for rows in (1, MANY))
        return Cost(call=one, row=max(0.0, many - one) / MANY)

    def _seconds(self, table: Table) -> float:
        return min(_timed(lambda: self.predictor.predict(table)) for _ in range(PROBES))

    def _counted(self, table: Table) -> Prediction:
        self.metrics.batch.observe(len(table))
        return self.predictor.predict(table)

    async def predict(self, table: Table, patience: float | None = None) -> Prediction:
        """Answer rows together with those of other requests.

        Raises:
            Problem: 429, 504, or 422 when the model refuses a value.
        """
        if not len(table):
            return Prediction(None, None, None)
        longest = self.settings.timeout_seconds
        deadline = time.monotonic() + min(patience or longest, longest)
        try:
            return await self.batcher(table, deadline)
        except ValueError as error:
            raise Problem(422, "refused-by-model", f"the model refuses the rows: {error}") from error


class State:
    """What the routes look at."""

    def __init__(self) -> None:
        """Start with nothing loaded."""
        self.version: Version | None = None
        self.draining = False

    @property
    def ready(self) -> bool:
        """Say whether new requests should come here."""
        return self.version is not None and not self.draining

    def served(self) -> Version:
        """Return the version.

        Raises:
            Problem: 503 while it loads.
        """
        if self.version is None:
            raise Problem(503, "loading", "the model is not loaded yet").after(1)
        return self.version


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
