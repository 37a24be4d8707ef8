"""The one version that this process serves: absent while it loads, draining when it must go."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from assay_artifact import Prediction, Predictor, Table
from assay_artifact.table import concatenate
from assay_serving.capture.counting import Capture
from assay_serving.codec.answers import AnswerWriter, Identities
from assay_serving.codec.rows import RowReader
from assay_serving.inference.batcher import Cost, Limits, MicroBatcher
from assay_serving.inference.explanation import Explainer, Explanation, explained
from assay_serving.inference.output_checks import check_shape, check_values
from assay_serving.metrics import Metrics
from assay_serving.problems import Problem
from assay_serving.settings import Settings

log = logging.getLogger(__name__)

PROBES = 5
MANY = 256
EXPLAINED_ROWS = 100
EXPLAIN_SECONDS = 1.0  # for all rows of a request


class Version:
    """A loaded, warmed-up version with everything that answers for it."""

    def __init__(self, predictor: Predictor, settings: Settings, sample: Table | None = None) -> None:
        """Make the first predictions; raises whatever the model raises."""
        self.manifest = manifest = predictor.manifest
        self.classes = len(manifest.classes or ())
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
        self.explainer = Explainer(predictor, sample, self.cost.of) if sample and len(sample) else None
        self.aside = ThreadPoolExecutor(1, "explain")
        self.batcher = MicroBatcher(self._counted, self.cost, limits)
        self.capture: Capture | None = None

    def _warm_up(self) -> Cost:
        """Answer a row, then predict until it is fast; return what that takes then."""
        values = {"category": "", "text": "", "date": 0.0, "number": 0.0, "boolean": False}
        filled = {feature.name: values[feature.type] for feature in self.manifest.features}
        table, _ = self.reader.table([filled])
        self.writer.write(self.predictor.predict(table), "warm-up", [])
        one, many = (self._seconds(concatenate([table] * rows)) for rows in (1, MANY))
        return Cost(call=one, row=max(0.0, many - one) / MANY)

    def _seconds(self, table: Table) -> float:
        return min(_timed(lambda: self.predictor.predict(table)) for _ in range(PROBES))

    def _counted(self, table: Table) -> Prediction:
        self.metrics.batch.observe(len(table))
        prediction = self.predictor.predict(table)
        check_shape(prediction, len(table), self.classes)
        if self.capture:
            self._captured(self.capture, table, prediction)
        return prediction

    def _captured(self, capture: Capture, table: Table, prediction: Prediction) -> None:
        try:
            capture(table, prediction)
        except Exception:  # whatever goes wrong with counting, predictions go on
            log.exception("counting for drift failed, and ends")
            self.capture = None

    async def predict(self, table: Table, patience: float | None = None) -> Prediction:
        """Answer rows together with those of other requests.

        Raises:
            Problem: 429, 504, 422 when the model refuses a value, or 500 when it gives no answer.
        """
        if not len(table):
            return Prediction(None, None, None)
        longest = self.settings.timeout_seconds
        deadline = time.monotonic() + min(patience or longest, longest)
        try:
            prediction = await self.batcher(table, deadline)
        except ValueError as error:
            raise Problem(422, "refused-by-model", f"the model refuses the rows: {error}") from error
        check_values(prediction)
        return prediction

    async def explain(self, table: Table) -> tuple[Explanation, list[Any]]:
        """Explain rows, beside the predictions of others; return the shares and the class that is meant.

        Raises:
            Problem: 404 when the version has no sample, 413 for too many rows, else as `predict`.
        """
        if self.explainer is None:
            raise Problem(
                404, "no-sample", "this version was written without a sample of rows to compare with"
            )
        if len(table) > EXPLAINED_ROWS:
            raise Problem(
                413, "too-many-rows", f"{len(table)} rows; {EXPLAINED_ROWS} can be explained at once"
            )
        prediction = await self.predict(table)
        columns, classes = explained(prediction, self.manifest)
        call = partial(self.explainer, table, columns, EXPLAIN_SECONDS)
        return await asyncio.get_running_loop().run_in_executor(self.aside, call), classes


class State:
    """What the routes look at."""

    def __init__(self) -> None:
        """Start with nothing loaded."""
        self.version: Version | None = None
        self.draining = False
        self.in_flight = 0

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
