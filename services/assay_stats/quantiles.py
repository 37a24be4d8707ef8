"""Quantiles: best asked as a share above a fixed bound, which sums can answer; else on the values themselves.

"Is the p95 under 200 ms?" is "is the share above 200 ms under 5%?": a proportion, mergeable, with every
sequential rule of this package. The functions here need the values and are for reports.
"""

from collections.abc import Sequence
from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrik

from assay_stats.boundaries import Range, best_rho, log_bernoulli
from assay_stats.moments import Moments


def share_above(values: Sequence[float], bound: float) -> Moments:
    """Return the sums of "is above the bound", one a unit."""
    return Moments.proportion(len(values), sum(value > bound for value in values))


def rank_interval(q: float, n: int, alpha: float = 0.05) -> tuple[int, int]:
    """Return the ranks (from 1) of the order statistics between which the quantile lies; one look.

    The binomial quantiles at alpha / 2 and 1 - alpha / 2, the upper plus 1.
    """
    return _binomial_quantile(alpha / 2, n, q), _binomial_quantile(1 - alpha / 2, n, q) + 1


def comparison_p(
    a: Sequence[float], b: Sequence[float], q: float = 0.5, *, t_opt: float = 100, alpha: float = 0.05
) -> float:
    """Return the always-valid p-value of "both arms have the same q-quantile".

    For every value that could be the common quantile the two arms' beta-binomial mixtures multiply; the null
    is as likely as its most likely value (Howard and Ramdas, arXiv:1906.09712, theorem 5).
    """
    rho = best_rho(t_opt * q * (1 - q), alpha)
    left, right = np.sort(np.asarray(a, float)), np.sort(np.asarray(b, float))
    candidates = np.unique(np.concatenate([left, right]))
    least = min(sum(_against(arm, float(x), q, rho) for arm in (left, right)) for x in candidates)
    return min(1.0, exp(-least))


def _against(ordered: NDArray[np.float64], x: float, q: float, rho: float) -> float:
    """Return the least log mixture against "x is the q-quantile", over counts from "below" to "up to" x."""
    n = len(ordered)
    below, up_to = int(np.searchsorted(ordered, x, "left")), int(np.searchsorted(ordered, x, "right"))
    count = min(max(q * n, below), up_to)
    return log_bernoulli(count - q * n, n, Range(q, 1 - q), rho)


def _binomial_quantile(probability: float, n: int, q: float) -> int:
    """Return the smallest k with P(Bin(n, q) <= k) >= probability."""
    k = max(0, int(np.ceil(bdtrik(probability, n, q))) - 1)
    while bdtr(k, n, q) < probability:
        k += 1
    return k
