"""Ratios and covariate adjustment: two sums per unit reduced to an arm that any rule can compare.

Ratio of means by the delta method, robust to requests clustered in units, as the unit is the row (Deng,
Knoblich, Lu, KDD 2018). CUPED (Deng, Xu, Kohavi, Walker, WSDM 2013) with one theta over both arms.
"""

from typing import NamedTuple

from assay_stats.difference import Arm
from assay_stats.moments import PairMoments


class Adjusted(NamedTuple):
    """Two arms after covariate adjustment.

    Attributes:
        theta: Regression coefficient of outcome on covariate, both arms added.
        control: Control with its mean moved to the covariate's overall mean.
        treatment: The candidate, likewise.
        removed: The part of the outcome's variance that the covariate took away, in [0, 1].
    """

    theta: float
    control: Arm
    treatment: Arm
    removed: float


def ratio_arm(sums: PairMoments) -> Arm:
    """Return y / x over units: R = my / mx with unit variance (vy - 2 R c + R^2 vx) / mx^2.

    Raises:
        ValueError: The denominator's mean is zero, so that there is no ratio.
    """
    y, x = sums.numerator, sums.denominator
    if not x.mean:
        raise ValueError(f"x: {sums.x} is the denominator's sum; without one there is no ratio")
    ratio = y.mean / x.mean
    squared = y.variance - 2 * ratio * sums.covariance + ratio**2 * x.variance
    return Arm(sums.n, ratio, max(0.0, squared) / x.mean**2)


def cuped(control: PairMoments, treatment: PairMoments) -> Adjusted:
    """Adjust y by the pre-exposure covariate x.

    theta is cov / var from the sums of both arms added, so variation between the arms is in it; refitting it
    at every look is sound. A covariate that does not vary adjusts nothing.
    """
    both = control.merge(treatment)
    spread = both.denominator.variance
    theta = both.covariance / spread if spread else 0.0
    arms = [_adjusted(sums, theta, both.denominator.mean) for sums in (control, treatment)]
    raw, left = both.numerator.variance, _residual(both, theta)
    return Adjusted(theta, arms[0], arms[1], max(0.0, 1 - left / raw) if raw else 0.0)


def cuped_ratio(
    control: tuple[PairMoments, float], treatment: tuple[PairMoments, float], theta: float
) -> tuple[Arm, Arm]:
    """Adjust a linearised ratio: y is the unit's `numerator - R0 * denominator`, x its covariate.

    Args:
        control: Sums of (linearised y, covariate), and the arm's mean denominator.
        treatment: Likewise.
        theta: From `cuped` on the same sums.
    """
    both = control[0].merge(treatment[0])
    mean = both.denominator.mean
    arms = []
    for sums, denominator in (control, treatment):
        arm = _adjusted(sums, theta, mean)
        arms.append(Arm(arm.n, arm.mean / denominator, arm.variance / denominator**2))
    return arms[0], arms[1]


def _adjusted(sums: PairMoments, theta: float, centre: float) -> Arm:
    moved = sums.numerator.mean - theta * (sums.denominator.mean - centre)
    return Arm(sums.n, moved, _residual(sums, theta))


def _residual(sums: PairMoments, theta: float) -> float:
    y, x = sums.numerator.variance, sums.denominator.variance
    return max(0.0, y - 2 * theta * sums.covariance + theta**2 * x)
