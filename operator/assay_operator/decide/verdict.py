"""What should become of an Experiment: an ordered tuple of small checks over one frozen value.

The first check that has something to say decides. Safety comes before evidence, doubt before verdicts.
"""

from math import exp

from assay_api.duration import seconds, spelled
from assay_api.names import APPROVE
from assay_api.reason import Reason
from assay_operator.decide.observed import Observed, Reading
from assay_operator.decide.outcome import Check, Outcome
from assay_operator.decide.promotable import promotable
from assay_operator.decide.quality import (
    assignment_is_broken,
    bots_are_many,
    data_is_missing,
    not_programmed,
    ratio_is_broken,
    source_is_silent,
    units_cross,
    version_is_lost,
)
from assay_operator.decide.sentence import confidence, p_value
from assay_operator.decide.waiting import waits_for
from assay_stats import holm

DOWN_FOR = 30.0  # seconds without a ready pod that a candidate is allowed: a restart takes as long


def asked_to_stop(seen: Observed) -> Outcome | None:
    """A person, a deletion or a newer version ends it, whatever the numbers say."""
    return Outcome("Abort", seen.abort_reason, seen.aborted) if seen.aborted else None


def guardrail_is_breached(seen: Observed) -> Outcome | None:
    """Harm is shown beyond the margin, at the part of alpha that each guardrail has."""
    for reading in seen.of("Guardrail"):
        harm = reading.harm
        if harm and harm.breached:
            words = (
                f"guardrail {reading.metric} breached: {reading.arm} - {seen.spec.control.name} = "
                f"{harm.estimate:+.3g} (margin {_margin(seen, reading.metric)}), e-value "
                f"{exp(min(harm.log_e, 700)):.3g} >= {exp(harm.threshold):.3g}, n = {harm.units}"
            )
            return _against(seen, reading.arm, Reason.GUARDRAIL_BREACHED, words)
    return None


def _margin(seen: Observed, metric: str) -> str:
    margin = next(g.margin for g in seen.spec.metrics.guardrails if g.name == metric)
    return f"{margin.absolute:g}" if margin.absolute else f"{margin.relative or 0:.3g} of the control's"


def candidate_is_down(seen: Observed) -> Outcome | None:
    """Its requests are answered by the champion, but nobody wants it to stay so."""
    for arm, down in seen.down.items():
        if down >= DOWN_FOR and arm not in seen.dropped:
            words = f"{arm} had no ready pod for {spelled(down)}, {spelled(DOWN_FOR)} are allowed"
            return _against(seen, arm, Reason.CANDIDATE_DOWN, words)
    return None


def _against(seen: Observed, arm: str, reason: Reason, message: str) -> Outcome:
    """Take the arm out; if it was the last candidate, the Experiment is over."""
    if len(seen.candidates) > 1:
        return Outcome("Drop", reason, f"arm {arm} is dropped: {message}", arm=arm)
    return Outcome("RollBack", reason, message)


def candidate_drifts_alone(seen: Observed) -> Outcome | None:
    """An alert names a candidate and not the control: it is the version, not the world."""
    if seen.spec.control.name in seen.drifting:
        return None
    arm = next((arm.name for arm in seen.candidates if arm.name in seen.drifting), None)
    if arm is None:
        return None
    return _against(seen, arm, Reason.CANDIDATE_DRIFTS, f"alert {seen.alerted} fires for {arm} only")


def world_drifts(seen: Observed) -> Outcome | None:
    """Control is named too, or only the Model: the world changed, and a verdict would be of the old one."""
    return (
        Outcome("Hold", Reason.DRIFTING, f"held while alert {seen.alerted} fires") if seen.alerted else None
    )


def suspended(seen: Observed) -> Outcome | None:
    """The user asked for a pause; safety still holds."""
    return Outcome("Hold", Reason.SUSPENDED, "spec.suspend is true") if seen.spec.suspend else None


