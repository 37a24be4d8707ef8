"""The situations of docs/concepts.md, as bodies: what our objects look like, and what tools make of them."""

from dataclasses import dataclass, field
from typing import Any

MOMENT = "2026-01-02T03:04:05Z"
VERDICTS = {
    "CandidateWins": "Promote",
    "GuardrailBreached": "RollBack",
    "SampleRatioMismatch": "Invalidate",
    "Aborted": "Abort",
    "SupersededBySpec": "Abort",
    "ModelDeleted": "Abort",
}


@dataclass(frozen=True)
class Situation:
    """One row: status and reason of the conditions, in words as `True Serving`."""

    kind: str
    name: str
    ready: str
    progressing: str
    degraded: str
    stalled: str
    kstatus: str
    argo: str  # Argo CD's health
    available: str = field(default="", kw_only=True)
    winner: str = field(default="", kw_only=True)
    decided: bool = field(default=False, kw_only=True)

    @property
    def body(self) -> dict[str, Any]:
        """Return the object as the API server would have it."""
        reason = self.progressing.split()[1]
        described = {
            "Ready": self.ready,
            "Progressing": self.progressing,
            "Reconciling": self.progressing,
            "Degraded": self.degraded,
            "Stalled": f"{self.stalled} {reason}",
            "Available": self.available,
        }
        conditions = [condition(kind, *words.split()) for kind, words in described.items() if words]
        status: dict[str, Any] = {"observedGeneration": 2, "conditions": conditions}
        if self.decided:
            verdict = {
                "verdict": VERDICTS.get(reason, "Conclude"),
                "reason": reason,
                "message": f"about {reason}",
            }
            status["decision"] = verdict | ({"winner": self.winner} if self.winner else {})
        metadata = {"name": "churn", "namespace": "team", "uid": "u", "generation": 2}
        return {"apiVersion": "assay.dev/v1alpha1", "kind": self.kind, "metadata": metadata, "status": status}


def condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    """Return a condition of the present generation."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": f"about {reason}",
        "observedGeneration": 2,
        "lastTransitionTime": MOMENT,
    }


def _model(name: str, *words: str) -> Situation:
    return Situation("Model", name, *words)


def _version(name: str, *words: str, available: str = "") -> Situation:
    return Situation("ModelVersion", name, *words, available=available)


def _undecided(name: str, *words: str) -> Situation:
    return Situation("Experiment", name, *words)


def _decided(name: str, reason: str, argo: str, *, good: bool = False, winner: str = "") -> Situation:
    degraded = f"True {reason}" if argo == "Degraded" else "False AsExpected"
    words = (
        f"{good} {reason}",
        f"False {reason}",
        degraded,
        str(not good),
        "Current" if good else "Failed",
        argo,
    )
    return Situation("Experiment", name, *words, winner=winner, decided=True)


FINE = "False AsExpected"
SERVES = "True Serving"
NONE = "False NoChampion"
MODELS = (
    _model("first version is made", NONE, "True Training", FINE, "False", "InProgress", "Progressing"),
    _model("first version starts", NONE, "True Starting", FINE, "False", "InProgress", "Progressing"),
    _model(
        "first version failed its gates or its training",
        *(NONE, "False GateFailed", "True GateFailed", "True", "Failed", "Degraded"),
    ),
    _model(
        "first version cannot start",
        *(NONE, "False VersionCannotStart", "True VersionCannotStart", "True", "Failed", "Degraded"),
    ),
    _model("serves what the spec asks for", SERVES, "False Idle", FINE, "False", "Current", "Healthy"),
    _model("next version is made", SERVES, "True Training", FINE, "False", "InProgress", "Progressing"),
    _model(
        "a failure that may pass is tried again",
        *(SERVES, "True RetryScheduled", FINE, "False", "InProgress", "Progressing"),
    ),
    _model(
        "it has failed as often as it is tried",
        *(SERVES, "False RetriesExhausted", "True RetriesExhausted", "True", "Failed", "Degraded"),
    ),
    _model(
        "next version failed its gates, its training or to start",
        *(SERVES, "False GateFailed", "True GateFailed", "True", "Failed", "Degraded"),
    ),
    _model(
        "Experiment waits or runs", SERVES, "True Experimenting", FINE, "False", "InProgress", "Progressing"
    ),
    _model(
        "promoted or replaced, and watched", SERVES, "True Baking", FINE, "False", "InProgress", "Progressing"
    ),
    _model(
        "the new champion failed while watched",
        *(SERVES, "False BakeFailed", "True BakeFailed", "True", "Failed", "Degraded"),
    ),
    _model(
        "the new champion answered worse while watched",
        *(SERVES, "False BakeBreached", "True BakeBreached", "True", "Failed", "Degraded"),
    ),
    _model(
        "Experiment rolled back or invalid",
        *(SERVES, "False GuardrailBreached", "True GuardrailBreached", "True", "Failed", "Degraded"),
    ),
    _model(
        "Experiment inconclusive or aborted, control kept",
        *(SERVES, "False OutOfTime", FINE, "True", "Failed", "Suspended"),
    ),
    _model(
        "a person promoted or rolled back against the spec",
        *(SERVES, "False PromotedByHand", FINE, "True", "Failed", "Suspended"),
    ),
    _model(
        "a person promoted a version whose pods start",
        *(SERVES, "True Starting", FINE, "False", "InProgress", "Progressing"),
    ),
    _model(
        "a verdict chose another version than the spec asks for",
        *(SERVES, "False Idle", FINE, "False", "Current", "Healthy"),
    ),
    _model(
        "champion has no ready pod",
        *("False ChampionDown", "False Idle", "True ChampionDown", "False", "InProgress", "Degraded"),
    ),
    _model(
        "a gateway refuses the route",
        *("False Refused", "False Idle", "True Refused", "False", "InProgress", "Degraded"),
    ),
    _model(
        "a child is refused (quota, admission)",
        *(SERVES, "True ChildRefused", "True ChildRefused", "False", "InProgress", "Degraded"),
    ),
    _model(
        "a name is taken",
        *("False NameTaken", "False NameTaken", "True NameTaken", "True", "Failed", "Degraded"),
    ),
    _model(
        "the spec cannot be used",
        *(SERVES, "False InvalidSpec", "True InvalidSpec", "True", "Failed", "Degraded"),
    ),
)
MADE = ("True GatesPassed", "False GatesPassed", FINE, "False", "Current", "Healthy")
VERSIONS = (
    _version("is made", "Unknown Training", "True Training", FINE, "False", "InProgress", "Progressing"),
    _version(
        "is not allowed, or is tried again",
        *("Unknown NotAllowed", "True NotAllowed", FINE, "False", "InProgress", "Progressing"),
    ),
    _version("passed its gates, has no pods yet", *MADE),
    _version(
        "its pods start",
        *("True GatesPassed", "True Starting", FINE, "False", "InProgress", "Progressing"),
        available="False PodTrouble",
    ),
    _version("its pods answer", *MADE, available="True Answering"),
    _version(
        "cannot start",
        *("True GatesPassed", "False VersionCannotStart", "True VersionCannotStart", "True"),
        *("Failed", "Degraded"),
        available="False DigestMismatch",
    ),
    _version("is not needed any more", *MADE, available="False ScaledToZero"),
    _version(
        "failed its gates or its training",
        *("False GateFailed", "False GateFailed", "True GateFailed", "True", "Failed", "Degraded"),
    ),
    _version(
        "was superseded before it was made",
        *("False Superseded", "False Superseded", FINE, "True", "Failed", "Suspended"),
    ),
)
RUNS = "Unknown Running"
EXPERIMENTS = (
    _undecided("waits to start", "Unknown Queued", "True Queued", FINE, "False", "InProgress", "Progressing"),
    _undecided(
        "runs, is held, or waits for approval",
        *(RUNS, "True StaleData", "False AllArmsHealthy", "False", "InProgress", "Progressing"),
    ),
    _undecided(
        "runs, is held, or waits for approval",
        *(RUNS, "True WaitingForApproval", "False AllArmsHealthy", "False", "InProgress", "Suspended"),
    ),
    _undecided(
        "runs, is held, or waits for approval",
        *(RUNS, "True Suspended", "False AllArmsHealthy", "False", "InProgress", "Suspended"),
    ),
    _undecided(
        "runs after an arm was dropped",
        *(RUNS, "True Running", "True ArmDropped", "False", "InProgress", "Degraded"),
    ),
    _decided("promoted; A/A equal; shadow over", "CandidateWins", "Healthy", good=True, winner="churn-2"),
    _decided("promoted; A/A equal; shadow over", "AAEqual", "Healthy", good=True),
    _decided("promoted; A/A equal; shadow over", "ShadowOver", "Healthy", good=True),
    _decided("inconclusive, `onInconclusive: Promote`", "OutOfTime", "Healthy", good=True, winner="churn-2"),
    _decided("inconclusive, control kept; not approved", "OutOfTime", "Suspended"),
    _decided("inconclusive, control kept; not approved", "NotApproved", "Suspended"),
    _decided("no data in time; A/A differs", "NoDataInTime", "Degraded"),
    _decided("no data in time; A/A differs", "AADiffers", "Degraded"),
    _decided("rolled back; invalid", "GuardrailBreached", "Degraded"),
    _decided("rolled back; invalid", "SampleRatioMismatch", "Degraded"),
    _decided("aborted; superseded; its Model was deleted", "Aborted", "Suspended"),
    _decided("aborted; superseded; its Model was deleted", "SupersededBySpec", "Suspended"),
    _decided("aborted; superseded; its Model was deleted", "ModelDeleted", "Suspended"),
    _undecided(
        "the spec cannot be used",
        *("False InvalidSpec", "False InvalidSpec", "True InvalidSpec", "True", "Failed", "Degraded"),
    ),
)
SITUATIONS = (*MODELS, *VERSIONS, *EXPERIMENTS)
