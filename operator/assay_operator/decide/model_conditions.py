"""A Model's conditions: whether it answers, what is under way or wrong, whether anything is left to try.

The tables of docs/concepts.md say what holds in each situation. Each check of `PROGRESS` looks at one
situation; the first that applies says what Progressing, Reconciling, Stalled and Degraded are.
"""

from collections.abc import Callable
from dataclasses import dataclass

from assay_api import ModelVersion
from assay_api.condition import find
from assay_api.experiment_status import Verdict
from assay_api.model import Alert
from assay_api.reason import REASONS, Reason
from assay_operator.decide.bake import BY_BAKE, guardrail_note
from assay_operator.decide.champion import baking_after, open_order
from assay_operator.decide.desired_condition import DesiredCondition, flag, progress
from assay_operator.decide.rollout import RolloutFacts, experiment_to_make
from assay_operator.decide.start import active_experiment


@dataclass(frozen=True)
class ModelFacts:
    """What a Model's conditions depend on.

    Attributes:
        rollout: Versions, Experiments and who is champion, after this pass.
        programmed: Whether every gateway has the route.
        refused: Whether a gateway refuses it.
        route_message: The same in words.
        obstacle: Why an object of the Model itself cannot be: reason and message; None if all can.
        alerts: Drift alerts that fire.
        design_changed: Whether the rollout template was edited while its Experiment runs.
    """

    rollout: RolloutFacts
    programmed: bool
    refused: bool
    route_message: str
    obstacle: tuple[Reason, str] | None = None
    alerts: tuple[Alert, ...] = ()
    design_changed: bool = False

    @property
    def requested(self) -> ModelVersion | None:
        """The version that the spec asks for."""
        return self.rollout.requested

    @property
    def champion_answers(self) -> bool:
        """Whether the champion has a ready pod."""
        return self.rollout.champion in self.rollout.available


@dataclass(frozen=True)
class Situation:
    """What is under way, and what is wrong with it."""

    reason: Reason
    message: str
    active: bool = False
    stalled: bool = False
    degraded: bool = False
    trouble: Reason | None = None  # what is wrong, where that is not why it waits


Check = Callable[[ModelFacts], Situation | None]


def name_is_taken(facts: ModelFacts) -> Situation | None:
    """An object of somebody else has a name that the Model needs, or the API server refuses one."""
    if facts.obstacle is None:
        return None
    reason, message = facts.obstacle
    final = reason == Reason.NAME_TAKEN
    return Situation(reason, message, active=not final, stalled=final, degraded=True)


def order_waits(facts: ModelFacts) -> Situation | None:
    """A person promotes a version whose pods are not ready yet."""
    order = open_order(facts.rollout)
    if order is None or not order.version or order.version == facts.rollout.champion:
        return None
    words = f"{order.version} is promoted by hand as soon as its pods are ready"
    return Situation(Reason.STARTING, words, active=True)


def experiment_runs(facts: ModelFacts) -> Situation | None:
    """An Experiment runs or waits; its own condition says what for."""
    running = active_experiment(facts.rollout.experiments)
    if running is None:
        return None
    known = find(running.status.conditions, "Progressing")
    words = f"{running.metadata.name}: {known.message if known else 'begins'}"
    if facts.design_changed:
        words += "; rollout.experiment was edited: the running one keeps its design, the next one has the new"
    return Situation(Reason.EXPERIMENTING, words, active=True)


def version_is_made(facts: ModelFacts) -> Situation | None:
    """The version that the spec asks for is being made."""
    version = facts.requested
    if version is None:
        return Situation(Reason.TRAINING, "a version is being made", active=True)
    ready = find(version.status.conditions, "Ready")
    if ready is None or ready.status == "Unknown":
        reason = Reason(ready.reason) if ready else Reason.TRAINING
        words = ready.message if ready else "it begins"
        bad = REASONS[reason].severity == "Warning"
        return Situation(reason, f"{version.metadata.name}: {words}", active=True, degraded=bad)
    return None


def version_failed(facts: ModelFacts) -> Situation | None:
    """It could not be made, or missed a gate."""
    version = facts.requested
    ready = find(version.status.conditions, "Ready") if version else None
    if version is None or ready is None or ready.status != "False":
        return None
    words = f"{version.metadata.name}: {ready.message}"
    return Situation(Reason(ready.reason), words, stalled=True, degraded=True)


def champion_was_rolled_back(facts: ModelFacts) -> Situation | None:
    """The last change of the champion went back to a former one: by itself, or by a person."""
    history = facts.rollout.history
    if not history or facts.rollout.request_is_open or _serves_request(facts):
        return None
    if history[0].cause in BY_BAKE:
        return Situation(Reason(history[0].cause), history[0].reason, stalled=True, degraded=True)
    if history[0].cause == "Order":
        order = facts.rollout.model.status.state.order
        back = order is not None and order.order.startswith("assay.dev/rollback")
        reason = Reason.ROLLED_BACK_BY_HAND if back else Reason.PROMOTED_BY_HAND
        words = f"{history[0].version} serves {history[0].reason}; the spec asks for {_request(facts)}"
        return Situation(reason, words, stalled=True)
    return None


def champion_bakes(facts: ModelFacts) -> Situation | None:
    """A new champion is watched while the former one is warm."""
    former = baking_after(facts.rollout)
    if former is None:
        return None
    words = f"{facts.rollout.champion} is watched; {former} is kept warm"
    if note := guardrail_note(facts.rollout.model, facts.rollout.bake, facts.rollout.now):
        words += f"; {note}"
    return Situation(Reason.BAKING, words, active=True)


