"""Reasons of an Experiment until it is decided: why it waits, and what it waits for."""

from collections.abc import Mapping

from assay_api.reason.documented import Documented, info, notice, on, warning
from assay_api.reason.word import Reason

_WAITS = on("Experiment", "Ready", "Progressing")
_RUNS = on("Experiment", "Progressing")

EXPERIMENT: Mapping[Reason, Documented] = {
    Reason.MODEL_NOT_FOUND: warning(
        _WAITS,
        "The Model that it names does not exist in its namespace.",
        "Create it, or mend `modelRef.name`.",
    ),
    Reason.VERSION_NOT_FOUND: warning(
        _WAITS, "An arm names a version that its Model does not have.", "Mend `arms[].version`."
    ),
    Reason.QUEUED: info(_WAITS, "Another Experiment of the same Model runs, or is ahead of it."),
    Reason.LAYER_FULL: notice(
        _WAITS,
        "Its layer has no gap that is wide enough.",
        "Wait, ask for a smaller `layer.share`, or abort an Experiment that the message names.",
    ),
    Reason.VERSION_NOT_READY: info(
        _WAITS,
        "A version of an arm is not made yet, or has failed its gates.",
        "Read the condition Ready of the version.",
    ),
    Reason.CONTROL_IS_NOT_CHAMPION: warning(
        on("Experiment", "Ready", "Progressing", "Degraded", "decision"),
        "The control's version is not the champion, so whoever is not enrolled sees another version.",
        "Create an Experiment whose control is the present champion.",
    ),
    Reason.ARM_NOT_READY: info(
        _WAITS, "A version of an arm has no ready pod yet.", "Read the condition Available of the version."
    ),
    Reason.SCHEMA_CHANGED: warning(
        _WAITS,
        "A candidate asks for columns that the champion did not need, or for other types: it would refuse "
        "what callers send.",
        "Have callers send them first, and set `allowSchemaChange: true`; or train without these columns.",
    ),
    Reason.AA_UNACKNOWLEDGED: warning(
        _WAITS,
        "The Model's last A/A test found a difference between equal arms, which nobody has acknowledged.",
        "Find its cause, then `assay acknowledge` that A/A test.",
    ),
    Reason.STARTED: notice(_RUNS, "The first units are enrolled; from here on its design is frozen."),
    Reason.RUNNING: info(
        _WAITS,
        "Units are split and measured; the message of Progressing says what it waits for.",
    ),
    Reason.STEP_DONE: notice(_RUNS, "A step of the ramp is done; the candidates get more units."),
    Reason.ALL_ARMS_HEALTHY: info(
        on("Experiment", "Degraded"), "No guardrail is breached, and every arm has ready pods."
    ),
    Reason.ARM_DROPPED: warning(
        on("Experiment", "Progressing", "Degraded"),
        "A candidate did harm or went down; its units see the control, and the other candidates go on.",
        "Find the cause in the message; the arm does not come back.",
    ),
    Reason.DRIFTING: warning(
        _RUNS,
        "Judging is held: a drift alert names every arm, or only the Model.",
        "Follow the runbook of the alert; judging goes on when it is resolved.",
    ),
    Reason.SUSPENDED: notice(
        _RUNS, "`spec.suspend` is true: safety holds, nothing is judged.", "Set it to false."
    ),
    Reason.COLLECTOR_UNREACHABLE: warning(
        (*_WAITS, *on("Experiment", "Closed")),
        "The collector does not answer, so nothing can be counted or judged.",
        "Look at the collector's pods and its database.",
    ),
    Reason.NO_DATA: info(
        _RUNS,
        "No unit has been counted yet, or a source has no numbers of an arm.",
        "If it stays so: check that callers send the header of `unit`.",
    ),
    Reason.STALE_DATA: warning(
        _RUNS,
        "The newest data is older than `decision.maxDataAge`.",
        "Check that requests arrive, and the shippers of the gateways.",
    ),
    Reason.METRIC_UNAVAILABLE: warning(
        _RUNS,
        "The source of a metric that decides gives an error; the last numbers stand.",
        "Check the query and the source that the message names.",
    ),
    Reason.SOURCE_ERROR: warning(
        _RUNS,
        "A source answered with numbers that no data can have, as more events than units.",
        "Mend the query; the message names the arm and the number.",
    ),
    Reason.SOURCE_RESET: warning(
        _RUNS,
        "A metric that decides has fewer units or events than before: something counted from zero again.",
        "Use a query that survives restarts, as `increase(x_total[$elapsed])`, in a new Experiment.",
    ),
    Reason.BOT_UNITS: warning(
        _RUNS,
        "More units ask as often as bots than may be left out.",
        "Check what callers send as the unit: one id for many people looks like a bot.",
    ),
    Reason.NOT_PROGRAMMED: info(_RUNS, "A gateway has not confirmed the present split yet."),
    Reason.RATIO_UNKNOWN: info(
        _RUNS, "The candidate wins, but the split cannot be checked yet: units still settle."
    ),
    Reason.WAITING_FOR_APPROVAL: notice(
        _RUNS,
        "The candidate wins, and a person has the last word.",
        "`assay approve`, or let the time run out.",
    ),
}
