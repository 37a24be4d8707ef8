"""May the numbers be trusted? The checks that invalidate an Experiment or hold it while there is doubt."""

from assay_api.duration import seconds, spelled
from assay_operator.decide.observed import Observed
from assay_operator.decide.outcome import Outcome

MISMATCHES_BORNE = 0
CROSSOVERS_BORNE = 0.005  # of all units; the hash sends nobody to two arms, a proxy that shares ids may
BOTS_BORNE = 0.1  # of all units; they are left out on both sides, but so many are no exception any more
FEW = 5  # units that are no share of anything


def ratio_is_broken(seen: Observed) -> Outcome | None:
    """Units are missing on one side: whatever made them go missing may make the difference."""
    srm = seen.trust.srm
    if srm is None or not srm.mismatch:
        return None
    units = ", ".join(f"{arm.name} {arm.units}" for arm in seen.arms)
    return Outcome(
        "Invalidate", "SampleRatioMismatch", f"units are not split as declared: {units} (p {srm.p_value:.2g})"
    )


def assignment_is_broken(seen: Observed) -> Outcome | None:
    """An exposure under another arm than its hash says is a bug, not chance."""
    if (wrong := seen.trust.findings.audit_mismatches) <= MISMATCHES_BORNE:
        return None
    return Outcome(
        "Invalidate",
        "AuditFailed",
        f"{wrong} exposures contradict the assignment, {MISMATCHES_BORNE} are allowed",
    )


def units_cross(seen: Observed) -> Outcome | None:
    """Who is seen in two arms was not treated as declared; a few are left out, many are a fault."""
    crossed, most = seen.trust.findings.crossover_units, _bar(seen, CROSSOVERS_BORNE)
    if crossed <= most:
        return None
    words = f"{crossed} units were seen in two arms, {most:g} of {seen.total_units} are allowed"
    return Outcome("Invalidate", "UnitsCross", words)


def version_is_lost(seen: Observed) -> Outcome | None:
    """An arm without its version cannot be what was tested."""
    return Outcome("Invalidate", "VersionLost", seen.lost) if seen.lost else None


def data_is_missing(seen: Observed) -> Outcome | None:
    """Missing data is never a verdict; but time runs out all the same, and then the control stays."""
    trust, bar = seen.trust, seconds(seen.spec.decision.max_data_age)
    if trust.fault:
        return _doubt(seen, "CollectorUnreachable", trust.fault)
    if trust.data_age is None or seen.total_units == 0:
        return _doubt(seen, "NoData", "no unit was seen yet")
    if trust.data_age > bar:
        words = f"newest data is {spelled(trust.data_age)} old, {spelled(bar)} are allowed"
        return _doubt(seen, "StaleData", words)
    return None


def source_is_silent(seen: Observed) -> Outcome | None:
    """A metric that decides has no numbers: its source failed, or has none. That is no failure of anybody."""
    deciding = {reading.metric for reading in seen.readings if reading.role != "Secondary"}
    for gap in seen.trust.gaps:
        if gap.metric in deciding:
            return _doubt(seen, gap.reason, f"{gap.metric}: {gap.message}")
    return None


def bots_are_many(seen: Observed) -> Outcome | None:
    """Units that ask all the time are left out; where they are many, something else is wrong with the ids."""
    bots, most = seen.trust.findings.bot_units, _bar(seen, BOTS_BORNE)
    if bots <= most:
        return None
    words = f"{bots} units ask as often as bots, {most:g} beside {seen.total_units} others are allowed"
    return _doubt(seen, "BotUnits", words)


def not_programmed(seen: Observed) -> Outcome | None:
    """What the gateways do not do yet cannot be judged."""
    return (
        None
        if seen.programmed
        else Outcome("Hold", "NotProgrammed", "waits until every gateway has the present table")
    )


def _bar(seen: Observed, share: float) -> float:
    return max(FEW, share * seen.total_units)


def _doubt(seen: Observed, reason: str, message: str) -> Outcome:
    """Hold while there is time; then the control stays."""
    if not seen.out_of_time:
        return Outcome("Hold", reason, message)
    words = f"{message}, and maxDuration {seen.spec.decision.max_duration} is over"
    return Outcome("Conclude", "NoDataInTime", words)