def aa_found_a_difference(seen: Observed) -> Outcome | None:
    """The same version on both sides: any difference is a fault of the test, or alpha's share of bad luck."""
    if seen.spec.mode != "AA":
        return None
    for reading, verdict in _decided(seen):
        if verdict:
            return Outcome(
                "Conclude",
                Reason.AA_DIFFERS,
                f"{reading.metric} differs between equal arms by {_numbers(seen, reading)}",
            )
    return (
        Outcome("Conclude", Reason.AA_EQUAL, "no difference between equal arms was found")
        if seen.out_of_time
        else None
    )


def ratio_is_unknown(seen: Observed) -> Outcome | None:
    """At the last step nothing is promoted before the split could be checked."""
    if seen.quality.srm is None and seen.last_step and not seen.out_of_time and _wins(seen):
        return Outcome(
            "Hold", Reason.RATIO_UNKNOWN, "waits until the first units have settled, to check the split"
        )
    return None


def candidate_is_worse(seen: Observed) -> Outcome | None:
    """The primary metric shows harm."""
    for reading, verdict in _decided(seen):
        if verdict == "worse":
            words = f"primary metric {reading.metric}: {reading.arm} worse by {_numbers(seen, reading)}"
            return _against(seen, reading.arm, Reason.PRIMARY_WORSE, words)
    return None


def nobody_has_approved(seen: Observed) -> Outcome | None:
    """Where a person has the last word, a win waits for it while there is time; harm does not wait."""
    if seen.spec.decision.approval != "Manual" or seen.approved or not (win := _wins(seen)):
        return None
    if seen.out_of_time:
        words = f"nobody approved it in time: {win.message}"
        return Outcome("Conclude", Reason.NOT_APPROVED, words)
    return Outcome(
        "Hold", Reason.WAITING_FOR_APPROVAL, f"{win.message}; annotate it with {APPROVE} to promote"
    )


def candidate_wins(seen: Observed) -> Outcome | None:
    """The primary is better, every guardrail is within its margin, and it has run long enough."""
    return _wins(seen)


def _wins(seen: Observed) -> Outcome | None:
    if (
        not seen.last_step
        or seen.elapsed < seconds(seen.spec.decision.min_duration)
        or not _step_is_served(seen)
    ):
        return None
    if seen.spec.metrics.primary is None:
        return _safe_rollout(seen)
    better = [
        reading for reading, verdict in _decided(seen) if verdict == "better" and _bearable(seen, reading.arm)
    ]
    if not better:
        return None
    best = max(better, key=lambda reading: abs(reading.evidence.estimate) if reading.evidence else 0)
    return Outcome(
        "Promote",
        Reason.CANDIDATE_WINS,
        f"primary metric {best.metric}: {best.arm} better by {_numbers(seen, best)}",
        _version(seen, best.arm),
    )


def units_are_used_up(seen: Observed) -> Outcome | None:
    """As many units as were allowed, and no verdict."""
    most = seen.spec.decision.max_units
    if most and seen.total_units >= most:
        return _inconclusive(
            seen, Reason.OUT_OF_UNITS, f"undecided after {seen.total_units} units, {most} are allowed"
        )
    return None


def time_is_over(seen: Observed) -> Outcome | None:
    """As much time as was allowed, and no verdict."""
    if seen.out_of_time:
        return _inconclusive(
            seen, Reason.OUT_OF_TIME, f"undecided after {spelled(seen.elapsed)}: {waits_for(seen)}"
        )
    return None


def shadow_is_over(seen: Observed) -> Outcome | None:
    """It was shown requests for as long as was wanted; what was measured of it is reported."""
    if not seen.out_of_time:
        return None
    measured = [f"{r.metric} of {r.arm} {_numbers(seen, r)}" for r in seen.of("Secondary") if r.evidence]
    words = "; ".join([f"shown requests for {spelled(seen.elapsed)}, and no caller saw an answer", *measured])
    return Outcome("Conclude", Reason.SHADOW_OVER, words)


def step_is_done(seen: Observed) -> Outcome | None:
    """Long enough, with units enough: let more of the world in."""
    if seen.last_step or not _step_is_served(seen):
        return None
    after = seen.spec.ramp[seen.step + 1].percent
    return Outcome("Advance", Reason.STEP_DONE, f"candidates get {after}% of all units")


