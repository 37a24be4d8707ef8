"""Statistics of online experiments from mergeable sums: numbers in, verdict inputs out; no I/O, no clock.

The names here are what a decision needs at every look. The rest is imported by its module: `groupsequential`,
`fixed`, `ratio`, `bayes`, `trust`, `simulation` and so on.
"""

from assay_stats.effect import Effect
from assay_stats.evidence import Evidence, Peak, evaluate, evaluate_pairs, threshold
from assay_stats.guardrail import Harm, NonInferiority, harm, non_inferiority, shown
from assay_stats.moments import Moments, PairMoments
from assay_stats.multiplicity import e_bh, holm
from assay_stats.planning import Design, Size, minimum_detectable_effect, units_per_arm
from assay_stats.rule import GuardrailRule, Rule, guardrail_rule, primary_rule
from assay_stats.sampleratio import Srm, srm

__all__ = [
    "Design",
    "Effect",
    "Evidence",
    "GuardrailRule",
    "Harm",
    "Moments",
    "NonInferiority",
    "PairMoments",
    "Peak",
    "Rule",
    "Size",
    "Srm",
    "e_bh",
    "evaluate",
    "evaluate_pairs",
    "guardrail_rule",
    "harm",
    "holm",
    "minimum_detectable_effect",
    "non_inferiority",
    "primary_rule",
    "shown",
    "srm",
    "threshold",
    "units_per_arm",
]
