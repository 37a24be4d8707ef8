"""Trust check: do the arms hold the parts of the units that they were given?

The verdict comes from a Dirichlet-multinomial e-value, safe under peeking (Lindon and Malek,
arXiv:2011.03567): cumulative counts suffice, as the product over looks telescopes. The chi-square p-value is
shown beside it, for one look only; peeked at, it cries wolf in half of all healthy experiments.
"""

from collections.abc import Mapping, Sequence
from math import fsum, log
from typing import NamedTuple

import numpy as np

from assay_stats import special
from assay_stats.sequential import p_value

CONCENTRATION = 10_000.0
CONCENTRATIONS = (100.0, CONCENTRATION)
"""What the check averages over: gross mismatches among few units, slight ones among many."""


class Srm(NamedTuple):
    """What the counts say about the split.

    Attributes:
        log_e: Running maximum of ln e; hand it back as `previous` at the next look.
        p_value: Always valid; may be looked at every second.
        chi2: Pearson's statistic of this look.
        chi2_p: Its p-value; for people, for one look, never for a verdict.
        mismatch: The split is broken, and with it every comparison.
    """

    log_e: float
    p_value: float
    chi2: float
    chi2_p: float
    mismatch: bool


def log_evidence(
    counts: Sequence[float], parts: Sequence[float], concentration: float = CONCENTRATION
) -> float:
    """Return ln e against "each unit falls in arm i with probability parts[i]".

    Args:
        counts: Units per arm so far.
        parts: Declared parts, adding up to 1.
        concentration: Weight of the Dirichlet mixture around the declared parts.
    """
    pairs = list(zip(counts, parts, strict=True))
    mixture = fsum(
        special.gammaln(concentration * w + n) - special.gammaln(concentration * w) for n, w in pairs
    )
    total = special.gammaln(concentration) - special.gammaln(concentration + fsum(counts))
    return float(total + mixture - fsum(n * log(w) for n, w in pairs))


def log_average(counts: Sequence[float], parts: Sequence[float]) -> float:
    """Return ln of the e-value averaged over `CONCENTRATIONS`, which is an e-value again."""
    logs = [log_evidence(counts, parts, concentration) for concentration in CONCENTRATIONS]
    return float(np.logaddexp.reduce(logs)) - log(len(logs))


def chi_square(counts: Sequence[float], parts: Sequence[float]) -> tuple[float, float]:
    """Return Pearson's chi-square against the declared parts, and its p-value."""
    total = fsum(counts)
    if not total:
        return 0.0, 1.0
    statistic = fsum((n - total * w) ** 2 / (total * w) for n, w in zip(counts, parts, strict=True))
    return statistic, float(special.chdtrc(len(counts) - 1, statistic))


def srm(
    counts: Mapping[str, int], weights: Mapping[str, float], alpha: float = 0.001, *, previous: float = 0.0
) -> Srm:
    """Check the units per arm against the declared weights, at any time.

    Args:
        counts: Units per arm so far; an absent arm has none.
        weights: Declared weights, in any unit; every arm of `counts` must have one above zero.
        alpha: Chance of a false alarm over the whole experiment.
        previous: `log_e` of the look before.

    Raises:
        ValueError: An arm without weight, a weight that is not positive, or a negative count.

    >>> srm({"control": 1_888, "boosted": 112}, {"control": 90, "boosted": 10}).mismatch
    True
    """
    _refuse(counts, weights)
    arms = [counts.get(arm, 0) for arm in weights]
    parts = [weight / fsum(weights.values()) for weight in weights.values()]
    log_e = max(previous, log_average(arms, parts)) if len(arms) > 1 else previous
    statistic, chi2_p = chi_square(arms, parts) if len(arms) > 1 else (0.0, 1.0)
    return Srm(log_e, float(p_value(log_e)), statistic, chi2_p, log_e >= -log(alpha))


def _refuse(counts: Mapping[str, int], weights: Mapping[str, float]) -> None:
    for arm, weight in weights.items():
        if not weight > 0:
            raise ValueError(f"weights[{arm}]: {weight} is not above 0")
    for arm, count in counts.items():
        if arm not in weights:
            raise ValueError(f"counts[{arm}]: no weight was declared for this arm")
        if not count >= 0:
            raise ValueError(f"counts[{arm}]: {count} is negative")
