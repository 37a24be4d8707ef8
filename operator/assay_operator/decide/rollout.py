"""Which versions of a Model matter: the one that its spec asks for, those kept warm, those to make."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from assay_api import Experiment, Model, ModelVersion
from assay_api.condition import is_true
from assay_api.duration import span
from assay_api.model import ChampionRecord, ModelState
from assay_api.names import MADE_BY_MODEL, RETRAIN, experiment_generation, experiment_name, version_number
from assay_api.reason import Reason
from assay_operator.decide.bake import NOT_READ, BakeReading
from assay_operator.decide.start import active_experiment

_RESTARTABLE = {"Abort", "Invalidate", "Conclude"}  # verdicts after which a changed design is tried anew


@dataclass(frozen=True)
class RolloutFacts:
    """A Model with its versions and Experiments, as far as rollouts are concerned.

    Attributes:
        model: The Model.
        versions: By number.
        experiments: By age, with their newest status; those being deleted are left out.
        available: Versions with a ready endpoint.
        source_digest: Of the source that the spec asks for.
        design_digest: Of the source and of the Experiment that the rollout template makes of it.
        now: The moment, in microseconds.
        bake: What the collector knows of a champion that is watched.
    """

    model: Model
    versions: tuple[ModelVersion, ...]
    experiments: tuple[Experiment, ...]
    available: frozenset[str]
    source_digest: str
    design_digest: str
    now: datetime
    bake: BakeReading = NOT_READ

    def version(self, name: str) -> ModelVersion | None:
        """Return the version of that name."""
        return next((v for v in self.versions if v.metadata.name == name), None)

    @cached_property
    def state(self) -> ModelState:
        """The remembered state, brought up to the present spec."""
        state, generation = self.model.status.state, self.model.metadata.generation
        retrain = self.model.metadata.annotations.get(RETRAIN, "")[:63]
        same_source = state.source_digest == self.source_digest
        same_request = same_source and state.retrain == retrain
        same_design = state.design_digest == self.design_digest
        news = {
            "source_digest": self.source_digest,
            "source_generation": state.source_generation if same_source else generation,
            "retrain": retrain,
            "request": state.request + (not same_request),
            "design_digest": self.design_digest,
            "design_generation": state.design_generation if same_design else generation,
        }
        return state.changed(**news)

    @cached_property
    def requested(self) -> ModelVersion | None:
        """The version that the spec asks for; None while it is yet to be made."""
        return requested(self.model, self.versions, self.source_digest)

    @property
    def champion(self) -> str:
        """The present champion."""
        return self.model.status.champion

    @property
    def history(self) -> tuple[ChampionRecord, ...]:
        """Champions, newest first."""
        return self.model.status.history

    @property
    def request_is_open(self) -> bool:
        """Whether the spec asks for a version that has not been champion since it asked."""
        return self.state.request > self.state.served_request

    @property
    def rollback_window(self) -> timedelta:
        """How long a former champion is kept warm."""
        return span(self.model.spec.rollout.rollback_window)

    def former(self, history: tuple[ChampionRecord, ...]) -> frozenset[str]:
        """Return the champions that were replaced within the rollback window."""
        ends = zip(history[1:], history[:-1], strict=True)
        return frozenset(old.version for old, new in ends if self.now - new.since < self.rollback_window)


def requested(model: Model, versions: tuple[ModelVersion, ...], digest: str) -> ModelVersion | None:
    """Return the version that the spec asks for: made from it, and newer than what is not used again."""
    used_up = version_number(model.metadata.annotations.get(RETRAIN, ""))
    return made_from(tuple(v for v in versions if v.spec.number > used_up), digest)


def made_from(versions: tuple[ModelVersion, ...], digest: str) -> ModelVersion | None:
    """Return the newest version that was made from this source."""
    return next((v for v in reversed(versions) if v.spec.source_digest == digest), None)


def predecessor(versions: tuple[ModelVersion, ...], version: ModelVersion) -> ModelVersion | None:
    """Return the newest trained version before this one, whose contract it inherits."""
    older = (v for v in reversed(versions) if v.spec.number < version.spec.number)
    return next((v for v in older if v.spec.source.training and v.status.artifact), None)


def next_number(facts: RolloutFacts) -> int:
    """Return the number of the next version; numbers are never used again."""
    return max([facts.model.status.state.latest, *(v.spec.number for v in facts.versions)]) + 1


def experiment_to_make(facts: RolloutFacts, champion: str) -> str | None:
    """Return the name of the Experiment that the requested version still has to win.

    One Experiment for a design. A changed design is a new one, unless the last one showed that the version is
    worse; a version that was champion since the spec asked for it has nothing to prove.
    """
    version = facts.requested
    if version is None or not champion or facts.model.spec.rollout.strategy != "Experiment":
        return None
    if version.metadata.name == champion or not facts.request_is_open or not is_ready(version):
        return None
    if version.metadata.name in facts.former(facts.history):
        return None  # about to be restored
    tried = _tried(facts, version)
    name = experiment_name(version.metadata.name, facts.state.design_generation)
    if tried and _is_superseded(tried[-1]) and tried[-1].spec.control.version != champion:
        name += f"-{len(tried) + 1}"  # the same design against another champion
    elif tried and not _may_be_tried_again(tried[-1]):
        return None
    made = {e.metadata.name for e in facts.experiments} | {facts.state.experiment}
    return None if name in made else name


def newest_made(facts: RolloutFacts) -> str:
    """Return the name of the newest Experiment that the Model made, be it deleted since."""
    names = [e.metadata.name for e in facts.experiments if made_by_model(e)]
    return max((facts.state.experiment, *names), key=_order_of)


def _order_of(name: str) -> tuple[int, int, str]:
    return experiment_generation(name), version_number(name.rpartition("-g")[0]), name


def _tried(facts: RolloutFacts, version: ModelVersion) -> list[Experiment]:
    """Return the Experiments that the Model made of a version since its spec asks for it, by age."""
    since = facts.state.source_generation
    return [
        e
        for e in facts.experiments
        if made_by_model(e)
        and version.metadata.name in {arm.version for arm in e.spec.candidates}
        and experiment_generation(e.metadata.name) >= since
    ]


def _is_superseded(experiment: Experiment) -> bool:
    decision = experiment.status.decision
    return decision is not None and decision.reason == Reason.SUPERSEDED_BY_SPEC


def _may_be_tried_again(experiment: Experiment) -> bool:
    """Whether it ended without showing that the candidate is worse."""
    decision = experiment.status.decision
    return decision is not None and decision.verdict in _RESTARTABLE


def superseded(experiment: Experiment, requested_name: str) -> bool:
    """Tell whether an Experiment that the Model made tests a version that the spec no longer asks for."""
    candidates = {arm.version for arm in experiment.spec.candidates}
    return made_by_model(experiment) and requested_name not in candidates


def made_by_model(experiment: Experiment) -> bool:
    """Tell whether the operator made it from the Model's rollout template."""
    return experiment.metadata.labels.get(MADE_BY_MODEL) == "true"


