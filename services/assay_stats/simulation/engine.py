"""The installed rules, applied to many experiments and all their looks at once.

Formulas are those that decide: `sequential`, `betabinomial` and `standard_errors` take arrays. Ratio and
CUPED go through `evaluate_pairs` itself, look by look. The tests compare every array path with `evaluate`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from assay_stats import betabinomial, groupsequential, sequential, smallsample
from assay_stats.difference import standard_errors
from assay_stats.evidence import Peak, evaluate_pairs
from assay_stats.groupsequential import Spending
from assay_stats.moments import PairMoments
from assay_stats.rule import RATE_PART, Rule
from assay_stats.simulation.worlds import Floats, Sums

Bools = NDArray[np.bool_]


class Trace(NamedTuple):
    """One comparison at every look.

    Attributes:
        p: The p-value a decision is based on (running, for sequential tests).
        up: Whether that evidence is for an increase.
        able: Whether this look may decide.
    """

    p: Floats
    up: Bools
    able: Bools


@dataclass(frozen=True)
class Fixed:
    """One z test at the end."""

    alpha: float = 0.05


@dataclass(frozen=True)
class Naive:
    """A z test at every look; what must not be done, kept to show why."""

    alpha: float = 0.05
    bonferroni: bool = False


@dataclass(frozen=True)
class Posterior:
    """Stopping when P(B > A) leaves [1 - level, level], flat prior; must not be done either."""

    alpha: float = 0.05
    level: float = 0.95


@dataclass(frozen=True)
class Staged:
    """Group sequential: `looks` equal stages of the whole, pooled z."""

    alpha: float = 0.05
    looks: int = 5
    spending: Spending = field(default_factory=Spending)


Test = Rule | Fixed | Naive | Posterior | Staged


def trace(test: Test, control: Sums, treatment: Sums, share: float, *, binary: bool) -> Trace:
    """Return the evidence of one comparison at every look.

    Args:
        test: What decides.
        control: Sums per run and look.
        treatment: Sums per run and look.
        share: The candidate's part of the units of the two.
        binary: Whether values are zeros and ones.
    """
    if isinstance(test, Rule):
        return _sequential(test, control, treatment, share)
    z, estimate = _z(control, treatment, binary=binary, pooled=isinstance(test, Fixed | Staged))
    p, able = _SIMPLE[type(test)](test, z)
    return Trace(p, estimate > 0, able)


def _sequential(rule: Rule, control: Sums, treatment: Sums, share: float) -> Trace:
    if control.x is not None:
        return _paired(rule, control, treatment)
    estimate = _mean(treatment) - _mean(control)
    if rule.method == "BetaBinomial":
        log_e, able = _beta_binomial(rule, control, treatment, share)
    else:
        log_e, able = _asymptotic(rule, control, treatment, estimate)
    log_e = np.where(able, log_e, -np.inf)
    if rule.method == "AsymptoticCS":
        worse = estimate < 0 if rule.direction == "Increase" else estimate > 0
        log_e = np.where(worse, np.maximum(log_e, _early(rule, control, treatment, estimate)), log_e)
    up, down = (
        np.maximum.accumulate(np.where(sign * estimate > 0, np.maximum(log_e, 0.0), 0.0), axis=1)
        for sign in (1, -1)
    )
    side = up >= down
    better = side if rule.direction == "Increase" else ~side
    able = (able | ~better) & (estimate != 0) & (side == (estimate > 0))
    return Trace(np.asarray(sequential.p_value(np.maximum(up, down))), side, able)


def _early(rule: Rule, control: Sums, treatment: Sums, estimate: Floats) -> Floats:
    """Return ln e of harm that needs no floor, less its share of alpha."""
    sign = -1 if rule.direction == "Increase" else 1
    m, n = control.n, treatment.n
    with np.errstate(all="ignore"):  # looks without units have no evidence
        if rule.type == "Proportion":
            b, a = (s.n - s.total if sign < 0 else s.total for s in (treatment, control))
            log_e = smallsample.log_harm_of_proportion(b, n, a, m)
        else:
            u, v = (_variance(sums, binary=False) for sums in (control, treatment))
            se = standard_errors((m, u), (n, v)).guarded
            log_e = smallsample.log_harm_of_mean(smallsample.Gap(sign * estimate, se, n, m), rule.alpha)
    return np.where((m > 0) & (n > 0), log_e + smallsample.LOG_PART, -np.inf)


def _asymptotic(rule: Rule, control: Sums, treatment: Sums, estimate: Floats) -> tuple[Floats, Bools]:
    binary = rule.type == "Proportion"
    with np.errstate(all="ignore"):  # looks that divide by no units are not able to decide
        errors = standard_errors(
            (control.n, _variance(control, binary=binary)), (treatment.n, _variance(treatment, binary=binary))
        )
    able = np.asarray(errors.guarded) > 0
    for sums in (control, treatment):
        if binary:
            able &= (sums.total >= rule.floor_events) & (sums.n - sums.total >= rule.floor_events)
        else:
            able &= sums.n >= rule.floor_units
    with np.errstate(all="ignore"):
        information = (
            (control.n + treatment.n) / rule.n_star * _growth(control, treatment, able, binary=binary)
        )
        z = estimate / errors.guarded
        log_e = np.asarray(sequential.log_evidence(z, information, rule.level)) + smallsample.LOG_REST
    return log_e, able


def _growth(control: Sums, treatment: Sums, able: Bools, *, binary: bool) -> Floats:
    """Return how much a unit's variance has grown since the first look that could decide."""
    u, v = (_variance(sums, binary=binary) for sums in (control, treatment))
    pooled = (control.n * u + treatment.n * v) / (control.n + treatment.n)
    first = np.take_along_axis(pooled, able.argmax(axis=1)[:, None], axis=1)
    grown: Floats = pooled / first
    return grown


