"""What should become of an Experiment: an ordered tuple of small checks over one frozen value.

The first check that has something to say decides. Safety comes before evidence, doubt before verdicts.
"""

from math import exp

from assay_api.duration import seconds, spelled
from assay_api.names import APPROVE
from assay_api.reason import Reason
from assay_operator.decide.decision import Check, Decision
from assay_operator.decide.experiment_facts import ExperimentFacts, Reading
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


def abort_requested(facts: ExperimentFacts) -> Decision | None:
    """A person, a deletion or a newer version ends it, whatever the numbers say."""
    return Decision("Abort", facts.abort_reason, facts.aborted) if facts.aborted else None


def guardrail_is_breached(facts: ExperimentFacts) -> Decision | None:
    """Harm is shown beyond the margin, at the part of alpha that each guardrail has."""
    for reading in facts.of("Guardrail"):
        harm = reading.harm
        if harm and harm.breached:
            words = (
                f"guardrail {reading.metric} breached: {reading.arm} - {facts.spec.control.name} = "
                f"{harm.estimate:+.3g} (margin {_margin(facts, reading.metric)}), e-value "
                f"{exp(min(harm.log_e, 700)):.3g} >= {exp(harm.threshold):.3g}, n = {harm.units}"
            )
            return _against(facts, reading.arm, Reason.GUARDRAIL_BREACHED, words)
    return None


def _margin(facts: ExperimentFacts, metric: str) -> str:
    margin = next(g.margin for g in facts.spec.metrics.guardrails if g.name == metric)
    return f"{margin.absolute:g}" if margin.absolute else f"{margin.relative or 0:.3g} of the control's"


def candidate_is_down(facts: ExperimentFacts) -> Decision | None:
    """Its requests are answered by the champion, but nobody wants it to stay so."""
    for arm, down in facts.down.items():
        if down >= DOWN_FOR and arm not in facts.dropped:
            words = f"{arm} had no ready pod for {spelled(down)}, {spelled(DOWN_FOR)} are allowed"
            return _against(facts, arm, Reason.CANDIDATE_DOWN, words)
    return None


def _against(facts: ExperimentFacts, arm: str, reason: Reason, message: str) -> Decision:
    """Take the arm out; if it was the last candidate, the Experiment is over."""
    if len(facts.candidates) > 1:
        return Decision("Drop", reason, f"arm {arm} is dropped: {message}", arm=arm)
    return Decision("RollBack", reason, message)


def candidate_drifts_alone(facts: ExperimentFacts) -> Decision | None:
    """An alert names a candidate and not the control: it is the version, not the world."""
    if facts.spec.control.name in facts.drifting:
        return None
    arm = next((arm.name for arm in facts.candidates if arm.name in facts.drifting), None)
    if arm is None:
        return None
    return _against(facts, arm, Reason.CANDIDATE_DRIFTS, f"alert {facts.alerted} fires for {arm} only")


def world_drifts(facts: ExperimentFacts) -> Decision | None:
    """Control is named too, or only the Model: the world changed, and a verdict would be of the old one."""
    return (
        Decision("Hold", Reason.DRIFTING, f"held while alert {facts.alerted} fires")
        if facts.alerted
        else None
    )


def suspended(facts: ExperimentFacts) -> Decision | None:
    """The user asked for a pause; safety still holds."""
    return Decision("Hold", Reason.SUSPENDED, "spec.suspend is true") if facts.spec.suspend else None


def aa_found_a_difference(facts: ExperimentFacts) -> Decision | None:
    """The same version on both sides: any difference is a fault of the test, or alpha's share of bad luck."""
    if facts.spec.mode != "AA":
        return None
    for reading, verdict in _decided(facts):
        if verdict:
            return Decision(
                "Conclude",
                Reason.AA_DIFFERS,
                f"{reading.metric} differs between equal arms by {_numbers(facts, reading)}",
            )
    return (
        Decision("Conclude", Reason.AA_EQUAL, "no difference between equal arms was found")
        if facts.out_of_time
        else None
    )


