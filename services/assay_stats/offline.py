"""Tests for small data at hand, one look: ranks, bootstrap, clusters."""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from assay_stats.difference import Arm, difference
from assay_stats.moments import PairMoments
from assay_stats.ratio import ratio_arm

Floats = NDArray[np.float64]


class Ranks(NamedTuple):
    """Mann and Whitney's test.

    Attributes:
        statistic: Pairs in which the first group is greater, ties half: U, R's W.
        p_value: Two-sided, normal approximation with ties and continuity correction.
        superiority: P(first > second) + P(tie) / 2.
    """

    statistic: float
    p_value: float
    superiority: float


class Clusters(NamedTuple):
    """A difference of means with clusters as units of randomisation.

    Attributes:
        estimate: m_1 - m_0 over rows.
        se: Cluster-robust (CR1, as least squares with clusters).
        p_value: Two-sided, normal, as statsmodels has it.
        naive_se: As if rows were independent; for contrast.
        ratio_se: By the delta method with one (sum, count) row per cluster.
    """

    estimate: float
    se: float
    p_value: float
    naive_se: float
    ratio_se: float


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> Ranks:
    """Return the rank-sum test (1947) that one group's values tend to be greater."""
    values = np.concatenate([np.asarray(first, float), np.asarray(second, float)])
    n, m = len(first), len(second)
    _, where, ties = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[where]
    u = float(ranks[:n].sum() - n * (n + 1) / 2)
    total = n + m
    tied = float((ties.astype(float) ** 3 - ties).sum()) / (total * (total - 1))
    spread = sqrt(n * m / 12 * (total + 1 - tied))
    z = (abs(u - n * m / 2) - 0.5) / spread if spread else 0.0
    return Ranks(u, min(1.0, 2 * float(ndtr(-max(z, 0.0)))), u / (n * m))


def bootstrap(
    control: Sequence[float],
    treatment: Sequence[float],
    statistic: Callable[[Floats], float],
    *,
    generator: np.random.Generator,
    draws: int = 2000,
    alpha: float = 0.05,
) -> tuple[float, float, float]:
    """Return a statistic's difference with its percentile interval (Efron 1979).

    Args:
        control: Values.
        treatment: Values.
        statistic: Of one arm, such as `np.median`.
        generator: Source of the resampling; seed it to repeat the result.
        draws: Resamples.
        alpha: Interval at 1 - alpha.

    Returns:
        Estimate, low, high.
    """
    arms = [np.asarray(control, float), np.asarray(treatment, float)]

    def once() -> float:
        low, high = (statistic(generator.choice(arm, len(arm))) for arm in arms)
        return high - low

    gaps = np.sort([once() for _ in range(draws)])
    low, high = np.quantile(gaps, [alpha / 2, 1 - alpha / 2])
    return statistic(arms[1]) - statistic(arms[0]), float(low), float(high)


def clustered(y: Sequence[float], treated: Sequence[int], cluster: Sequence[int]) -> Clusters:
    """Compare rows of clusters that were randomised as a whole."""
    values, arm, group = np.asarray(y, float), np.asarray(treated, float), np.asarray(cluster)
    design = np.column_stack([np.ones_like(values), arm])
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ design.T @ values
    residual = values - design @ beta
    names, where = np.unique(group, return_inverse=True)
    scores = np.zeros((len(names), 2))
    np.add.at(scores, where, design * residual[:, None])
    n, g = len(values), len(names)
    covariance = bread @ (scores.T @ scores) @ bread * g / (g - 1) * (n - 1) / (n - 2)
    se = sqrt(covariance[1, 1])
    naive = sqrt(residual @ residual / (n - 2) * bread[1, 1])
    gap = difference(*_cluster_arms(values, arm, group))
    return Clusters(float(beta[1]), se, 2 * float(ndtr(-abs(beta[1] / se))), naive, gap.se)


def _cluster_arms(values: Floats, arm: Floats, group: NDArray[np.int64]) -> tuple[Arm, Arm]:
    arms = []
    for side in (0, 1):
        mine = arm == side
        _, where, sizes = np.unique(group[mine], return_inverse=True, return_counts=True)
        sums = np.bincount(where, weights=values[mine])
        arms.append(ratio_arm(PairMoments.of(zip(sums, sizes, strict=True))))
    return arms[0], arms[1]
