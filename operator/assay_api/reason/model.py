"""Reasons of a Model."""

from collections.abc import Mapping

from assay_api.reason.documented import Documented, info, notice, on, warning
from assay_api.reason.word import Reason

_PROGRESS = on("Model", "Progressing")

MODEL: Mapping[Reason, Documented] = {
    Reason.SERVING: notice(on("Model", "Ready"), "The champion answers, and every gateway leads to it."),
    Reason.NO_CHAMPION: info(
        on("Model", "Ready"),
        "No version serves yet: the first one is being made, was rejected or is starting.",
        "Read the message; `kubectl get amv` shows the version.",
    ),
    Reason.CHAMPION_DOWN: warning(
        on("Model", "Ready", "Degraded"),
        "The champion has no ready pod.",
        "Look at its pods: `kubectl get pods -l assay.dev/model=NAME`.",
    ),
    Reason.CHAMPION_CHANGED: notice(
        on("Model", "history"), "Another version is the champion; the message says which, and why."
    ),
    Reason.EXPERIMENTING: info(_PROGRESS, "An Experiment of this Model waits or runs."),
    Reason.BAKING: notice(
        _PROGRESS, "The new champion serves everyone and is watched, while the former one is kept warm."
    ),
    Reason.BAKE_FAILED: warning(
        on("Model", "Progressing", "Degraded"),
        "The new champion lost its pods while it was watched; the former one serves again.",
        "Find the cause in the message, then change the spec, or `assay promote` the version.",
    ),
    Reason.BAKE_BREACHED: warning(
        on("Model", "Progressing", "Degraded"),
        "The new champion answered worse than the former one, by more than a guardrail of `rollout.bake` "
        "allows, while it was watched; the former one serves again.",
        "Look at its logs and the message's numbers, then change the spec, or `assay promote` the version.",
    ),
    Reason.PROMOTED_BY_HAND: notice(
        _PROGRESS,
        "A person made another version the champion than the spec asks for.",
        "Change the spec to agree, or `assay rollback`.",
    ),
    Reason.ROLLED_BACK_BY_HAND: notice(
        _PROGRESS,
        "A person brought the former champion back.",
        "Change the spec, or `assay promote` the version.",
    ),
    Reason.IDLE: info(_PROGRESS, "Nothing is in progress."),
    Reason.AS_EXPECTED: info(
        (*on("Model", "Degraded"), *on("ModelVersion", "Degraded"), *on("Experiment", "Degraded")),
        "No failure is known: what the spec asks for is so, is on its way, or was put aside by a person.",
    ),
    Reason.ALERT_FIRES: warning(
        on("Model", "DriftDetected"),
        "A drift alert of Alertmanager names this Model; the message has its name.",
        "Follow the runbook of the alert; a running Experiment is held meanwhile.",
    ),
    Reason.NO_ACTIVE_ALERTS: info(on("Model", "DriftDetected"), "No drift alert names this Model."),
}
