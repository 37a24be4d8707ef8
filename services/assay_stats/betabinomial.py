"""The conditional beta-binomial e-process, for rare events.

Only units with an event count. Under no difference each of them is one of the treatment's with probability
`share`, whatever the base rate and however it moves with the hour, so no variance is estimated and the
guarantee is exact from the first event on, even with none in one of the arms. It is the two-cell form of
the sequential sample-ratio test of Lindon and Malek, arXiv:2011.03567; the one-sided form restricts its
mixture to shares above the null and stays a supermartingale for every smaller share.
"""

from math import inf, log, log1p
from typing import NamedTuple

from scipy.special import betaincc, betaln

SMALLEST_LOG = -700.0


class Split(NamedTuple):
    """Events by arm, and the treatment's share of the two arms' units.

    Attributes:
        treatment: Units of the treatment with an event.
        control: Units of control with an event.
        share: The treatment's part of the units of both, in (0, 1).
        concentration: Weight of the mixture; larger looks nearer to `share`.
    """

    treatment: float
    control: float
    share: float
    concentration: float = 10.0


def log_mixture(split: Split) -> float:
    """Return the log of the mixture's likelihood of the events (the numerator of every e-value here)."""
    b, a, s, c = split
    return float(betaln(c * s + b, c * (1 - s) + a)) - float(betaln(c * s, c * (1 - s)))


def log_likelihood(split: Split, share: float) -> float:
    """Return the log likelihood of the events when each is the treatment's with probability `share`."""
    return split.treatment * log(share) + split.control * log1p(-share)


def log_evidence(split: Split) -> float:
    """Return ln e, two-sided, against "the treatment's part of the events is its part of the units".

    >>> round(log_evidence(Split(560, 500, 0.5, 100)), 6)
    0.32597
    """
    return log_mixture(split) - log_likelihood(split, split.share)


def log_harm(split: Split) -> float:
    """Return ln e, one-sided, against "the treatment's part of the events is `share` at most".

    >>> round(log_harm(Split(18, 4, 0.5, 10)), 6)
    3.366314
    """
    b, a, s, c = split
    after = _log(float(betaincc(c * s + b, c * (1 - s) + a, s)))
    before = _log(float(betaincc(c * s, c * (1 - s), s)))
    return log_evidence(split) + after - before


def log_safety(split: Split) -> float:
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
    """Return the confidence sequence for the treatment's part of the events.

    The shares that the fixed mixture does not reject: ln mixture - ln likelihood(q) is convex in q, so they
    are an interval, and it excludes `share` exactly when `log_evidence` reaches ln(1 / alpha).
    """
    level = log_mixture(split) + log(alpha)
    b, a = split.treatment, split.control
    top = b / (a + b) if a + b else split.share
    low = _crossing(split, level, 0.0, top) if b else 0.0
    high = _crossing(split, level, 1.0, top) if a else 1.0
    return (low, high) if a + b else (0.0, 1.0)


def rate_ratio(part: float, share: float) -> float:
    """Return treatment rate / control rate when the treatment has `part` of the events; inverts a margin."""
    return inf if part >= 1 else part * (1 - share) / ((1 - part) * share)


def _crossing(split: Split, level: float, outside: float, inside: float) -> float:
    """Bisect between `outside` (rejected) and `inside` (not) to where the likelihood is `level`."""
    for _ in range(60):
        middle = (outside + inside) / 2
        if middle in (outside, inside):
            break
        if 0 < middle < 1 and log_likelihood(split, middle) > level:
            inside = middle
        else:
            outside = middle
    return outside


def _log(value: float) -> float:
    return max(SMALLEST_LOG, log(value)) if value > 0 else SMALLEST_LOG
