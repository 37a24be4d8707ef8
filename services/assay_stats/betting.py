"""A bet on every unit whose arm was drawn with a known share: exact for a proportion and an absolute margin.

With A = 1 for the treatment's units, X = A Y / s - (1 - A) Y / (1 - s) has expectation p_T - p_C, whatever
the rates are and however they move, because the arm was drawn with probability s. So 1 + l (X - margin) with
l >= 0 is a fair or unfavourable bet while the treatment is within the margin, and its product over the units
a supermartingale (Waudby-Smith and Ramdas, JRSS-B 2024). The product depends on the counts alone, and so does
a mixture over fixed l: the look decides, not the order. Against a tuned normal bound it loses little at large
numbers; at small ones it stays exact.
"""

import numpy as np
from numpy.typing import NDArray

from assay_stats.sequential import Values

STAKES = np.array([0.05, 0.1, 0.2, 0.33, 0.5, 0.75, 1.1, 3.0, 10.0])
"""l / s: a bad unit of the treatment multiplies the wealth by about 1 + stake."""
WEIGHTS = np.array([0.02, 0.05, 0.11, 0.19, 0.22, 0.25, 0.1, 0.03, 0.03])
"""Most for a difference of about twice the margin (harm) or none (safety), of a rate like the margin."""
MOST = 0.95
"""Of the stake at which one unit could take the whole wealth."""


def log_harm(treatment: Values, control: Values, units: Values, share: float, margin: float) -> Values:
    """Return ln e against "the treatment's rate is at most control's plus margin".

    Args:
        treatment: Bad units of the treatment, one look or many.
        control: Bad units of control.
        units: Units of both arms.
        share: Probability with which a unit of the two is the treatment's.
        margin: Absolute, at least 0.

    >>> round(float(log_harm(80, 480, 60_000, 0.05, 0.01)), 2)
    3.89
    """
    stakes = np.minimum(STAKES * share, MOST / (1 / (1 - share) + margin))
    return _log_wealth((treatment, control, units), (share, margin), stakes)


def log_safety(treatment: Values, control: Values, units: Values, share: float, margin: float) -> Values:
    """Return ln e against "the treatment's rate is at least control's plus margin"; the margin lifts it."""
    return _log_wealth((treatment, control, units), (share, margin), -np.minimum(STAKES, MOST) * share)


def _log_wealth(
    counts: tuple[Values, Values, Values], null: tuple[float, float], stakes: NDArray[np.float64]
) -> Values:
    b, a, n = (np.asarray(count, float)[..., None] for count in counts)
    share, margin = null
    of_treatment = np.log1p(stakes * (1 / share - margin))
    of_control = np.log1p(-stakes * (1 / (1 - share) + margin))
    without = np.log1p(-stakes * margin)
    logs = np.log(WEIGHTS) + b * of_treatment + a * of_control + (n - a - b) * without
    wealth: Values = np.logaddexp.reduce(logs, axis=-1)
    return wealth
