"""Heavy tails: values capped at a bound that is frozen before the start and the same in every arm.

Capping changes what is estimated: the mean of min(value, cap). A cap that moves with the data would break
the sums, and with them every guarantee.
"""

from collections.abc import Sequence

import numpy as np

from assay_stats.moments import Moments


def cap(history: Sequence[float], upper: float = 0.99) -> float:
    """Return the cap to freeze: an upper quantile (linear, type 7) of values from before the experiment.

    Raises:
        ValueError: No values, or one that is not finite.
    """
    values = np.asarray(history, float)
    if not values.size or not np.isfinite(values).all():
        raise ValueError(f"history: {values.size} values, all must be finite and there must be one")
    return float(np.quantile(values, upper))


def capped(values: Sequence[float], bound: float) -> Moments:
    """Return the sums of min(value, bound)."""
    return Moments.of(min(float(value), bound) for value in values)
