"""Is a proportion worse by more than an absolute margin? An exact answer from the first unit on.

The e-value is a ratio of likelihoods: above, a mixture over the two arms' rates; below, the best that
any pair of rates inside the null can do (universal inference: Wasserman, Ramdas and Balakrishnan, PNAS
2020). As the supremum is at least the truth's likelihood, the ratio is at most a martingale of expectation
1 under every pair of rates in the null, at every look. It needs no base rate and no variance, so that it
can also say "safe" when neither arm has had a single bad unit, where a standard error does not exist.

The maximum on the boundary p_T = p_C + d is the cubic of Miettinen and Nurminen (1985).
"""

from collections.abc import Callable
from math import acos, copysign, cos, inf, log, log1p, pi, sqrt
from typing import NamedTuple

import numpy as np

from assay_stats import special
from assay_stats.sequential import Values

PRIOR = (0.2, 1.0)
"""Beta prior of a bad unit's rate: most of its mass near 0, where a zero costs little evidence."""
CLOSE = 1e-7
POLISH = 3
STEPS = 60
FAR = 1e3


class Counts(NamedTuple):
    """Events among units, per arm."""

    treatment: float
    treatment_n: float
    control: float
    control_n: float

    @property
    def difference(self) -> float:
        """Treatment's rate minus control's; an arm without units counts as rate 0."""
        return self.beyond(1.0)

    def beyond(self, scale: float) -> float:
        """Treatment's rate minus `scale` times control's."""
        return _rate(self.treatment, self.treatment_n) - scale * _rate(self.control, self.control_n)


def log_harm(counts: Counts, margin: float, scale: float = 1.0, *, mixture: float | None = None) -> float:
    """Return ln e against "the treatment's rate is at most `scale` times control's, plus margin".

    `mixture` is `log_mixture(counts)`, for who asks about many margins.

    >>> round(log_harm(Counts(3, 50, 0, 950), 0.01), 2)
    -0.35
    """
    inside = counts.beyond(scale) <= margin
    known = float(log_mixture(counts)) if mixture is None else mixture
    return known - _supremum(counts, margin, inside=inside, scale=scale)


def log_safety(counts: Counts, margin: float, *, mixture: float | None = None) -> float:
    """Return ln e against "the treatment's rate is at least control's plus margin"; `mixture` as above.

    >>> round(log_safety(Counts(0, 2000, 0, 2000), 0.01), 2)
    16.89
    """
    known = float(log_mixture(counts)) if mixture is None else mixture
    return known - _supremum(counts, margin, inside=counts.difference >= margin)


def upper_bound(counts: Counts, level: float) -> float:
    """Return the margin from which on `log_safety` reaches `level`: an upper bound for the difference.

    The root of the deviance is nearly straight in the margin, so that a secant finds its crossing quickly.
    """
    best = _supremum(counts, 0.0, inside=True)
    wanted = sqrt(max(0.0, level + best - float(log_mixture(counts))))
    return root(
        lambda margin: sqrt(max(0.0, best - _supremum(counts, margin, inside=False))) - wanted,
        counts.difference,
        1.0,
    )


def lower_bound(counts: Counts, level: float) -> float:
    """Return the margin up to which `log_harm` reaches `level`: a lower bound for the difference."""
    b, n, a, m = counts
    return -upper_bound(Counts(a, m, b, n), level)


def ratio_interval(counts: Counts, level: float) -> tuple[float, float]:
    """Return the ratios of the rates that the likelihood ratio, at ln e = `level`, does not refute.

    >>> low, high = ratio_interval(Counts(30, 60, 12, 50), 3.0)
    >>> round(low, 2), round(high, 1)
    (0.74, 8.6)
    """
    b, n, a, m = counts
    least = _largest_ratio(Counts(a, m, b, n), level)
    return (1 / least if least else inf), _largest_ratio(counts, level)


def _largest_ratio(counts: Counts, level: float) -> float:
    """Return the upper end, searched as ratio / (1 + ratio), which is finite."""
    b, n, a, m = counts
    treatment, control = _rate(b, n), _rate(a, m)
    best = log_likelihood_of(counts, treatment, control)
    wanted = sqrt(max(0.0, level + best - float(log_mixture(counts))))
    start = treatment / (treatment + control) if treatment + control else 0.0
    end = root(
        lambda part: sqrt(max(0.0, best - _log_likelihood_of_ratio(counts, part))) - wanted, start, 1.0
    )
    return end / (1 - end) if end < 1 else inf


def _log_likelihood_of_ratio(counts: Counts, part: float) -> float:
    """Return the greatest log likelihood of rates with p_T = ratio * p_C; `part` is ratio / (1 + ratio).

    Control's rate is the smaller root of a quadratic equation (Miettinen and Nurminen 1985).
    """
    b, n, a, m = counts
    if part >= 1:
        return log_likelihood_of(counts, _rate(b, n), 0.0)
    ratio = part / (1 - part)
    half = m + b + ratio * (n + a)
    p = 2 * (a + b) / (half + sqrt(max(0.0, half**2 - 4 * ratio * (n + m) * (a + b))))
    return log_likelihood_of(counts, min(1.0, ratio * p), min(1.0, p))


def log_mixture(counts: tuple[Values, Values, Values, Values]) -> Values:
    """Return the log of the likelihood averaged over both arms' prior; counts may be arrays."""
    b, n, a, m = counts
    return _log_marginal(b, n) + _log_marginal(a, m)


