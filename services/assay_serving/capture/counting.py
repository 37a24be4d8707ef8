"""What was asked and answered, as counts on the cells of the version's profile: no value leaves the process.

Rows wait in blocks, as counting many at once costs a fraction of counting one. A row is in the sample or
not by gaps of random length, so that rows outside it cost nothing.
"""

import random
import threading
from collections.abc import Callable
from math import log1p

from prometheus_client import Counter

from assay_artifact import Manifest, Prediction, Table
from assay_artifact.prediction import watched
from assay_artifact.table import concatenate
from assay_drift.profile import Profile
from assay_drift.reference import Answers, Rows
from assay_drift.tally import Delta, Tally
from assay_serving.capture.config import CaptureConfig
from assay_serving.inference.batcher import joined

BLOCK = 512  # rows; counting them takes less than a millisecond


class Capture:
    """Counts the rows of one version; any thread may add, any thread may take."""

    def __init__(self, profile: Profile, manifest: Manifest, config: CaptureConfig, counted: Counter) -> None:
        """Count on a profile's cells.

        Raises:
            ValueError: The profile is of other features, or a column to exclude is not among them.
        """
        kinds = {feature.name: feature.type for feature in manifest.features}
        if strangers := sorted(set(config.exclude) - kinds.keys()):
            raise ValueError(f"capture.exclude names {strangers}, which the version does not have")
        self.manifest, self.config, self.counted = manifest, config, counted
        self.tally = Tally(profile, kinds, config.exclude)
        self.lock = threading.Lock()
        self.gap = _gaps(config.sample)
        self.skip = self.gap()
        self.tables: list[Table] = []
        self.predictions: list[Prediction] = []
        self.waiting = 0

    def __call__(self, table: Table, prediction: Prediction) -> None:
        """Take note of rows and their answers."""
        with self.lock:
            if self.config.sample >= 1:
                self._keep(table, prediction)
                return
            while self.skip < len(table):
                at = self.skip
                self._keep(table.slice(at, at + 1), prediction.slice(at, at + 1))
                self.skip += 1 + self.gap()
            self.skip -= len(table)

    def take(self) -> Delta:
        """Return what was counted since the last time."""
        with self.lock:
            self._count()
            return self.tally.take()

    def _keep(self, table: Table, prediction: Prediction) -> None:
        self.tables.append(table)
        self.predictions.append(prediction)
        self.waiting += len(table)
        if self.waiting >= BLOCK:
            self._count()

    def _count(self) -> None:
        if not self.tables:
            return
        table, prediction = concatenate(self.tables), joined(self.predictions)
        self.tables, self.predictions, self.waiting = [], [], 0
        self.tally.add(Rows(*table), Answers(*watched(prediction, self.manifest)))
        self.counted.inc(len(table))


def _gaps(sample: float) -> Callable[[], int]:
    """Return a source of gaps between rows of the sample: each row is in it with the same chance."""
    if sample >= 1:
        return lambda: 0
    draw, scale = random.Random(), 1 / log1p(-sample)
    return lambda: int(log1p(-draw.random()) * scale)