def ratio_is_unknown(facts: ExperimentFacts) -> Decision | None:
    """At the last step nothing is promoted before the split could be checked."""
    if facts.quality.srm is None and facts.last_step and not facts.out_of_time and _wins(facts):
        return Decision(
            "Hold", Reason.RATIO_UNKNOWN, "waits until the first units have settled, to check the split"
        )
    return None


def candidate_is_worse(facts: ExperimentFacts) -> Decision | None:
    """The primary metric shows harm."""
    for reading, verdict in _decided(facts):
        if verdict == "worse":
            words = f"primary metric {reading.metric}: {reading.arm} worse by {_numbers(facts, reading)}"
            return _against(facts, reading.arm, Reason.PRIMARY_WORSE, words)
    return None


def approval_is_missing(facts: ExperimentFacts) -> Decision | None:
    """Where a person has the last word, a win waits for it while there is time; harm does not wait."""
    if facts.spec.decision.approval != "Manual" or facts.approved or not (win := _wins(facts)):
        return None
    if facts.out_of_time:
        words = f"nobody approved it in time: {win.message}"
        return Decision("Conclude", Reason.NOT_APPROVED, words)
    return Decision(
        "Hold", Reason.WAITING_FOR_APPROVAL, f"{win.message}; annotate it with {APPROVE} to promote"
    )


def candidate_wins(facts: ExperimentFacts) -> Decision | None:
    """The primary is better, every guardrail is within its margin, and it has run long enough."""
    return _wins(facts)


def _wins(facts: ExperimentFacts) -> Decision | None:
    if (
        not facts.last_step
        or facts.elapsed < seconds(facts.spec.decision.min_duration)
        or not _step_is_served(facts)
    ):
        return None
    if facts.spec.metrics.primary is None:
        return _safe_rollout(facts)
    better = [
        reading
        for reading, verdict in _decided(facts)
        if verdict == "better" and _guardrails_pass(facts, reading.arm)
    ]
    if not better:
        return None
    best = max(better, key=lambda reading: abs(reading.evidence.estimate) if reading.evidence else 0)
    return Decision(
        "Promote",
        Reason.CANDIDATE_WINS,
        f"primary metric {best.metric}: {best.arm} better by {_numbers(facts, best)}",
        _version(facts, best.arm),
    )


def units_are_used_up(facts: ExperimentFacts) -> Decision | None:
    """As many units as were allowed, and no verdict."""
    most = facts.spec.decision.max_units
    if most and facts.total_units >= most:
        return _inconclusive(
            facts, Reason.OUT_OF_UNITS, f"undecided after {facts.total_units} units, {most} are allowed"
        )
    return None


def time_is_over(facts: ExperimentFacts) -> Decision | None:
    """As much time as was allowed, and no verdict."""
    if facts.out_of_time:
        return _inconclusive(
            facts, Reason.OUT_OF_TIME, f"undecided after {spelled(facts.elapsed)}: {waits_for(facts)}"
        )
    return None


def shadow_is_over(facts: ExperimentFacts) -> Decision | None:
    """It was shown requests for as long as was wanted; what was measured of it is reported."""
    if not facts.out_of_time:
        return None
    measured = [f"{r.metric} of {r.arm} {_numbers(facts, r)}" for r in facts.of("Secondary") if r.evidence]
    words = "; ".join(
        [f"shown requests for {spelled(facts.elapsed)}, and no caller saw an answer", *measured]
    )
    return Decision("Conclude", Reason.SHADOW_OVER, words)


def step_is_done(facts: ExperimentFacts) -> Decision | None:
    """Long enough, with units enough: let more of the world in."""
    if facts.last_step or not _step_is_served(facts):
        return None
    after = facts.spec.ramp[facts.step + 1].percent
    return Decision("Advance", Reason.STEP_DONE, f"candidates get {after}% of all units")