def log_pooled(events: Values, units: Values) -> Values:
    """Return the greatest log likelihood of one rate for both arms."""
    log_likelihood: Values = special.xlogy(events, np.divide(events, units)) + special.xlogy(
        np.subtract(units, events), 1 - np.divide(events, units)
    )
    return log_likelihood


def _log_marginal(events: Values, units: Values) -> Values:
    a, b = PRIOR
    marginal: Values = special.betaln(a + events, b + units - events) - special.betaln(a, b)
    return marginal


def _supremum(counts: Counts, difference: float, *, inside: bool, scale: float = 1.0) -> float:
    """Return the null's greatest log likelihood: on its boundary, unless the data lie inside."""
    if inside:
        b, n, a, m = counts
        return log_likelihood_of(counts, _rate(b, n), _rate(a, m))
    return log_likelihood_at(counts, difference, scale)


def log_likelihood_at(counts: Counts, difference: float, scale: float = 1.0) -> float:
    """Return the greatest log likelihood of rates with p_T = scale * p_C + difference."""
    p = restricted_rate(counts, difference) if scale == 1 else scaled_rate(counts, difference, scale)
    return log_likelihood_of(counts, min(1.0, max(0.0, scale * p + difference)), p)


def log_likelihood_of(counts: Counts, treatment_rate: float, control_rate: float) -> float:
    """Return the log likelihood of two rates, without binomial coefficients."""
    b, n, a, m = counts
    return _log_binomial(b, n, treatment_rate) + _log_binomial(a, m, control_rate)


def restricted_rate(counts: Counts, difference: float) -> float:
    """Return control's maximum-likelihood rate given p_T = p_C + difference."""
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    b, n, a, m = counts
    if not a + b or a + b == n + m:  # nothing, or everything, happened: the cubic's root is the edge itself
        return high if a + b else low
    p = min(high, max(low, _cubic(counts, difference)))
    for _ in range(POLISH):
        better = min(high, max(low, p + _newton_step(counts, difference, p)))
        if abs(better - p) <= CLOSE * p:
            break
        p = better
    return p


def scaled_rate(counts: Counts, difference: float, scale: float) -> float:
    """Return control's maximum-likelihood rate given p_T = scale * p_C + difference, by bisection.

    The log likelihood is concave, so that its slope changes sign once.
    """
    b, n, a, m = counts
    low, high = max(0.0, -difference / scale), min(1.0, (1 - difference) / scale)
    for _ in range(STEPS):
        p = (low + high) / 2
        q = min(1.0, scale * p + difference)
        slope = _slope(a, m, p) + scale * _slope(b, n, q)
        low, high = (p, high) if slope > 0 else (low, p)
    return (low + high) / 2


def _slope(events: float, units: float, p: float) -> float:
    """Return the derivative of `_log_binomial` by p."""
    hits = events / p if events and p > 0 else inf if events else 0.0
    misses = (units - events) / (1 - p) if units > events and p < 1 else inf if units > events else 0.0
    return hits - misses


def _cubic(counts: Counts, d: float) -> float:
    b, n, a, m = counts
    total, events = n + m, a + b
    l2 = (n + 2 * m) * d - total - events
    l1 = (m * d - total - 2 * a) * d + events
    l0 = a * d * (1 - d)
    third = l2 / (3 * total)
    q = third**3 - l1 * l2 / (6 * total**2) + l0 / (2 * total)
    radius = copysign(sqrt(max(0.0, third**2 - l1 / (3 * total))), q)
    cosine = min(1.0, max(-1.0, q / radius**3)) if radius else 1.0
    return 2 * radius * cos((pi + acos(cosine)) / 3) - third


def _newton_step(counts: Counts, d: float, p: float) -> float:
    """Return the step of Newton's method on the log likelihood; 0 on the edge, where a term is infinite."""
    b, n, a, m = counts
    slope = curve = 0.0
    for events, rate, sign in ((a, p, 1), (m - a, 1 - p, -1), (b, p + d, 1), (n - b, 1 - p - d, -1)):
        if events:
            if rate <= 0:
                return 0.0
            slope += sign * events / rate
            curve += events / rate**2
    return slope / curve if curve else 0.0


def _log_binomial(events: float, units: float, p: float) -> float:
    """Return events ln p + (units - events) ln(1 - p), with 0 ln 0 = 0."""
    hits = events * (log(p) if p > 0 else -inf) if events else 0.0
    misses = (units - events) * (log1p(-p) if p < 1 else -inf) if units > events else 0.0
    return hits + misses


def _rate(events: float, units: float) -> float:
    return events / units if units else 0.0


def root(rising: Callable[[float], float], low: float, high: float, *, close: float = CLOSE) -> float:
    """Return where a function rises through 0, or `high` if it never does, from above (Illinois method).

    It ends where the function is `close` above 0, on the side that makes a bound wider.
    """
    below, above = rising(low), rising(high)
    if below >= 0 or above < 0:
        return low if below >= 0 else high
    for _ in range(STEPS):
        middle = high - above * (high - low) / (above - below) if above < FAR else (low + high) / 2
        value = rising(middle)
        if value >= 0:
            high, above, below = middle, value, below / 2
        else:
            low, below, above = middle, value, above / 2
        if high - low < CLOSE or 0 <= value < close:
            break
    return high
