"""The conditional beta-binomial e-process, for rare events.

Only units with an event count. Under no difference each of them is one of the treatment's with probability
`share`, whatever the base rate and however it moves with the hour, so no variance is estimated and the
guarantee is exact from the first event on, even with none in one of the arms. It is the two-cell form of
the sequential sample-ratio test of Lindon and Malek, arXiv:2011.03567; the one-sided form restricts its
mixture to shares above the null and stays a supermartingale for every smaller share.
"""

from math import exp, inf, log, log1p
from typing import NamedTuple

import numpy as np

from assay_stats import special
from assay_stats.sequential import Values

SMALLEST = np.exp(-700.0)
"""Tail probabilities below this one are taken for it: their log is what matters, and it must be finite."""
SMALLEST_EXPONENT = -700.0
NEWTON_STEPS = 100
CLOSE = 1e-12


class Split(NamedTuple):
    """Events by arm, and the treatment's share of the two arms' units.

    Attributes:
        treatment: Units of the treatment with an event.
        control: Units of control with an event.
        share: The treatment's part of the units of both, in (0, 1).
        concentration: Weight of the mixture; larger looks nearer to `share`.
    """

    treatment: Values
    control: Values
    share: float
    concentration: float = 10.0


def log_mixture(split: Split) -> Values:
    """Return the log of the mixture's likelihood of the events (the numerator of every e-value here)."""
    b, a, s, c = split
    mixture: Values = special.betaln(c * s + b, c * (1 - s) + a) - special.betaln(c * s, c * (1 - s))
    return mixture


def log_likelihood(split: Split, share: float) -> Values:
    """Return the log likelihood of the events when each is the treatment's with probability `share`."""
    return split.treatment * log(share) + split.control * log1p(-share)


def log_evidence(split: Split) -> Values:
    """Return ln e, two-sided, against "the treatment's part of the events is its part of the units".

    >>> round(float(log_evidence(Split(560, 500, 0.5, 100))), 6)
    0.32597
    """
    return log_mixture(split) - log_likelihood(split, split.share)


def log_harm(split: Split) -> Values:
    """Return ln e, one-sided, against "the treatment's part of the events is `share` at most".

    Where the observed part is below `share`, no share above it fits better, so that ln e cannot be
    positive; said outright, because there the tail probability may be too small for a number.

    >>> round(float(log_harm(Split(18, 4, 0.5, 10))), 6)
    3.366314
    """
    b, a, s, c = split
    after = np.log(np.maximum(special.betaincc(c * s + b, c * (1 - s) + a, s), SMALLEST))
    before = log(special.betaincc(c * s, c * (1 - s), s))
    log_e: Values = log_evidence(split) + after - before
    return np.where(b <= s * (a + b), np.minimum(log_e, 0.0), log_e)[()]


def log_safety(split: Split) -> Values:
    """Return ln e, one-sided, against "the treatment's part of the events is `share` at least"."""
    mirrored = Split(split.control, split.treatment, 1 - split.share, split.concentration)
    return log_harm(mirrored)


def margin_share(share: float, ratio: float) -> float:
    """Return the treatment's part of the events when its rate is (1 + ratio) times control's.

    >>> margin_share(0.5, 1.0)
    0.6666666666666666
    """
    return share * (1 + ratio) / (share * (1 + ratio) + 1 - share)


def share_interval(split: Split, alpha: float) -> tuple[float, float]:
    """Return the confidence sequence for the treatment's part of the events; one look.

    The shares that the fixed mixture does not reject: ln mixture - ln likelihood(q) is convex in q, so they
    are an interval, and it excludes `share` exactly when `log_evidence` reaches ln(1 / alpha).
    """
    b, a = float(split.treatment), float(split.control)
    if not a + b:
        return (0.0, 1.0)
    level = float(log_mixture(split)) + log(alpha)
    return (_lower_end(b, a, level) if b else 0.0, 1 - _lower_end(a, b, level) if a else 1.0)


def rate_interval(events: float, units: float, alpha: float) -> tuple[float, float]:
    """Return the confidence sequence for one arm's rate, by a mixture over a Beta(1/2, 1/2) prior; one look.

    >>> low, high = rate_interval(0, 1000, 0.05)
    >>> low, round(high, 4)
    (0.0, 0.007)
    """
    misses = units - events
    level = float(special.betaln(0.5 + events, 0.5 + misses) - special.betaln(0.5, 0.5)) + log(alpha)
    return (
        _lower_end(events, misses, level) if events else 0.0,
        1 - _lower_end(misses, events, level) if misses else 1.0,
    )


def rate_ratio(part: float, share: float) -> float:
    """Return treatment rate / control rate when the treatment has `part` of the events; inverts a margin."""
    return inf if part >= 1 else part * (1 - share) / ((1 - part) * share)


def _lower_end(hits: float, misses: float, level: float) -> float:
    """Return the smaller share at which hits ln q + misses ln(1 - q) = level.

    Newton's method from the left of the root of a concave function climbs to it without passing it, so that
    stopping early widens the interval. Where q is small the log likelihood is about hits ln q.
    """
    q = exp(min(0.0, level / hits)) if level / hits > SMALLEST_EXPONENT else 0.0
    for _ in range(NEWTON_STEPS):
        if not 0 < q < 1:
            break
        step = (level - hits * log(q) - misses * log1p(-q)) / (hits / q - misses / (1 - q))
        if step <= q * CLOSE:
            break
        q += step
    return q