def awaited(facts: RolloutFacts, requested_name: str) -> frozenset[str]:
    """Return the versions that are worth making: a training that nobody waits for is ended."""
    undecided = [
        e for e in facts.experiments if e.status.decision is None and not superseded(e, requested_name)
    ]
    tested = {arm.version for experiment in undecided for arm in experiment.spec.arms}
    return frozenset(tested | {requested_name} - {""})


def warm(
    facts: RolloutFacts, champion: str, history: tuple[ChampionRecord, ...], ordered: str
) -> frozenset[str]:
    """Return the versions that must be able to answer.

    Args:
        facts: The Model's.
        champion: Who serves after this pass.
        history: Of champions, after this pass.
        ordered: The version that a person wants promoted; empty if nobody does.
    """
    names = {champion} | facts.former(history)
    if running := active_experiment(facts.experiments):
        names |= {arm.version for arm in running.spec.arms if _may_serve(facts, arm.version)}
    if ordered and _may_serve(facts, ordered):
        names.add(ordered)
    version = facts.requested
    alone = not champion or facts.model.spec.rollout.strategy == "Replace"
    if version and alone and facts.request_is_open and is_ready(version):
        names.add(version.metadata.name)
    return frozenset(names - {""})


def named_in_template(facts: RolloutFacts) -> frozenset[str]:
    """Return the versions that the next Experiment tests besides the new one."""
    template = facts.model.spec.rollout.experiment
    return frozenset(arm.version for arm in template.arms if arm.version) if template else frozenset()


def is_ready(version: ModelVersion) -> bool:
    """Tell whether a version is made and passed its gates."""
    return is_true(version.status.conditions, "Ready")


def _may_serve(facts: RolloutFacts, name: str) -> bool:
    version = facts.version(name)
    return version is not None and is_ready(version)


def expendable(
    facts: RolloutFacts, needed: frozenset[str]
) -> tuple[tuple[ModelVersion, ...], tuple[Experiment, ...]]:
    """Return the versions and the finished Experiments that the history need not keep, oldest first."""
    keep = facts.model.spec.history.keep
    spare = [v for v in facts.versions if v.metadata.name not in needed]
    bound = max(keep - (len(facts.versions) - len(spare)), 0)
    ended = [e for e in facts.experiments if e.status.decision and made_by_model(e)]
    return tuple(spare[: len(spare) - bound]), tuple(ended[:-keep])
