"""What should become of an Experiment: an ordered tuple of small checks over one frozen value.

The first check that has something to say decides. Safety comes before evidence, doubt before verdicts.
"""

from assay_api.duration import seconds, spelled
from assay_api.names import APPROVE
from assay_operator.decide.observed import Observed, Reading
from assay_operator.decide.outcome import Check, Outcome
from assay_operator.decide.trust import (
    assignment_is_broken,
    bots_are_many,
    data_is_missing,
    not_programmed,
    ratio_is_broken,
    source_is_silent,
    units_cross,
    version_is_lost,
)
from assay_operator.decide.waiting import waits_for
from assay_stats import holm

DOWN_FOR = 30.0  # seconds without a ready pod that a candidate is allowed: a restart takes as long


def asked_to_stop(seen: Observed) -> Outcome | None:
    """A person, a deletion or a newer version ends it, whatever the numbers say."""
    return Outcome("Abort", "Aborted", seen.aborted) if seen.aborted else None


def guardrail_is_breached(seen: Observed) -> Outcome | None:
    """Harm is shown beyond the margin, at the part of alpha that each guardrail has."""
    for reading in seen.of("Guardrail"):
        harm = reading.harm
        if harm and harm.breached:
            words = (
                f"{reading.metric} of {reading.arm} is {harm.estimate:+.4g} against control: "
                f"log evidence of harm {harm.log_e:.2f} reached {harm.threshold:.2f} with {harm.units} units"
            )
            return Outcome("RollBack", "GuardrailBreached", words)
    return None


def candidate_is_down(seen: Observed) -> Outcome | None:
    """Its requests are answered by the champion, but nobody wants it to stay so."""
    for arm, down in seen.down.items():
        if down >= DOWN_FOR:
            return Outcome(
                "RollBack",
                "CandidateDown",
                f"{arm} had no ready pod for {spelled(down)}, {spelled(DOWN_FOR)} are allowed",
            )
    return None


def candidate_drifts_alone(seen: Observed) -> Outcome | None:
    """An alert names a candidate and not the control: it is the version, not the world."""
    if (arms := seen.drifting - {seen.spec.control.name}) and seen.spec.control.name not in seen.drifting:
        return Outcome(
            "RollBack", "CandidateDrifts", f"alert {seen.alerted} fires for {', '.join(sorted(arms))} only"
        )
    return None


def world_drifts(seen: Observed) -> Outcome | None:
    """Control is named too, or only the Model: the world changed, and a verdict would be of the old one."""
    return Outcome("Hold", "Drifting", f"held while alert {seen.alerted} fires") if seen.alerted else None


def suspended(seen: Observed) -> Outcome | None:
    """The user asked for a pause; safety still holds."""
    return Outcome("Hold", "Suspended", "spec.suspend is true") if seen.spec.suspend else None


def aa_found_a_difference(seen: Observed) -> Outcome | None:
    """The same version on both sides: any difference is a fault of the test, or alpha's share of bad luck."""
    if seen.spec.mode != "AA":
        return None
    for reading, verdict in _decided(seen):
        if verdict:
            return Outcome(
                "Conclude", "AADiffers", f"{reading.metric} differs between equal arms: {_numbers(reading)}"
            )
    return (
        Outcome("Conclude", "AAEqual", "no difference between equal arms was found")
        if seen.out_of_time
        else None
    )


def ratio_is_unknown(seen: Observed) -> Outcome | None:
    """At the last step nothing is promoted before the split could be checked."""
    if seen.trust.srm is None and seen.last_step and not seen.out_of_time and _wins(seen):
        return Outcome("Hold", "RatioUnknown", "waits until the first units have settled, to check the split")
    return None


def candidate_is_worse(seen: Observed) -> Outcome | None:
    """The primary metric shows harm."""
    worse = [reading for reading, verdict in _decided(seen) if verdict == "worse"]
    if worse and len(worse) == len(seen.of("Primary")):
        return Outcome(
            "RollBack", "PrimaryWorse", f"{worse[0].metric} of {worse[0].arm} is worse: {_numbers(worse[0])}"
        )
    return None


