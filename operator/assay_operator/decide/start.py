"""May an Experiment start? The reasons why not, in the order in which a user would mend them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from assay_api import Experiment, Model, ModelVersion
from assay_api.condition import find, is_true
from assay_api.duration import milliseconds
from assay_api.names import ACKNOWLEDGE
from assay_api.reason import Reason
from assay_operator.decide.acknowledged import unacknowledged
from assay_operator.decide.analysis import plan
from assay_operator.decide.schema import Schema, demands


@dataclass(frozen=True)
class StartFacts:
    """What a new Experiment has around it."""

    experiment: Experiment
    model: Model | None
    versions: tuple[ModelVersion, ...]
    champion: str
    ahead: str | None  # the undecided Experiment of the same Model whose turn it is
    available: frozenset[str]
    schemas: Mapping[str, Schema] = field(default_factory=dict)  # of the arms' versions that tell one
    experiments: tuple[Experiment, ...] = ()  # all of the same Model

    def version(self, name: str) -> ModelVersion | None:
        """Return the version of that name."""
        return next((v for v in self.versions if v.metadata.name == name), None)


@dataclass(frozen=True)
class StartBlocker:
    """Why it has to wait."""

    phase: str
    reason: Reason
    message: str


Check = Callable[[StartFacts], StartBlocker | None]


def model_exists(facts: StartFacts) -> StartBlocker | None:
    """There is nothing to test without a Model."""
    name = facts.experiment.spec.model_ref.name
    return (
        None
        if facts.model
        else StartBlocker(
            "Pending", Reason.MODEL_NOT_FOUND, f"modelRef.name: no Model {name} in this namespace"
        )
    )


def design_can_be_planned(facts: StartFacts) -> StartBlocker | None:
    """The rules of the API leave nothing that the statistics refuse; if they do, it stops this one only."""
    try:
        plan(facts.experiment.spec)
    except (ValueError, ArithmeticError) as error:
        return StartBlocker("Invalid", Reason.INVALID_SPEC, f"metrics, decision: {error}")
    return None


def slow_answers_can_come(facts: StartFacts) -> StartBlocker | None:
    """A request that takes longer than the time-out is an error, so nothing is ever slower."""
    assert facts.model is not None
    timeout = facts.model.spec.serving.timeout
    for metric in facts.experiment.spec.metrics.every:
        if metric.slower_than and milliseconds(metric.slower_than) > milliseconds(timeout):
            words = (
                f"metrics[{metric.name}].slowerThan is {metric.slower_than}, but the Model's serving.timeout "
                f"ends requests after {timeout}: nothing is ever counted; lower slowerThan"
            )
            return StartBlocker("Invalid", Reason.INVALID_SPEC, words)
    return None


def versions_exist(facts: StartFacts) -> StartBlocker | None:
    """Every arm names a version of this Model."""
    for arm in facts.experiment.spec.arms:
        if facts.version(arm.version) is None:
            known = ", ".join(v.metadata.name for v in facts.versions) or "none"
            words = (
                f"arms[{arm.name}].version: no ModelVersion {arm.version} of this Model; there are: {known}"
            )
            return StartBlocker("Pending", Reason.VERSION_NOT_FOUND, words)
    return None


def no_experiment_ahead(facts: StartFacts) -> StartBlocker | None:
    """One Experiment of a Model at a time: two would confuse each other's units."""
    return (
        StartBlocker("Queued", Reason.QUEUED, f"waits for Experiment {facts.ahead} of the same Model")
        if facts.ahead
        else None
    )


def aa_is_acknowledged(facts: StartFacts) -> StartBlocker | None:
    """Where equal arms differed, a difference between others says nothing."""
    if facts.experiment.spec.mode != "AB" or (aa := unacknowledged(facts.experiments)) is None:
        return None
    words = (
        f"A/A test {aa.metadata.name} found a difference between equal arms; find its cause, then annotate "
        f"it with {ACKNOWLEDGE}"
    )
    return StartBlocker("Pending", Reason.AA_UNACKNOWLEDGED, words)


def versions_are_ready(facts: StartFacts) -> StartBlocker | None:
    """A version that failed its gates gets no traffic."""
    for arm in facts.experiment.spec.arms:
        version = facts.version(arm.version)
        if version and not is_true(version.status.conditions, "Ready"):
            ready = find(version.status.conditions, "Ready")
            why = ready.message if ready else "not judged yet"
            return StartBlocker("Pending", Reason.VERSION_NOT_READY, f"{arm.version}: {why}")
    return None


def control_is_champion(facts: StartFacts) -> StartBlocker | None:
    """Whoever is not enrolled sees the champion; the control must be the same, or it compares with nobody."""
    control = facts.experiment.spec.control
    if control.version == facts.champion:
        return None
    champion = facts.champion or "not known yet"
    words = f"arms[{control.name}].version is {control.version}, but the champion is {champion}"
    return StartBlocker("Pending", Reason.CONTROL_IS_NOT_CHAMPION, words)


def arms_answer(facts: StartFacts) -> StartBlocker | None:
    """No unit is sent to pods that are not there yet."""
    for arm in facts.experiment.spec.arms:
        version = facts.version(arm.version)
        if version and arm.version not in facts.available:
            available = find(version.status.conditions, "Available")
            why = available.message if available else "pods are starting"
            return StartBlocker("Pending", Reason.ARM_NOT_READY, f"{arm.version}: {why}")
    return None


def schemas_agree(facts: StartFacts) -> StartBlocker | None:
    """Callers send what the champion takes; a version that asks for more or other would refuse them."""
    spec = facts.experiment.spec
    before = facts.schemas.get(spec.control.version)
    if spec.allow_schema_change or spec.mode != "AB" or before is None:
        return None
    for arm in spec.candidates:
        if (after := facts.schemas.get(arm.version)) is None:
            continue  # it tells none: an image of one's own need not
        if before.pending or after.pending:
            words = "the schemas of the arms are being read"
            return StartBlocker("Pending", Reason.ARM_NOT_READY, words)
        if new := demands(before, after):
            words = f"{arm.version} asks for other rows than {spec.control.version}: {new}"
            return StartBlocker("Pending", Reason.SCHEMA_CHANGED, words)
    return None


CHECKS: tuple[Check, ...] = (
    model_exists,
    design_can_be_planned,
    slow_answers_can_come,
    versions_exist,
    no_experiment_ahead,
    aa_is_acknowledged,
    versions_are_ready,
    control_is_champion,
    arms_answer,  # late, as pods are only started for who may run
    schemas_agree,  # after it, as pods tell their schema
)


def start_blocker(facts: StartFacts) -> StartBlocker | None:
    """Return the first start_blocker, or None if it may start."""
    return next((no for check in CHECKS if (no := check(facts))), None)


def active_experiment(experiments: tuple[Experiment, ...]) -> Experiment | None:
    """Return the Experiment that runs or is next: who has started, else the oldest undecided one."""
    undecided = [e for e in experiments if e.status.decision is None and not e.metadata.deletion_timestamp]
    started = [e for e in undecided if e.status.started_at]
    return next(iter(started or undecided), None)
