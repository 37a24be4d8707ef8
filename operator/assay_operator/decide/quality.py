"""May the numbers be trusted? The checks that invalidate an Experiment or hold it while there is doubt."""

from assay_api.duration import seconds, spelled
from assay_api.reason import Reason, known
from assay_operator.decide.decision import Decision
from assay_operator.decide.experiment_facts import ExperimentFacts

MAX_AUDIT_MISMATCHES = 0
MAX_CROSSOVER_SHARE = 0.005  # of all units; the hash sends nobody to two arms, a proxy that shares ids may
MAX_BOT_SHARE = 0.1  # of all units; they are left out on both sides, but so many are no exception any more
FEW = 5  # units that are no share of anything


def ratio_is_broken(facts: ExperimentFacts) -> Decision | None:
    """Units are missing on one side: whatever made them go missing may make the difference."""
    srm = facts.quality.srm
    if srm is None or not srm.mismatch:
        return None
    units = ", ".join(f"{arm.name} {arm.units}" for arm in facts.arms)
    return Decision(
        "Invalidate",
        Reason.SAMPLE_RATIO_MISMATCH,
        f"units are not split as declared: {units} (p {srm.p_value:.2g})",
    )


def assignment_is_broken(facts: ExperimentFacts) -> Decision | None:
    """An exposure under another arm than its hash says is a bug, not chance."""
    if (wrong := facts.quality.counts.audit_mismatches) <= MAX_AUDIT_MISMATCHES:
        return None
    return Decision(
        "Invalidate",
        Reason.AUDIT_FAILED,
        f"{wrong} exposures contradict the assignment, {MAX_AUDIT_MISMATCHES} are allowed",
    )


def units_cross(facts: ExperimentFacts) -> Decision | None:
    """Who is seen in two arms was not treated as declared; a few are left out, many are a fault."""
    crossed, most = facts.quality.counts.crossover_units, _bar(facts, MAX_CROSSOVER_SHARE)
    if crossed <= most:
        return None
    words = f"{crossed} units were seen in two arms, {most:g} of {facts.total_units} are allowed"
    return Decision("Invalidate", Reason.UNITS_CROSS, words)


def version_is_lost(facts: ExperimentFacts) -> Decision | None:
    """An arm without its version cannot be what was tested."""
    return Decision("Invalidate", Reason.VERSION_LOST, facts.lost) if facts.lost else None


def data_is_missing(facts: ExperimentFacts) -> Decision | None:
    """Missing data is never a verdict; but time runs out all the same, and then the control stays."""
    quality, bar = facts.quality, seconds(facts.spec.decision.max_data_age)
    if quality.fault:
        return _doubt(facts, Reason.COLLECTOR_UNREACHABLE, quality.fault)
    if quality.data_age is None or facts.total_units == 0:
        return _doubt(facts, Reason.NO_DATA, "no unit was seen yet")
    if quality.data_age > bar:
        words = f"newest data is {spelled(quality.data_age)} old, {spelled(bar)} are allowed"
        return _doubt(facts, Reason.STALE_DATA, words)
    return None


def source_is_silent(facts: ExperimentFacts) -> Decision | None:
    """A metric that decides has no numbers: its source failed, or has none. That is no failure of anybody."""
    deciding = {reading.metric for reading in facts.readings if reading.role != "Secondary"}
    for gap in facts.quality.gaps:
        if gap.metric in deciding:
            return _doubt(facts, known(gap.reason, Reason.METRIC_UNAVAILABLE), f"{gap.metric}: {gap.message}")
    return None


def bots_are_many(facts: ExperimentFacts) -> Decision | None:
    """Units that ask all the time are left out; where they are many, something else is wrong with the ids."""
    bots, most = facts.quality.counts.bot_units, _bar(facts, MAX_BOT_SHARE)
    if bots <= most:
        return None
    words = f"{bots} units ask as often as bots, {most:g} beside {facts.total_units} others are allowed"
    return _doubt(facts, Reason.BOT_UNITS, words)


def not_programmed(facts: ExperimentFacts) -> Decision | None:
    """What the gateways do not do yet cannot be judged."""
    return (
        None
        if facts.programmed
        else Decision("Hold", Reason.NOT_PROGRAMMED, "waits until every gateway has the present table")
    )


def _bar(facts: ExperimentFacts, share: float) -> float:
    return max(FEW, share * facts.total_units)


def _doubt(facts: ExperimentFacts, reason: Reason, message: str) -> Decision:
    """Hold while there is time; then the control stays."""
    if not facts.out_of_time:
        return Decision("Hold", reason, message)
    words = f"{message}, and maxDuration {facts.spec.decision.max_duration} is over"
    return Decision("Conclude", Reason.NO_DATA_IN_TIME, words)
