"""Reasons of a verdict: how an Experiment ended, the successful ones first."""

from collections.abc import Mapping

from assay_api.reason.documented import Documented, info, notice, on, warning
from assay_api.reason.word import Reason

_DONE = on("Experiment", "Ready", "Progressing", "decision")
_OPEN = (*_DONE, *on("Model", "Progressing"))
_FAULT = (*_DONE, *on("Experiment", "Degraded"))
_LOST = (*_FAULT, *on("Model", "Progressing", "Degraded"))

VERDICTS: Mapping[Reason, Documented] = {
    Reason.CANDIDATE_WINS: notice(
        _DONE,
        "The primary metric is better and every guardrail is within its margin: the candidate is promoted.",
    ),
    Reason.GUARDRAILS_HOLD: notice(
        _DONE,
        "No primary metric, and every guardrail is within its margin: the candidate is promoted.",
    ),
    Reason.AA_EQUAL: notice(
        _DONE, "An A/A test ended without a difference between equal arms, as it should."
    ),
    Reason.SHADOW_OVER: notice(
        _DONE, "A shadow was shown requests for as long as was asked; what was measured is reported."
    ),
    Reason.OUT_OF_TIME: notice(
        _OPEN,
        "`maxDuration` is over and nothing is decided; `onInconclusive` says who serves.",
        "Plan again (`assay plan`): more time, more units, or a larger minimum effect.",
    ),
    Reason.OUT_OF_UNITS: notice(
        _OPEN,
        "`maxUnits` is reached and nothing is decided; `onInconclusive` says who serves.",
        "Plan again (`assay plan`): more units, or a larger minimum effect.",
    ),
    Reason.NOT_APPROVED: notice(
        _OPEN,
        "The candidate won, but nobody approved it in time; the control stays.",
        "Start another Experiment.",
    ),
    Reason.NO_DATA_IN_TIME: warning(
        _LOST,
        "`maxDuration` is over while the data was missing or in doubt; the control stays.",
        "Mend what the message names, then start another Experiment.",
    ),
    Reason.AA_DIFFERS: warning(
        _FAULT,
        "An A/A test found a difference between equal arms: a fault of the test, or bad luck.",
        "Check units, outcomes and what differs between the arms' pods; A/B tests of the Model wait until "
        "you `assay acknowledge` it.",
    ),
    Reason.GUARDRAIL_BREACHED: warning(
        _LOST,
        "A guardrail is shown to be worse than its margin allows; the control has all units.",
        "Find the cause in the message and `status.analysis`; a new version is a new Experiment.",
    ),
    Reason.PRIMARY_WORSE: warning(
        _LOST,
        "The primary metric is shown to be worse; the control has all units.",
        "Read `status.analysis`; a new version is a new Experiment.",
    ),
    Reason.CANDIDATE_DOWN: warning(
        _LOST,
        "A candidate had no ready pod for longer than allowed; the control has all units.",
        "Look at the candidate's pods and its condition Available.",
    ),
    Reason.CANDIDATE_DRIFTS: warning(
        _LOST,
        "A drift alert names a candidate and not the control; the control has all units.",
        "Follow the runbook of the alert.",
    ),
    Reason.SAMPLE_RATIO_MISMATCH: warning(
        _LOST,
        "Units are not split as declared, so the numbers are about other units than the arms were given.",
        "Find what treats the arms differently before requests are counted: retries, caches, bots.",
    ),
    Reason.AUDIT_FAILED: warning(
        _LOST,
        "Exposures stand under another arm than their hash says.",
        "`assay audit` shows which; report it as a bug.",
    ),
    Reason.UNITS_CROSS: warning(
        _LOST,
        "Too many units were answered under two arms.",
        "Check what callers send as the unit: it must not change within an Experiment.",
    ),
    Reason.VERSION_LOST: warning(
        _LOST, "The ModelVersion of an arm was deleted while it was tested.", "Start another Experiment."
    ),
    Reason.ABORTED: notice(_OPEN, "A person asked for its end; the control has all units."),
    Reason.SUPERSEDED_BY_SPEC: notice(
        _DONE,
        "The Model's spec asks for another version, or another champion was chosen, while it was undecided.",
    ),
    Reason.MODEL_DELETED: notice(_DONE, "Its Model was deleted while it was undecided."),
    Reason.ACKNOWLEDGED: notice(
        on("Experiment", "Acknowledged"),
        "A person has looked into what an A/A test found; the message is their word.",
    ),
    Reason.CLOSED: info(
        on("Experiment", "Closed"), "The collector counts no more for it; what comes now is late."
    ),
}