def request_is_served(facts: ModelFacts) -> Situation | None:
    """What the spec asks for is champion."""
    if not _serves_request(facts):
        return None
    return Situation(Reason.IDLE, "no training or experiment in progress")


def request_lost(facts: ModelFacts) -> Situation | None:
    """Its Experiment ended, and it did not win."""
    verdict = _verdict(facts)
    if verdict is None or experiment_to_make(facts.rollout, facts.rollout.champion):
        return None
    reason = Reason(verdict.reason)
    bad = REASONS[reason].severity == "Warning"
    words = f"{_request(facts)} did not win: {verdict.message}"
    return Situation(reason, words, stalled=True, degraded=bad)


def request_starts(facts: ModelFacts) -> Situation | None:
    """It passed its gates and shall take over, or be tested, as soon as its pods are ready."""
    version = facts.requested
    if version is None or not facts.rollout.request_is_open:
        return None
    known = find(version.status.conditions, "Progressing")
    stalled = find(version.status.conditions, "Stalled")
    if known and stalled and stalled.status == "True":
        words = f"{version.metadata.name}: {known.message}"
        return Situation(Reason(known.reason), words, stalled=True, degraded=True)
    words = f"{version.metadata.name}: {known.message if known else 'pods are starting'}"
    troubled = find(version.status.conditions, "Degraded")
    trouble = Reason(troubled.reason) if troubled and troubled.status == "True" else None
    return Situation(Reason.STARTING, words, active=True, trouble=trouble)


def another_was_chosen(facts: ModelFacts) -> Situation | None:
    """A verdict made another version champion than the spec asks for."""
    words = f"{facts.rollout.champion} serves"
    if facts.rollout.history:
        words += f": {facts.rollout.history[0].reason}; the spec asks for {_request(facts)}"
    return Situation(Reason.IDLE, words)


PROGRESS: tuple[Check, ...] = (
    name_is_taken,
    order_waits,
    experiment_runs,
    version_is_made,
    version_failed,
    champion_was_rolled_back,
    champion_bakes,
    request_is_served,
    request_lost,
    request_starts,
    another_was_chosen,
)


def conditions(facts: ModelFacts) -> tuple[DesiredCondition, ...]:
    """Return every condition of a Model."""
    now = next(found for check in PROGRESS if (found := check(facts)))
    return (
        _ready(facts),
        *progress(now.reason, now.message, active=now.active, stalled=now.stalled),
        _degraded(facts, now),
        _drift(facts.alerts),
    )


def _ready(facts: ModelFacts) -> DesiredCondition:
    champion = facts.rollout.champion
    if facts.obstacle and facts.obstacle[0] == Reason.NAME_TAKEN and not facts.champion_answers:
        return DesiredCondition("Ready", "False", *facts.obstacle)
    if not champion:
        return DesiredCondition("Ready", "False", Reason.NO_CHAMPION, _why_no_champion(facts))
    if not facts.champion_answers:
        return DesiredCondition("Ready", "False", Reason.CHAMPION_DOWN, _why_down(facts))
    if not facts.programmed:
        reason = Reason.REFUSED if facts.refused else Reason.NOT_PROGRAMMED_YET
        return DesiredCondition("Ready", "False", reason, facts.route_message)
    return DesiredCondition("Ready", "True", Reason.SERVING, f"{champion} answers")


def _why_no_champion(facts: ModelFacts) -> str:
    version = facts.requested
    if version is None:
        return "the first version is being made"
    for kind in ("Ready", "Available"):
        known = find(version.status.conditions, kind)
        if known and known.status != "True":
            return f"{version.metadata.name}: {known.message}"
    return f"{version.metadata.name} is starting"


def _why_down(facts: ModelFacts) -> str:
    name = facts.rollout.champion
    version = facts.rollout.version(name)
    if version is None:
        return (
            f"ModelVersion {name} was deleted, and no former champion is left; `assay promote` names another"
        )
    available = find(version.status.conditions, "Available")
    down = available and available.status == "False"
    return available.message if available and down else f"{name} has no ready pod"


def _degraded(facts: ModelFacts, now: Situation) -> DesiredCondition:
    """What hurts users first: the champion, the route, then what is under way."""
    ready = _ready(facts)
    if ready.reason in {Reason.CHAMPION_DOWN, Reason.REFUSED, Reason.NAME_TAKEN}:
        return DesiredCondition("Degraded", "True", ready.reason, ready.message)
    if now.degraded or now.trouble:
        return DesiredCondition("Degraded", "True", now.trouble or now.reason, now.message)
    words = "what the spec asks for serves, or is on its way"
    return DesiredCondition("Degraded", "False", Reason.AS_EXPECTED, words)


def _drift(alerts: tuple[Alert, ...]) -> DesiredCondition:
    names = ", ".join(sorted({alert.name for alert in alerts}))
    if not names:
        return DesiredCondition("DriftDetected", "False", Reason.NO_ACTIVE_ALERTS, "no drift alert is firing")
    return DesiredCondition("DriftDetected", flag(of=True), Reason.ALERT_FIRES, names)


def _serves_request(facts: ModelFacts) -> bool:
    version = facts.requested
    return version is not None and version.metadata.name == facts.rollout.champion


def _request(facts: ModelFacts) -> str:
    return facts.requested.metadata.name if facts.requested else "a version that is yet to be made"


def _verdict(facts: ModelFacts) -> Verdict | None:
    """Return how the requested version's newest Experiment ended."""
    ended = [
        e.status.decision
        for e in facts.rollout.experiments
        if e.status.decision
        and e.spec.mode == "AB"
        and _request(facts) in {arm.version for arm in e.spec.candidates}
    ]
    return ended[-1] if ended else None
