"""May an Experiment start? The reasons why not, in the order in which a user would mend them."""

from collections.abc import Callable
from dataclasses import dataclass

from assay_api import Experiment, Model, ModelVersion
from assay_api.condition import find, is_true


@dataclass(frozen=True)
class Waiting:
    """What a new Experiment has around it."""

    experiment: Experiment
    model: Model | None
    versions: tuple[ModelVersion, ...]
    champion: str
    ahead: str | None  # the undecided Experiment of the same Model whose turn it is
    available: frozenset[str]

    def version(self, name: str) -> ModelVersion | None:
        """Return the version of that name."""
        return next((v for v in self.versions if v.metadata.name == name), None)


@dataclass(frozen=True)
class Objection:
    """Why it has to wait."""

    phase: str
    reason: str
    message: str


Check = Callable[[Waiting], Objection | None]


def model_exists(seen: Waiting) -> Objection | None:
    """There is nothing to test without a Model."""
    name = seen.experiment.spec.model_ref.name
    return (
        None
        if seen.model
        else Objection("Pending", "ModelNotFound", f"modelRef.name: no Model {name} in this namespace")
    )


def versions_exist(seen: Waiting) -> Objection | None:
    """Every arm names a version of this Model."""
    for arm in seen.experiment.spec.arms:
        if seen.version(arm.version) is None:
            known = ", ".join(v.metadata.name for v in seen.versions) or "none"
            words = (
                f"arms[{arm.name}].version: no ModelVersion {arm.version} of this Model; there are: {known}"
            )
            return Objection("Pending", "VersionNotFound", words)
    return None


def it_is_its_turn(seen: Waiting) -> Objection | None:
    """One Experiment of a Model at a time: two would confuse each other's units."""
    return (
        Objection("Queued", "Queued", f"waits for Experiment {seen.ahead} of the same Model")
        if seen.ahead
        else None
    )


def versions_are_ready(seen: Waiting) -> Objection | None:
    """A version that failed its gates gets no traffic."""
    for arm in seen.experiment.spec.arms:
        version = seen.version(arm.version)
        if version and not is_true(version.status.conditions, "Ready"):
            ready = find(version.status.conditions, "Ready")
            why = ready.message if ready else "not judged yet"
            return Objection("Pending", "VersionNotReady", f"{arm.version}: {why}")
    return None


def control_is_champion(seen: Waiting) -> Objection | None:
    """Whoever is not enrolled sees the champion; the control must be the same, or it compares with nobody."""
    control = seen.experiment.spec.control
    if control.version == seen.champion:
        return None
    champion = seen.champion or "not known yet"
    words = f"arms[{control.name}].version is {control.version}, but the champion is {champion}"
    return Objection("Pending", "ControlIsNotChampion", words)


def arms_answer(seen: Waiting) -> Objection | None:
    """No unit is sent to pods that are not there yet."""
    for arm in seen.experiment.spec.arms:
        version = seen.version(arm.version)
        if version and arm.version not in seen.available:
            available = find(version.status.conditions, "Available")
            why = available.message if available else "pods are starting"
            return Objection("Pending", "ArmNotReady", f"{arm.version}: {why}")
    return None


CHECKS: tuple[Check, ...] = (
    model_exists,
    versions_exist,
    it_is_its_turn,
    versions_are_ready,
    control_is_champion,
    arms_answer,  # last, as pods are only started for who may run
)


def objection(seen: Waiting) -> Objection | None:
    """Return the first objection, or None if it may start."""
    return next((no for check in CHECKS if (no := check(seen))), None)


def whose_turn(experiments: tuple[Experiment, ...]) -> Experiment | None:
    """Return the Experiment that runs or is next: who has started, else the oldest undecided one."""
    undecided = [e for e in experiments if e.status.decision is None and not e.metadata.deletion_timestamp]
    started = [e for e in undecided if e.status.started_at]
    return next(iter(started or undecided), None)