def nobody_has_approved(seen: Observed) -> Outcome | None:
    """Where a person has the last word, a win waits for it while there is time; harm does not wait."""
    if seen.spec.decision.approval != "Manual" or seen.approved or not (win := _wins(seen)):
        return None
    if seen.out_of_time:
        words = f"nobody approved it in time: {win.message}"
        return Outcome("Conclude", "NotApproved", words)
    return Outcome("Hold", "WaitingForApproval", f"{win.message}; annotate it with {APPROVE} to promote")


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
        "CandidateWins",
        f"{best.metric} of {best.arm} is better: {_numbers(best)}",
        _version(seen, best.arm),
    )


def units_are_used_up(seen: Observed) -> Outcome | None:
    """As many units as were allowed, and no verdict."""
    most = seen.spec.decision.max_units
    if most and seen.total_units >= most:
        return _inconclusive(
            seen, "OutOfUnits", f"undecided after {seen.total_units} units, {most} are allowed"
        )
    return None


def time_is_over(seen: Observed) -> Outcome | None:
    """As much time as was allowed, and no verdict."""
    if seen.out_of_time:
        return _inconclusive(seen, "OutOfTime", f"undecided after {spelled(seen.elapsed)}: {waits_for(seen)}")
    return None


def shadow_is_over(seen: Observed) -> Outcome | None:
    """It was shown requests for as long as was wanted; what was measured of it is reported."""
    if not seen.out_of_time:
        return None
    measured = [_numbers(r, f"{r.metric} of {r.arm} ") for r in seen.of("Secondary") if r.evidence]
    words = "; ".join([f"shown requests for {spelled(seen.elapsed)}, and no caller saw an answer", *measured])
    return Outcome("Conclude", "ShadowOver", words)


def step_is_done(seen: Observed) -> Outcome | None:
    """Long enough, with units enough: let more of the world in."""
    if seen.last_step or not _step_is_served(seen):
        return None
    after = seen.spec.ramp[seen.step + 1].percent
    return Outcome("Advance", "StepDone", f"candidates get {after}% of all units")


def still_running(seen: Observed) -> Outcome:
    """Say what it waits for."""
    return Outcome("Hold", "Running", waits_for(seen))


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
    enough = all(arm.units >= step.min_units_per_arm for arm in seen.arms)
    return enough and seen.in_step >= seconds(step.min_duration)


def _decided(seen: Observed) -> list[tuple[Reading, str | None]]:
    """The primary of each candidate with its decision; Holm over the candidates."""
    primaries = [reading for reading in seen.of("Primary") if reading.evidence]
    adjusted = holm([reading.evidence.p_value for reading in primaries if reading.evidence])
    return [
        (reading, _decision(reading, p, seen.spec.decision.alpha))
        for reading, p in zip(primaries, adjusted, strict=True)
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
    safe = [arm for arm in seen.spec.candidates if _bearable(seen, arm.name)]
    if not safe:
        return None
    return Outcome(
        "Promote",
        "GuardrailsHold",
        f"every guardrail of {safe[0].name} is within its margin",
        safe[0].version,
    )


def _inconclusive(seen: Observed, reason: str, message: str) -> Outcome:
    may = seen.spec.decision.approval == "Automatic" or bool(seen.approved)
    promote = may and seen.spec.decision.on_inconclusive == "Promote" and seen.spec.mode == "AB"
    return Outcome("Conclude", reason, message, seen.spec.candidates[0].version if promote else None)


def _version(seen: Observed, arm: str) -> str:
    return next(a.version for a in seen.arms if a.name == arm)


def _numbers(reading: Reading, of: str = "") -> str:
    evidence = reading.evidence
    assert evidence is not None
    return (
        f"{of}{evidence.estimate:+.4g}, confidence sequence {evidence.low:.4g} to {evidence.high:.4g}, "
        f"p {evidence.p_value:.2g}, {evidence.units} units"
    )
