"""A version's conditions: how it was made, and whether its pods answer."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from assay_api import ModelVersion
from assay_api.condition import find
from assay_api.reason import Reason, known
from assay_operator.decide import tenant_json
from assay_operator.decide.desired_condition import DesiredCondition, progress
from assay_operator.decide.training import VersionProgress
from assay_operator.decide.workload import PodState

START_DEADLINE = timedelta(seconds=20)  # in which pods with trouble must become ready


def making(state: VersionProgress) -> tuple[DesiredCondition, ...]:
    """Return the conditions of a version that is being made, or was: Ready and those that follow from it."""
    why = (state.reason, state.message)
    active, failed = state.ready == "Unknown", state.ready == "False"
    bad = failed and state.reason != Reason.SUPERSEDED
    good = DesiredCondition("Degraded", "False", Reason.AS_EXPECTED, "it is as expected")
    return (
        *_data(state),
        DesiredCondition("Ready", state.ready, *why),
        *progress(*why, active=active, stalled=failed),
        DesiredCondition("Degraded", "True", *why) if bad else good,
    )


def _data(state: VersionProgress) -> tuple[DesiredCondition, ...]:
    if state.data_valid is None:
        return ()
    if state.data_valid == "True":
        return (DesiredCondition("DataValid", "True", Reason.DATA_VALID, "the data keeps its contract"),)
    return (DesiredCondition("DataValid", "False", state.reason, state.message),)


def starting(
    version: ModelVersion, available: DesiredCondition, now: datetime
) -> tuple[DesiredCondition, ...]:
    """Return the conditions of a version that passed its gates and shall answer, by how its pods are."""
    ready = find(version.status.conditions, "Ready")
    why = (Reason(ready.reason), ready.message) if ready else (Reason.STARTING, "")
    good = DesiredCondition("Degraded", "False", Reason.AS_EXPECTED, "it is as expected")
    if available.status == "True" or available.reason == Reason.SCALED_TO_ZERO:
        return (*progress(*why, active=False, stalled=False), good)
    if cannot_start(version, available, now):
        words = (Reason.VERSION_CANNOT_START, f"{available.message}; it serves as soon as its pods are ready")
        return (*progress(*words, active=False, stalled=True), DesiredCondition("Degraded", "True", *words))
    troubled = available.reason in {Reason.POD_TROUBLE, Reason.CHILD_REFUSED, Reason.NAME_TAKEN}
    bad = DesiredCondition("Degraded", "True", available.reason, available.message)
    words = (Reason.STARTING, available.message)
    return (*progress(*words, active=True, stalled=False), bad if troubled else good)


def cannot_start(version: ModelVersion, available: DesiredCondition, now: datetime) -> bool:
    """Tell whether a version will not start by itself: its predictor says so, or its pods had time enough."""
    if available.status == "True" or available.reason in {Reason.SCALED_TO_ZERO, Reason.STARTING}:
        return False
    if available.reason in _FINAL_REASONS:
        return True
    known_condition = find(version.status.conditions, "Available")
    if known_condition is None or known_condition.status != "False":
        return False
    return now - known_condition.last_transition_time >= START_DEADLINE


_FINAL_REASONS = frozenset(
    {
        Reason.NOT_ALLOWED,
        Reason.NAME_TAKEN,
        Reason.BAD_MANIFEST,
        Reason.BAD_SETTINGS,
        Reason.DIGEST_MISMATCH,
        Reason.EXTERNAL_DATA,
        Reason.FORMAT_MISMATCH,
        Reason.PICKLE_REFUSED,
        Reason.READER_MISSING,
        Reason.TOO_LARGE,
        Reason.UNDESCRIBED,
        Reason.UNREADABLE,
        Reason.UNTRUSTED_TYPE,
        Reason.WARM_UP_FAILED,
        Reason.ZIP_BOMB,
    }
)


def pods_ready(ready: int, wanted: int) -> DesiredCondition:
    """Return the condition Available of a version that answers."""
    return DesiredCondition("Available", "True", Reason.ANSWERING, f"{ready}/{max(wanted, ready)} pods ready")


def pods_not_ready(pods: Iterable[PodState]) -> DesiredCondition:
    """Return the condition Available of a version without a ready pod.

    The predictor's own words come first, then what keeps its pods from running.
    """
    pods = tuple(pods)
    for pod in pods:
        try:
            words = tenant_json.loads(pod.termination_message)
            reason, message = str(words["reason"]), str(words["message"])
        except (ValueError, KeyError, TypeError):
            continue
        return DesiredCondition("Available", "False", known(reason, Reason.POD_TROUBLE), message[:1024])
    trouble = next((pod.trouble for pod in pods if pod.trouble), "")
    if trouble:
        return DesiredCondition("Available", "False", Reason.POD_TROUBLE, trouble[:1024])
    return DesiredCondition("Available", "False", Reason.STARTING, "pods are starting")
