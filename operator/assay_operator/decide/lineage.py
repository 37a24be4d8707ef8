"""Which version of a Model should serve, which one wants to, and what must be made for that."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from assay_api import Experiment, Model, ModelVersion
from assay_api.condition import is_true
from assay_api.duration import span
from assay_api.model import Reign
from assay_api.names import MADE_BY_MODEL, RETRAIN, experiment_name, version_number
from assay_operator.decide.start import whose_turn

_REIGNS = 20


@dataclass(frozen=True)
class Kin:
    """A Model and all that belongs to it, as far as its lineage is concerned."""

    model: Model
    versions: tuple[ModelVersion, ...]  # by number
    experiments: tuple[Experiment, ...]
    available: frozenset[str]  # versions whose pods are ready
    digest: str  # of the source that the spec asks for
    now: datetime

    def version(self, name: str) -> ModelVersion | None:
        """Return the version of that name."""
        return next((v for v in self.versions if v.metadata.name == name), None)

    @property
    def window(self) -> timedelta:
        """How long a former champion is kept warm."""
        return span(self.model.spec.rollout.rollback_window)


@dataclass(frozen=True)
class Lineage:
    """What follows: who reigns, who is next, and what is missing."""

    champion: str
    history: tuple[Reign, ...]
    wanted: str = ""  # the version of the present spec
    make_version: int | None = None  # its number
    again: bool = False  # whether it repeats one that is there
    make_experiment: str | None = None
    generation: int = 0  # that brought the present source
    warm: frozenset[str] = frozenset()  # versions that must be able to answer
    awaited: frozenset[str] = frozenset()  # versions that somebody waits for: the spec, or an Experiment


def lineage(kin: Kin) -> Lineage:
    """Return where the Model stands; the same for the same input, whenever it is asked."""
    status = kin.model.status
    same = status.source_digest == kin.digest
    generation = status.source_generation if same else kin.model.metadata.generation
    wanted = asked_for(kin.model, kin.versions, kin.digest)
    line = Lineage(status.champion, status.history, generation=generation)
    if wanted is None:
        number = max([status.latest, *(v.spec.number for v in kin.versions)]) + 1
        line = replace(line, make_version=number, again=made_from(kin.versions, kin.digest) is not None)
    else:
        line = replace(line, wanted=wanted.metadata.name)
    line = _crowned(kin, line, wanted)
    line = replace(line, make_experiment=_experiment(kin, line, wanted))
    return replace(line, warm=_warm(kin, line, wanted), awaited=_awaited(kin, line))


def predecessor(versions: tuple[ModelVersion, ...], version: ModelVersion) -> ModelVersion | None:
    """Return the newest trained version before this one, whose contract it inherits."""
    older = (v for v in reversed(versions) if v.spec.number < version.spec.number)
    return next((v for v in older if v.spec.source.training and v.status.artifact), None)


def asked_for(model: Model, versions: tuple[ModelVersion, ...], digest: str) -> ModelVersion | None:
    """Return the version that the spec asks for: made from it, and newer than what is not used again."""
    used_up = version_number(model.metadata.annotations.get(RETRAIN, ""))
    return made_from(tuple(v for v in versions if v.spec.number > used_up), digest)


def made_from(versions: tuple[ModelVersion, ...], digest: str) -> ModelVersion | None:
    """Return the newest version that was made from this source."""
    return next((v for v in reversed(versions) if v.spec.source_digest == digest), None)


def _crowned(kin: Kin, line: Lineage, wanted: ModelVersion | None) -> Lineage:
    """Change the champion where somebody has earned it."""
    for heir, reason in (_winner(kin, line), _restored(kin, line, wanted), _successor(kin, line, wanted)):
        if heir and heir != line.champion and heir in kin.available:
            reign = Reign(version=heir, since=kin.now, reason=reason)
            return replace(line, champion=heir, history=(reign, *line.history)[:_REIGNS])
    return line


Claim = tuple[str, str]
NOBODY: Claim = ("", "")


def _winner(kin: Kin, line: Lineage) -> Claim:
    """Who beat the present champion, after it came to power."""
    since = line.history[0].since if line.history else None
    for experiment in reversed(kin.experiments):
        decision = experiment.status.decision
        if decision is None or decision.winner is None or (since and decision.at < since):
            continue
        if experiment.spec.control.version == line.champion:
            return decision.winner, f"won Experiment {experiment.metadata.name}"
    return NOBODY


def _restored(kin: Kin, line: Lineage, wanted: ModelVersion | None) -> Claim:
    """The spec went back to a former champion that is still warm."""
    if wanted and wanted.metadata.name in former(kin, line.history):
        return wanted.metadata.name, "restored within the rollback window"
    return NOBODY


def former(kin: Kin, history: tuple[Reign, ...]) -> frozenset[str]:
    """Return the champions whose reign ended within the rollback window."""
    ends = zip(history[1:], history[:-1], strict=True)
    return frozenset(old.version for old, new in ends if kin.now - new.since < kin.window)


def _successor(kin: Kin, line: Lineage, wanted: ModelVersion | None) -> Claim:
    """The first version has nobody to beat; and strategy Replace asks for no proof."""
    if wanted is None or not is_true(wanted.status.conditions, "Ready"):
        return NOBODY
    if not line.champion or kin.version(line.champion) is None:
        return wanted.metadata.name, "the first version"
    if kin.model.spec.rollout.strategy == "Replace":
        return wanted.metadata.name, "strategy Replace"
    return NOBODY


def _experiment(kin: Kin, line: Lineage, wanted: ModelVersion | None) -> str | None:
    """Return the name of the Experiment that the wanted version still has to win."""
    if wanted is None or kin.model.spec.rollout.strategy != "Experiment" or not line.champion:
        return None
    if wanted.metadata.name == line.champion or not is_true(wanted.status.conditions, "Ready"):
        return None
    if wanted.metadata.name in former(kin, line.history):
        return None  # about to be restored
    name = experiment_name(wanted.metadata.name, line.generation)
    made = {e.metadata.name for e in kin.experiments} | {kin.model.status.experiment}
    return None if name in made else name


def superseded(experiment: Experiment, wanted: str) -> bool:
    """Tell whether an Experiment that the Model made tests a version that nobody wants any more."""
    ours = experiment.metadata.labels.get(MADE_BY_MODEL) == "true"
    return ours and wanted not in {arm.version for arm in experiment.spec.candidates}


def _awaited(kin: Kin, line: Lineage) -> frozenset[str]:
    """Return the versions that are worth making: a training that nobody waits for is ended."""
    undecided = [e for e in kin.experiments if e.status.decision is None and not superseded(e, line.wanted)]
    tested = {arm.version for experiment in undecided for arm in experiment.spec.arms}
    return frozenset(tested | {line.wanted} - {""})


def _warm(kin: Kin, line: Lineage, wanted: ModelVersion | None) -> frozenset[str]:
    """Return the versions that must be able to answer: who serves, who is tested, who may come back."""
    warm = {line.champion} | former(kin, line.history)
    if running := whose_turn(kin.experiments):
        warm |= {arm.version for arm in running.spec.arms if _may_serve(kin, arm.version)}
    first = not line.champion or kin.model.spec.rollout.strategy == "Replace"
    if wanted and first and is_true(wanted.status.conditions, "Ready"):
        warm.add(wanted.metadata.name)
    return frozenset(warm - {""})


def _may_serve(kin: Kin, name: str) -> bool:
    version = kin.version(name)
    return version is not None and is_true(version.status.conditions, "Ready")


def expendable(kin: Kin, line: Lineage) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the versions and the finished Experiments that the history need not keep."""
    keep = kin.model.spec.history.keep
    needed = line.warm | line.awaited | {line.champion, kin.model.status.champion}
    spare = [v.metadata.name for v in kin.versions if v.metadata.name not in needed]
    ended = [
        e for e in kin.experiments if e.status.decision and e.metadata.labels.get(MADE_BY_MODEL) == "true"
    ]
    old = [e.metadata.name for e in ended[:-keep]]
    bound = max(keep - len(needed & {v.metadata.name for v in kin.versions}), 0)
    return tuple(spare[: len(spare) - bound]), tuple(old)
