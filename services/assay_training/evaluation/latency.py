"""How long the serving code takes for one row, and how large the files are: what gates may bound."""

import time
from collections.abc import Callable, Iterable

import numpy as np
import pandas

from assay_artifact import Predictor

WARM, CALLS = 20, 200


def serving(
    predictor: Predictor, size: int, rows: pandas.DataFrame, wanted: Iterable[str]
) -> dict[str, float]:
    """The measures of `metrics.SERVING`; the clock runs only if a gate asks for it."""
    found = {"artifactBytes": float(size)}
    if "latencyMs" in wanted:
        found["latencyMs"] = one_row(predictor.predict, rows)
    return found


def one_row(ask: Callable[[pandas.DataFrame], object], rows: pandas.DataFrame) -> float:
    """95th percentile over single rows, in milliseconds: of a predictor without HTTP."""
    singles = [rows.iloc[[number % len(rows)]] for number in range(WARM + CALLS)]
    taken = []
    for row in singles:
        started = time.perf_counter()
        ask(row)
        taken.append(1000 * (time.perf_counter() - started))
    return float(np.quantile(taken[WARM:], 0.95))