def still_running(seen: Observed) -> Outcome:
    """Say what it waits for."""
    return Outcome("Hold", Reason.RUNNING, waits_for(seen))


CHECKS: tuple[Check, ...] = (
    asked_to_stop,
    ratio_is_broken,  # the numbers below would be about other units than declared
    assignment_is_broken,
    units_cross,
    version_is_lost,
    guardrail_is_breached,  # harm before everything that could hold
    candidate_is_down,
    candidate_drifts_alone,
    world_drifts,
    suspended,
    data_is_missing,  # below, only fresh data speaks
    source_is_silent,
    bots_are_many,
    not_programmed,
    aa_found_a_difference,
    candidate_is_worse,
    ratio_is_unknown,
    nobody_has_approved,
    candidate_wins,
    units_are_used_up,
    time_is_over,
    step_is_done,
)

SHADOW_CHECKS: tuple[Check, ...] = (  # nobody is split and nobody sees an answer: there is nothing to judge
    asked_to_stop,
    version_is_lost,
    candidate_is_down,
    candidate_drifts_alone,
    suspended,
    not_programmed,
    shadow_is_over,
    step_is_done,
)


def decide(seen: Observed) -> Outcome:
    """Return the first outcome that a check asks for, or a hold that says what it waits for."""
    checks = SHADOW_CHECKS if seen.spec.mode == "Shadow" else CHECKS
    return next((outcome for check in checks if (outcome := check(seen))), None) or still_running(seen)


def _step_is_served(seen: Observed) -> bool:
    step = seen.spec.ramp[seen.step]
    enough = all(arm.units >= step.min_units_per_arm for arm in seen.present)
    return enough and seen.in_step >= seconds(step.min_duration)


def _decided(seen: Observed) -> list[tuple[Reading, str | None]]:
    """The primary of each candidate with its decision; Holm over all candidates, dropped ones included."""
    primaries = [r for r in seen.readings if r.role == "Primary" and r.evidence]
    adjusted = holm([reading.evidence.p_value for reading in primaries if reading.evidence])
    return [
        (reading, _decision(reading, p, seen.spec.decision.alpha))
        for reading, p in zip(primaries, adjusted, strict=True)
        if reading.arm not in seen.dropped
    ]


def _decision(reading: Reading, adjusted: float, alpha: float) -> str | None:
    evidence = reading.evidence
    if evidence is None or evidence.decided is None or adjusted > alpha:
        return None
    return evidence.decided


def _bearable(seen: Observed, arm: str) -> bool:
    """Intersection-union: every guardrail at alpha, no correction."""
    guards = [reading for reading in seen.of("Guardrail") if reading.arm == arm]
    return all(reading.non_inferiority and reading.non_inferiority.passed for reading in guards)


def _safe_rollout(seen: Observed) -> Outcome | None:
    safe = [arm for arm in seen.candidates if _bearable(seen, arm.name)]
    if not safe:
        return None
    return Outcome(
        "Promote",
        Reason.GUARDRAILS_HOLD,
        f"every guardrail of {safe[0].name} is within its margin",
        safe[0].version,
    )


def _inconclusive(seen: Observed, reason: Reason, message: str) -> Outcome:
    """Where `onInconclusive: Promote` asks for it, the best candidate that nothing speaks against."""
    if seen.spec.decision.on_inconclusive != "Promote" or seen.spec.mode != "AB":
        return Outcome("Conclude", reason, message)
    arm, why = promotable(seen)
    if arm is None:
        return Outcome("Conclude", reason, f"{message}; no candidate is promoted: {why}")
    words = f"{message}; {arm.name} is promoted as onInconclusive asks: {why}"
    return Outcome("Conclude", reason, words, arm.version)


def _version(seen: Observed, arm: str) -> str:
    return next(a.version for a in seen.arms if a.name == arm)


def _numbers(seen: Observed, reading: Reading) -> str:
    evidence = reading.evidence
    assert evidence is not None
    sure = confidence(seen.spec.decision.alpha)
    return (
        f"{evidence.estimate:+.3g} ({sure} CS {evidence.low:.3g} to {evidence.high:.3g}, "
        f"{p_value(evidence.p_value)}, n = {evidence.units})"
    )
