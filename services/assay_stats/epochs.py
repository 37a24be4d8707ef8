"""Epochs: stretches in which the split stayed the same.

Assay's ramp keeps the arms' ratio, so one epoch is normal. Whoever changes the ratio (a bandit, a repaired
weight) must not pool across the change: with a base rate that moves, pooled sums see effects that are not
there (.52 false positives in simulation, .02 stratified).
"""

from collections.abc import Sequence
from math import fsum, sqrt

from assay_stats import betabinomial
from assay_stats.betabinomial import Split
from assay_stats.difference import Difference


def stratified(epochs: Sequence[Difference]) -> Difference:
    """Return the difference averaged over epochs, weighted by their units.

    Raises:
        ValueError: No epoch has a unit.

    >>> from assay_stats.difference import Difference
    >>> stratified([Difference(0.1, 0.01, 0.01, 100), Difference(0.3, 0.01, 0.01, 300)]).estimate
    0.25
    """
    units = fsum(epoch.units for epoch in epochs)
    if not units:
        raise ValueError("epochs: none of them has a unit")
    plain, guarded = (
        sqrt(fsum((epoch.units * se) ** 2 for epoch, se in zip(epochs, errors, strict=True))) / units
        for errors in ([e.se for e in epochs], [e.guarded_se for e in epochs])
    )
    return Difference(fsum(e.units * e.estimate for e in epochs) / units, plain, guarded, units)


def log_evidence(epochs: Sequence[Split]) -> float:
    """Return ln e over epochs with their own shares: independent e-values multiply."""
    return fsum(float(betabinomial.log_evidence(epoch)) for epoch in epochs)


def log_harm(epochs: Sequence[Split]) -> float:
    """Return the one-sided ln e over epochs with their own shares."""
    return fsum(float(betabinomial.log_harm(epoch)) for epoch in epochs)
