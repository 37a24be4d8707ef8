"""Beside the decision: what a Bayesian would say, and how a bandit would share the traffic.

None of this may stop an experiment. Stopping when P(B > A) passes .95 makes six of ten healthy A/A tests a
"win" under 100 looks, and stopping on a small expected loss nine of ten; both are here to be read, once
the verdict is in.
"""

from collections.abc import Sequence
from math import exp, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc as beta_cdf
from scipy.special import betaln, ndtr, ndtri

Floats = NDArray[np.float64]
NODES = 2000
LABEL = "not for stopping"


class Belief(NamedTuple):
    """The posterior of an effect.

    Attributes:
        mean: Posterior mean of treatment minus control (or of the lift).
        low: Lower end of the central credible interval.
        high: Upper end.
        chance_to_win: P(effect > 0).
        loss_control: Expected loss of choosing control: E[max(effect, 0)].
        loss_treatment: Expected loss of choosing the treatment.
        label: What to print beside it.
    """

    mean: float
    low: float
    high: float
    chance_to_win: float
    loss_control: float
    loss_treatment: float
    label: str = LABEL


class Prior(NamedTuple):
    """A normal prior on the effect."""

    mean: float
    variance: float


def normal(estimate: float, se: float, prior: Prior | None = None, alpha: float = 0.05) -> Belief:
    """Return the belief about an effect with a normal likelihood and a flat or normal prior."""
    precision = 1 / se**2 + (1 / prior.variance if prior else 0.0)
    mean = (estimate / se**2 + (prior.mean / prior.variance if prior else 0.0)) / precision
    sd = 1 / sqrt(precision)
    z = mean / sd
    density = exp(-z * z / 2) / sqrt(2 * np.pi)
    gain = sd * density + mean * float(ndtr(z))
    reach = -sd * float(ndtri(alpha / 2))
    return Belief(mean, mean - reach, mean + reach, float(ndtr(z)), gain, gain - mean)


class Beta(NamedTuple):
    """A beta distribution of a rate."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        """Its mean."""
        return self.a / (self.a + self.b)


def posterior(events: float, units: float, prior: Beta | None = None) -> Beta:
    """Return the beta posterior of a rate; a uniform prior when None."""
    a, b = prior or Beta(1, 1)
    return Beta(a + events, b + units - events)


def beats(winner: Beta, other: Beta) -> float:
    """Return P(winner's rate > other's rate)."""
    return best([other, winner])[1]


def expected_loss(chosen: Beta, other: Beta) -> float:
    """Return E[max(other - chosen, 0)], the rate given up by the choice."""
    gain = other.mean * beats(Beta(other.a + 1, other.b), chosen)
    return gain - chosen.mean * (1 - beats(Beta(chosen.a + 1, chosen.b), other))


def best(posteriors: Sequence[Beta]) -> list[float]:
    """Return P(arm i is the best): the integral of f_i times the others' F, by quadrature (Thompson 1933)."""
    low, high = _support(posteriors)
    nodes, weights = _gauss(low, high)
    return _best(
        [_beta_density(p, nodes) for p in posteriors],
        [np.asarray(beta_cdf(p.a, p.b, nodes)) for p in posteriors],
        weights,
    )


def best_normal(posteriors: Sequence[tuple[float, float]]) -> list[float]:
    """Return P(arm i is the best) for normal (mean, sd) posteriors."""
    low = min(mean - 9 * sd for mean, sd in posteriors)
    high = max(mean + 9 * sd for mean, sd in posteriors)
    nodes, weights = _gauss(low, high)
    z = [(nodes - mean) / sd for mean, sd in posteriors]
    densities = [
        np.exp(-x * x / 2) / (sd * sqrt(2 * np.pi)) for x, (_, sd) in zip(z, posteriors, strict=True)
    ]
    return _best(densities, [np.asarray(ndtr(x)) for x in z], weights)


def thompson(chances: Sequence[float], units: Sequence[float], floor: int = 100) -> list[float]:
    """Return the shares of Thompson sampling: each arm's chance to be the best.

    Equal shares until every arm has `floor` units. Every change of shares is a new epoch, and the shares must
    be logged with the units that they assigned.
    """
    if min(units) < floor:
        return [1 / len(chances)] * len(chances)
    return [chance / sum(chances) for chance in chances]


def top_two(
    chances: Sequence[float], units: Sequence[float], beta: float = 0.5, floor: int = 100
) -> list[float]:
    """Return the shares of top-two Thompson sampling (Russo 2020).

    The leader is drawn with its chance p_i; with probability 1 - beta it is replaced by another arm j, drawn
    with p_j / (1 - p_i).
    """
    p = thompson(chances, units, floor)
    if min(units) < floor:
        return p
    odds = [value / (1 - value) if value < 1 else 0.0 for value in p]
    shares = [value * (beta + (1 - beta) * (sum(odds) - own)) for value, own in zip(p, odds, strict=True)]
    return [share / sum(shares) for share in shares]


def _best(densities: list[Floats], cumulative: list[Floats], weights: Floats) -> list[float]:
    chances = []
    for i, density in enumerate(densities):
        others = [c for j, c in enumerate(cumulative) if j != i]
        chances.append(float(weights @ (density * np.prod(others, axis=0))))
    return [chance / sum(chances) for chance in chances]


def _beta_density(p: Beta, x: Floats) -> Floats:
    density: Floats = np.exp((p.a - 1) * np.log(x) + (p.b - 1) * np.log1p(-x) - betaln(p.a, p.b))
    return density


def _support(posteriors: Sequence[Beta]) -> tuple[float, float]:
    """Return where the rates can be: 12 standard deviations around the means, within (0, 1)."""
    spreads = [sqrt(p.mean * (1 - p.mean) / (p.a + p.b + 1)) for p in posteriors]
    low = min(p.mean - 12 * sd for p, sd in zip(posteriors, spreads, strict=True))
    high = max(p.mean + 12 * sd for p, sd in zip(posteriors, spreads, strict=True))
    return max(0.0, low), min(1.0, high)


def _gauss(low: float, high: float) -> tuple[Floats, Floats]:
    """Return composite Gauss-Legendre nodes and weights on an interval."""
    pieces = 50
    nodes, weights = np.polynomial.legendre.leggauss(NODES // pieces)
    width = (high - low) / pieces
    starts = low + width * np.arange(pieces)
    return (starts[:, None] + width * (nodes + 1) / 2).ravel(), np.tile(weights * width / 2, pieces)
