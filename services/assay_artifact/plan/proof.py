"""A plan is used only if it answers odd rows exactly as its pipeline does."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from assay_artifact.manifest import Manifest
from assay_artifact.plan.encoding import Lookup, Numbers
from assay_artifact.plan.predictor import Plan
from assay_artifact.plan.scoring import Trees
from assay_artifact.table import NAN, Floats, Table, numeric, textual

ROWS = (1, 7, 512)
ODD = (NAN, 0.0, -0.0, 1.0, -1.0, 1e-300, 1e6, -1e6, 1e30)
NULLS = 0.15


def agrees(plan: Plan, estimator: Any, manifest: Manifest) -> bool:
    """Say whether plan and pipeline give the same bits, or refuse the same rows."""
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return all(_same(plan, estimator, manifest, table) for table in _probes(plan, manifest, rng))


def _same(plan: Plan, estimator: Any, manifest: Manifest, table: Table) -> bool:
    try:
        ours: Floats | None = plan(table)
    except ValueError:
        ours = None
    try:
        theirs: Floats | None = estimator(table)
    except ValueError:
        theirs = None
    if ours is None or theirs is None:
        return ours is theirs
    return np.array_equal(ours if manifest.task == "Classification" else ours[:, 0], theirs)


def _probes(plan: Plan, manifest: Manifest, rng: np.random.Generator) -> Iterator[Table]:
    numbers = [_numbers(plan, position, rng) for position in range(len(numeric(manifest.features)))]
    texts = [_texts(plan, position) for position in range(len(textual(manifest.features)))]
    for rows in ROWS:
        chosen = [rng.choice(values, rows) for values in numbers]
        matrix = np.stack(chosen, axis=1) if chosen else np.empty((rows, 0))
        yield Table(matrix, tuple([pool[i] for i in rng.integers(len(pool), size=rows)] for pool in texts))
    if numbers:
        yield Table(np.full((1, len(numbers)), 1e300), tuple([pool[0]] for pool in texts))


def _numbers(plan: Plan, position: int, rng: np.random.Generator) -> Floats:
    """Thresholds of trees themselves and their neighbours, the usual range, and odd values."""
    values = [rng.normal(size=64), np.array(ODD), np.full(round(64 * NULLS), NAN)]
    for part in plan.encoding.parts:
        if isinstance(part, Numbers) and position in part.source:
            at = int(np.flatnonzero(part.source == position)[0])
            values.append(part.shift[at] + part.scale[at] * rng.normal(size=64))
            if isinstance(plan.model, Trees):
                thresholds = plan.model.threshold[plan.model.feature == part.target[at]]
                thresholds = thresholds[np.isfinite(thresholds)]
                raw = (
                    rng.choice(thresholds, min(200, len(thresholds)), replace=False) * part.scale[at]
                    + part.shift[at]
                )
                values += [raw, np.nextafter(raw, np.inf), np.nextafter(raw, -np.inf)]
    return np.concatenate(values)


def _texts(plan: Plan, position: int) -> list[Any]:
    values: list[Any] = [NAN, "", "never seen before"]
    for part in plan.encoding.parts:
        if isinstance(part, Lookup) and part.source == position:
            values += list(part.codes)
    return values