def _beta_binomial(rule: Rule, control: Sums, treatment: Sums, share: float) -> tuple[Floats, Bools]:
    flip = rule.count == "NonEvents"
    b, a = (sums.n - sums.total if flip else sums.total for sums in (treatment, control))
    log_e = betabinomial.log_evidence(betabinomial.Split(b, a, share, rule.concentration))
    log_e = log_e + np.log1p(-2 * RATE_PART)
    return np.asarray(log_e), (control.n > 0) & (treatment.n > 0)


def _paired(rule: Rule, control: Sums, treatment: Sums) -> Trace:
    p, up, able = (np.zeros(control.n.shape, kind) for kind in (float, bool, bool))
    for run in range(control.n.shape[0]):
        peak = Peak()
        for look in range(control.n.shape[1]):
            pair = (_at(sums, run, look) for sums in (control, treatment))
            evidence = evaluate_pairs(rule, *pair, peak=peak)
            peak = evidence.peak
            side = peak.up >= peak.down
            p[run, look], up[run, look] = evidence.p_value, side
            worse = side != (rule.direction == "Increase")
            may = evidence.undecidable_reason is None or worse
            able[run, look] = may and evidence.estimate != 0 and side == (evidence.estimate > 0)
    return Trace(p, up, able)


def _at(sums: Sums, run: int, look: int) -> PairMoments:
    assert sums.x is not None
    assert sums.xx is not None
    assert sums.xy is not None
    columns = (sums.total, sums.squares, sums.x, sums.xx, sums.xy)
    return PairMoments(int(sums.n[run, look]), *(float(column[run, look]) for column in columns))


def _mean(sums: Sums) -> Floats:
    mean: Floats = sums.total / np.maximum(sums.n, 1)
    return mean


def _variance(sums: Sums, *, binary: bool) -> Floats:
    if binary:
        return _mean(sums) * (1 - _mean(sums))
    centred = sums.squares - sums.total**2 / np.maximum(sums.n, 1)
    variance: Floats = np.maximum(0.0, centred / np.maximum(sums.n - 1, 1))
    return variance


def _z(control: Sums, treatment: Sums, *, binary: bool, pooled: bool) -> tuple[Floats, Floats]:
    estimate = _mean(treatment) - _mean(control)
    u, v = (_variance(sums, binary=binary) for sums in (control, treatment))
    with np.errstate(all="ignore"):
        if pooled and binary:
            rate = (control.total + treatment.total) / (control.n + treatment.n)
            u = v = rate * (1 - rate)
        se = np.sqrt(u / control.n + v / treatment.n)
        z = np.where(se > 0, estimate / se, 0.0)
    return np.nan_to_num(z), estimate


def _two_sided(z: Floats) -> Floats:
    p: Floats = 2 * ndtr(-np.abs(z))
    return p


def _fixed(_: Fixed, z: Floats) -> tuple[Floats, Bools]:
    able = np.zeros(z.shape, bool)
    able[:, -1] = True
    return _two_sided(z), able


def _naive(test: Naive, z: Floats) -> tuple[Floats, Bools]:
    factor = z.shape[1] if test.bonferroni else 1
    return np.minimum(1.0, factor * _two_sided(z)), np.ones(z.shape, bool)


def _posterior(test: Posterior, z: Floats) -> tuple[Floats, Bools]:
    """A p-value in name only: below alpha just when P(B > A) leaves its interval."""
    wanted = -float(ndtri(1 - test.level))
    return np.where(np.abs(z) > wanted, 0.0, 1.0), np.ones(z.shape, bool)


def _staged(test: Staged, z: Floats) -> tuple[Floats, Bools]:
    stages = np.array([round((k + 1) * z.shape[1] / test.looks) - 1 for k in range(test.looks)])
    fractions = tuple(float(k + 1) / z.shape[1] for k in stages)
    bounds = groupsequential.boundaries(fractions, test.alpha, spending=test.spending).z
    p, able = np.ones(z.shape), np.zeros(z.shape, bool)
    able[:, stages] = True
    p[:, stages] = np.where(np.abs(z[:, stages]) >= np.array(bounds), 0.0, 1.0)
    return p, able


_SIMPLE: dict[type, Callable[..., tuple[Floats, Bools]]] = {
    Fixed: _fixed,
    Naive: _naive,
    Posterior: _posterior,
    Staged: _staged,
}
