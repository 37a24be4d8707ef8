"""Experiments that never happened: what the installed rules do when the truth is known.

Worlds draw units, the engine applies the rules of this package at every look, `simulate` counts how
often they were wrong. Randomness is passed in as a seed: the same seed gives the same figures on any
number of cores.
"""

from assay_stats.simulation.engine import Fixed, Naive, Posterior, Staged, Test
from assay_stats.simulation.experiment import Design, Outcome, Rate, simulate
from assay_stats.simulation.worlds import Bernoulli, Cuped, LogNormal, RatioOfMeans, Spenders, World

__all__ = [
    "Bernoulli",
    "Cuped",
    "Design",
    "Fixed",
    "LogNormal",
    "Naive",
    "Outcome",
    "Posterior",
    "Rate",
    "RatioOfMeans",
    "Spenders",
    "Staged",
    "Test",
    "World",
    "simulate",
]