def still_running(facts: ExperimentFacts) -> Decision:
    """Say what it waits for."""
    return Decision("Hold", Reason.RUNNING, waits_for(facts))


CHECKS: tuple[Check, ...] = (
    abort_requested,
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
    approval_is_missing,
    candidate_wins,
    units_are_used_up,
    time_is_over,
    step_is_done,
)

SHADOW_CHECKS: tuple[Check, ...] = (  # nobody is split and nobody sees an answer: there is nothing to judge
    abort_requested,
    version_is_lost,
    candidate_is_down,
    candidate_drifts_alone,
    suspended,
    not_programmed,
    shadow_is_over,
    step_is_done,
)


def decide(facts: ExperimentFacts) -> Decision:
    """Return the first decision that a check asks for, or a hold that says what it waits for."""
    checks = SHADOW_CHECKS if facts.spec.mode == "Shadow" else CHECKS
    return next((decision for check in checks if (decision := check(facts))), None) or still_running(facts)


def _step_is_served(facts: ExperimentFacts) -> bool:
    step = facts.spec.ramp[facts.step]
    enough = all(arm.units >= step.min_units_per_arm for arm in facts.present)
    return enough and facts.in_step >= seconds(step.min_duration)


def _decided(facts: ExperimentFacts) -> list[tuple[Reading, str | None]]:
    """The primary of each candidate with its decision; Holm over all candidates, dropped ones included."""
    primaries = [r for r in facts.readings if r.role == "Primary" and r.evidence]
    adjusted = holm([reading.evidence.p_value for reading in primaries if reading.evidence])
    return [
        (reading, _decision(reading, p, facts.spec.decision.alpha))
        for reading, p in zip(primaries, adjusted, strict=True)
        if reading.arm not in facts.dropped
    ]


def _decision(reading: Reading, adjusted: float, alpha: float) -> str | None:
    evidence = reading.evidence
    if evidence is None or evidence.decided is None or adjusted > alpha:
        return None
    return evidence.decided


def _guardrails_pass(facts: ExperimentFacts, arm: str) -> bool:
    """Intersection-union: every guardrail at alpha, no correction."""
    guards = [reading for reading in facts.of("Guardrail") if reading.arm == arm]
    return all(reading.non_inferiority and reading.non_inferiority.passed for reading in guards)


def _safe_rollout(facts: ExperimentFacts) -> Decision | None:
    safe = [arm for arm in facts.candidates if _guardrails_pass(facts, arm.name)]
    if not safe:
        return None
    return Decision(
        "Promote",
        Reason.GUARDRAILS_HOLD,
        f"every guardrail of {safe[0].name} is within its margin",
        safe[0].version,
    )


def _inconclusive(facts: ExperimentFacts, reason: Reason, message: str) -> Decision:
    """Where `onInconclusive: Promote` asks for it, the best candidate that nothing speaks against."""
    if facts.spec.decision.on_inconclusive != "Promote" or facts.spec.mode != "AB":
        return Decision("Conclude", reason, message)
    arm, why = promotable(facts)
    if arm is None:
        return Decision("Conclude", reason, f"{message}; no candidate is promoted: {why}")
    words = f"{message}; {arm.name} is promoted as onInconclusive asks: {why}"
    return Decision("Conclude", reason, words, arm.version)


def _version(facts: ExperimentFacts, arm: str) -> str:
    return next(a.version for a in facts.arms if a.name == arm)


def _numbers(facts: ExperimentFacts, reading: Reading) -> str:
    evidence = reading.evidence
    assert evidence is not None
    sure = confidence(facts.spec.decision.alpha)
    return (
        f"{evidence.estimate:+.3g} ({sure} CS {evidence.low:.3g} to {evidence.high:.3g}, "
        f"{p_value(evidence.p_value)}, n = {evidence.units})"
    )
