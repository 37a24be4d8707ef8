"""Reasons of every kind of object, and of the gateways."""

from collections.abc import Mapping

from assay_api.reason.documented import Documented, info, notice, on, warning
from assay_api.reason.word import Reason

_END = ("Ready", "Progressing", "Degraded")
_STUCK = tuple(place for kind in ("Model", "ModelVersion", "Experiment") for place in on(kind, *_END))
_HELD = (*on("Model", "Progressing", "Degraded"), *on("ModelVersion", "Available", *_END))
_TRIED = (*on("ModelVersion", "Ready", "Progressing"), *on("Model", "Progressing"))
_ROUTED = (*on("Model", "Ready", "Degraded"), *on("Experiment", "Programmed"))

SHARED: Mapping[Reason, Documented] = {
    Reason.INVALID_SPEC: warning(
        _STUCK,
        "The object, or what it names, cannot be used as it is written. What served before serves on.",
        "Mend the field that the message names and apply again.",
    ),
    Reason.NAME_TAKEN: warning(
        (*on("Model", *_END), *on("ModelVersion", "Available", *_END)),
        "An object that is needed exists under that name and has another owner; it is not touched.",
        "Rename the Model, or remove the object that the message names if nobody needs it.",
    ),
    Reason.CHILD_REFUSED: warning(
        _HELD,
        "The API server refused an object that is needed: quota, LimitRange, admission. It is tried again.",
        "Raise the quota or change `resources`; the message is the API server's own.",
    ),
    Reason.NOT_ALLOWED: warning(
        (*_TRIED, *on("ModelVersion", "Available", "Degraded"), *on("Model", "Degraded")),
        "The administrator does not allow what the spec asks for, such as its service account.",
        "Use a service account of the list in the message, or have the chart's list extended.",
    ),
    Reason.RETRY_SCHEDULED: notice(
        _TRIED,
        "Something failed that may pass by itself; the message says what, and when it is tried again.",
        "Nothing, or mend the cause; `assay retrain` does not wait.",
    ),
    Reason.RETRIES_EXHAUSTED: warning(
        (*on("ModelVersion", *_END), *on("Model", "Progressing", "Degraded")),
        "What might have passed by itself has failed as often as it is tried.",
        "Mend the cause that the message names, then `assay retrain`.",
    ),
    Reason.PROGRAMMED: info(on("Experiment", "Programmed"), "Every gateway has confirmed the present route."),
    Reason.NOT_PROGRAMMED_YET: info(
        _ROUTED, "A gateway has not confirmed the newest route yet, or there is no gateway."
    ),
    Reason.REFUSED: warning(
        _ROUTED,
        "A gateway refused the newest route and serves the one before.",
        "Read the message, which is Envoy's own, and the log of the gateway; report it as a bug.",
    ),
}
