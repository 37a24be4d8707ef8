"""The effect as it is shown: the difference and the lift, each with a confidence sequence.

Each sequence contains the truth at every look at once with probability 1 - alpha. The lift is not the
difference over control's mean, whose error would be forgotten, but the ratios that no look refutes.
"""

from collections.abc import Sequence
from math import copysign, inf, log, sqrt
from typing import NamedTuple

from assay_stats import betabinomial, exactbound, exactmargin
from assay_stats.difference import Arm, difference
from assay_stats.exactmargin import Counts
from assay_stats.moments import Moments
from assay_stats.rule import RATE_PART

Ends = tuple[float, float]


class Effect(NamedTuple):
    """Confidence sequences of treatment against control at one look; infinite where nothing is excluded.

    Attributes:
        low: Lower end for m_T - m_C.
        high: Upper end.
        lift_low: Lower end for m_T / m_C - 1.
        lift_high: Upper end.
    """

    low: float = -inf
    high: float = inf
    lift_low: float = -inf
    lift_high: float = inf


ANY = Effect()


def of_means(control: Arm, treatment: Arm, width: float) -> Effect:
    """Return the asymptotic sequences, `width` guarded standard errors wide; for proportions, too.

    The lift's are Fieller's: the ratios r for which m_T - r m_C is no further from 0 than `width` of its own
    standard errors. There are none while control's mean is that near to 0, or below it.
    """
    gap = difference(control, treatment)
    reach = width * gap.guarded_se
    lift = _fieller(control, treatment, width)
    return Effect(gap.estimate - reach, gap.estimate + reach, *(end - 1 for end in lift))


def _fieller(control: Arm, treatment: Arm, width: float) -> Ends:
    """Return the ends for the ratio: those of the plain and of the pooled variance, whichever are wider."""
    pooled = (control.n * control.variance + treatment.n * treatment.variance) / (control.n + treatment.n)
    ends = [
        _ratio_ends((control.mean, u / control.n), (treatment.mean, v / treatment.n), width)
        for u, v in ((control.variance, treatment.variance), (pooled, pooled))
    ]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _ratio_ends(control: Ends, treatment: Ends, width: float) -> Ends:
    """Return the roots of (m_T - r m_C)^2 = width^2 (s_T + r^2 s_C); arguments are (mean, squared error)."""
    (c, u), (t, v) = control, treatment
    lead = c**2 - width**2 * u
    if c <= 0 or lead <= 0:
        return -inf, inf
    spread = width * sqrt(max(0.0, u * t**2 + v * lead))
    return (t * c - spread) / lead, (t * c + spread) / lead


def of_rates(control: Moments, treatment: Moments, alpha: float) -> Effect:
    """Return the sequences by the likelihood ratio, exact from the first unit on, without the split.

    The units of an arm must be alike over time, or both arms must meet the same mixture of times.
    """
    counts, level = Counts(treatment.total, treatment.n, control.total, control.n), -log(alpha)
    low, high = exactmargin.lower_bound(counts, level), exactmargin.upper_bound(counts, level)
    return Effect(low, high, *(end - 1 for end in exactmargin.ratio_interval(counts, level)))


def of_events(
    control: Moments, treatment: Moments, share: float, rule: tuple[float, float], *, flip: bool = False
) -> Effect:
    """Return the sequences by the split of the events, exact for every base rate.

    `rule` is (concentration, alpha).
    With `flip` the units without the event are counted; the effect is that of the event all the same.
    """
    concentration, alpha = rule
    b, a = (sums.n - sums.total if flip else sums.total for sums in (treatment, control))
    split = betabinomial.Split(b, a, share, concentration)
    ends = betabinomial.share_interval(split, alpha * (1 - 2 * RATE_PART))
    ratios = [betabinomial.rate_ratio(end, share) for end in ends]
    of_control = betabinomial.rate_interval(a, control.n, RATE_PART * alpha)
    of_treatment = betabinomial.rate_interval(b, treatment.n, RATE_PART * alpha)
    low, high = _gap(ratios, of_control, of_treatment)
    if flip:
        return _of_the_others(low, high, of_control)
    return Effect(low, high, ratios[0] - 1, ratios[1] - 1)


def of_bets(
    control: Moments, treatment: Moments, share: float, rule: tuple[float, float], *, flip: bool = False
) -> Effect:
    """Return the sequences by bets on each unit's arm, exact, too; arguments as for `of_events`."""
    concentration, alpha = rule
    b, a = (sums.n - sums.total if flip else sums.total for sums in (treatment, control))
    counts = Counts(b, treatment.n, a, control.n)
    if flip:
        low, high = exactbound.interval(counts, share, alpha * (1 - RATE_PART))
        return _of_the_others(low, high, betabinomial.rate_interval(a, control.n, RATE_PART * alpha))
    split = betabinomial.Split(b, a, share, concentration)
    ratios = [betabinomial.rate_ratio(end, share) for end in betabinomial.share_interval(split, alpha)]
    return Effect(*exactbound.interval(counts, share, alpha), ratios[0] - 1, ratios[1] - 1)


def _of_the_others(low: float, high: float, rate: Ends) -> Effect:
    """Return the effect on the event from that on its absence, which control has at a rate within `rate`."""
    least, most = 1 - rate[1], 1 - rate[0]
    return Effect(-high, -low, _over(-high, (most, least)), _over(-low, (least, most)))


def _over(end: float, rates: Ends) -> float:
    """Divide an end by the first rate where it is positive, else by the second."""
    rate = rates[0] if end > 0 else rates[1]
    return end / rate if rate else copysign(inf, end)


def _gap(ratios: Sequence[float], control: Ends, treatment: Ends) -> Ends:
    """Return the interval of p_T - p_C = p_C (ratio - 1), from those of the ratio and of both rates.

    Units that are not split as declared may leave the two nothing in common; then the rates alone speak.
    """
    low, high = ratios
    least = control[0] * (low - 1) if low > 1 else control[1] * (low - 1)
    most = control[1] * (high - 1) if high > 1 else control[0] * (high - 1)
    rates = treatment[0] - control[1], treatment[1] - control[0]
    both = max(least, rates[0]), min(most, rates[1])
    return both if both[0] <= both[1] else rates
