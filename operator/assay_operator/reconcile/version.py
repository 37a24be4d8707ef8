"""A ModelVersion: trained once, judged once, then served for as long as somebody needs it."""

import json
from dataclasses import dataclass, field

from assay_api import Condition, Model, ModelVersion, Ref, VersionStatus, merged
from assay_api.condition import find
from assay_api.names import trainer_name
from assay_api.serving import Serving
from assay_operator.decide.lineage import predecessor
from assay_operator.decide.shown import Claim, Flag, dated
from assay_operator.decide.training import (
    SUPERSEDED,
    Progress,
    fits,
    judging,
    made_by,
    superseded,
    trained,
    untrained,
)
from assay_operator.kube import AUTOSCALER, BUDGET, JOB, Refused
from assay_operator.kube.seen import PodSeen
from assay_operator.manifests.claim import claim
from assay_operator.manifests.job import PROGRESS_PORT, job
from assay_operator.manifests.platform import Platform
from assay_operator.manifests.predictor import deployment, service
from assay_operator.manifests.scaling import autoscaler, budget, size, wanted
from assay_operator.reconcile.badges import Badges
from assay_operator.reconcile.family import Family
from assay_operator.reconcile.hands import Hands
from assay_operator.telemetry import metrics
from assay_operator.telemetry.training import NoTrainings, Trainings

SIZER = "assay-size"  # applies the number of pods and nothing else


@dataclass(frozen=True)
class VersionReconciler:
    """Holds the hands and the administrator's choices; keeps no state of its own."""

    hands: Hands
    platform: Platform
    badges: Badges = field(default_factory=Badges)
    trainings: Trainings = field(default_factory=NoTrainings)

    async def __call__(
        self, family: Family, model: Model, version: ModelVersion, *, warm: bool, awaited: bool
    ) -> None:
        """Train it if it has to be, serve it while it is needed, and write down what came of both."""
        status = version.status
        known = find(status.conditions, "Ready")
        if known is None or known.status == "Unknown" or (awaited and known.reason == SUPERSEDED):
            progress = untrained(version.spec.source)
            progress = progress or await self._train(family, model, version, awaited=awaited)
            status = self._judged(family, version, progress)
        if not awaited:
            await self._end(family, version, status)
        await self._serve(family, model, version, warm=warm)
        if available := self._available(family, model, version, warm=warm):
            status = status.model_copy(update={"conditions": merged(status.conditions, available)})
        await self.hands.report(version, status)

    async def _train(self, family: Family, model: Model, version: ModelVersion, *, awaited: bool) -> Progress:
        name = version.metadata.name
        seen, pods = family.jobs.get(name), family.trainers.get(name, ())
        if seen is None and awaited:
            if refusal := self._not_allowed(version):
                return Progress("Pending", "Unknown", "NotAllowed", refusal)
            try:
                await self._begin(family, model, version)
            except Refused as refused:
                return Progress("Pending", "Unknown", "NotAllowed", f"cannot train: {refused}")
        progress = trained(
            finished=bool(seen and seen.finished),
            job_message=seen.message if seen else "",
            last_words=tuple(p.last_words for p in pods if p.last_words),
            trouble=_trouble(pods),
            told=await self._told(name, pods) if seen and not seen.finished and awaited else {},
        )
        judged = next((pod.beside for pod in pods if pod.beside), "")
        progress = made_by(progress, image=seen.image if seen else "", judged=judged)
        progress = progress if version.spec.source.training else judging(progress)
        return progress if awaited else superseded(progress)

    async def _end(self, family: Family, version: ModelVersion, status: VersionStatus) -> None:
        """Take the Job of a version away that nobody waits for; its pods go with it, its study stays."""
        name, ready = version.metadata.name, find(status.conditions, "Ready")
        seen = family.jobs.get(name)
        if seen and not seen.finished and ready and ready.reason == SUPERSEDED:
            await self.hands.remove(JOB, Ref(version.metadata.namespace, trainer_name(name)))

    def _not_allowed(self, version: ModelVersion) -> str:
        """Say why the administrator forbids it: an account may open more than its user may."""
        asks = version.spec.source.training or version.spec.source.evaluation
        name = asks.worker.service_account_name if asks else None
        return _unlisted(("training.worker", name), ("trainer", self.platform.trainer_service_accounts))

    async def _told(self, version: str, pods: tuple[PodSeen, ...]) -> dict[str, object]:
        """Ask the worker that leads, the first of an Indexed Job; the others know of no study."""
        first = f"{trainer_name(version)}-0-"
        leaders = [pod for pod in pods if len(pods) == 1 or pod.name.startswith(first)]
        asked = next((pod for pod in leaders if pod.ready and not pod.leaving and pod.address), None)
        return await self.trainings.progress(asked.address, PROGRESS_PORT) if asked else {}

    async def _begin(self, family: Family, model: Model, version: ModelVersion) -> None:
        """A Job is applied once: its name is the version's, so there is never a second one."""
        if self.platform.store.on_claims:
            await self.hands.ensure(claim(model, self.platform), family.live)
        champion = family.version(model.status.champion)
        before = predecessor(family.versions, version)
        known = {"champion": champion, "before": before}
        others = {name: v for name, v in known.items() if v and (v.status.artifact or v.spec.source.image)}
        await self.hands.ensure(job(model, version, others, self.platform), family.live)

    def _judged(self, family: Family, version: ModelVersion, progress: Progress) -> VersionStatus:
        """Return the status that says how far it is."""
        facts = progress.facts or version.status
        for gate in facts.gates:
            labels = (*family.ref, version.metadata.name, f"{gate.metric} {gate.rule}")
            metrics.gate.labels(*labels).set(gate.passed)
        _count(family, version, facts)
        why = (progress.reason, progress.message)
        data = progress.data_valid
        checked = ("DataValid", "the data keeps its contract") if data == "True" else why
        seen = (
            *((self._condition(version, "DataValid", data, *checked),) if data else ()),
            self._condition(version, "Ready", progress.ready, *why),
            self._condition(version, "Progressing", _flag(said=progress.ready == "Unknown"), *why),
            self._condition(version, "Degraded", _flag(said=_is_bad(progress)), *why),
            *self._fits(version, facts),
        )
        news = {
            "observed_generation": version.metadata.generation,
            "phase": progress.phase,
            "conditions": merged(version.status.conditions, *seen),
        }
        return facts.model_copy(update=news)

    def _fits(self, version: ModelVersion, facts: VersionStatus) -> tuple[Condition, ...]:
        """Say whether a trained version fits too closely, or hardly at all."""
        if not version.spec.source.training or not facts.artifact:
            return ()
        told = fits(facts.findings)
        return tuple(self._condition(version, kind, *said) for kind, said in told.items())

    async def _serve(self, family: Family, model: Model, version: ModelVersion, *, warm: bool) -> None:
        """Keep as many pods as are needed: none, once nobody asks for it any more."""
        if not warm and version.metadata.name not in family.deployments:
            return
        if warm and _not_served(model, self.platform):
            return
        serving, live = model.spec.serving, family.live
        if warm and self.platform.store.on_claims:
            await self.hands.ensure(claim(model, self.platform), live)
        if warm and serving.capture:
            await self.badges.give(model.metadata.namespace, self.hands)
        await self.hands.ensure(deployment(model, version, self.platform), live)
        await self._sized(family, version, serving, warm=warm)
        await self.hands.ensure(service(model, version), live)
        await self.hands.only(AUTOSCALER, autoscaler(model, version), live, when=warm and serving.scales)
        several = warm and max(serving.replicas, serving.max_replicas or 0) > 1
        await self.hands.only(BUDGET, budget(model, version), live, when=several)

    async def _sized(self, family: Family, version: ModelVersion, serving: Serving, *, warm: bool) -> None:
        """Say how many pods there are, where that is not so yet; a new Deployment has one."""
        known = family.deployments.get(version.metadata.name)
        replicas = wanted(serving, known.wanted if known else None, warm=warm)
        if replicas != (known.wanted if known else 1):
            await self.hands.ensure(size(version, replicas), {}, SIZER)

    def _available(
        self, family: Family, model: Model, version: ModelVersion, *, warm: bool
    ) -> Condition | None:
        """Return the condition Available; a version that was never needed has none."""
        name = version.metadata.name
        ready, refusal = len(family.backends.get(name, ())), _not_served(model, self.platform)
        said: tuple[Flag, str, str] | None
        if not warm:
            idle = find(version.status.conditions, "Available")
            said = ("False", "ScaledToZero", "no traffic, scaled to zero") if idle else None
        elif ready:
            said = ("True", "Answering", "; ".join(filter(None, (f"{ready} pods are ready", refusal))))
        elif refusal:
            said = ("False", "NotAllowed", refusal)
        else:
            said = ("False", *_why(family.predictors.get(name, ())))
        return self._condition(version, "Available", *said) if said else None

    def _condition(
        self, version: ModelVersion, kind: str, status: Flag, reason: str, message: str
    ) -> Condition:
        return dated(Claim(kind, status, reason, message), version.metadata.generation, self.hands.now())


def _not_served(model: Model, platform: Platform) -> str:
    """Say why predictors may not be what the Model asks for: what is there then stays as it is."""
    name = model.spec.serving.service_account_name
    return _unlisted(("serving", name), ("predictor", platform.predictor_service_accounts))


def _unlisted(asked: tuple[str, str | None], allowed: tuple[str, tuple[str, ...]]) -> str:
    (block, name), (kind, known) = asked, allowed
    if name is None or name in known:
        return ""
    return (
        f"{block}.serviceAccountName {name} is not among those that the administrator allows "
        f"({', '.join(known) or 'none'}); the chart's operator.{kind}ServiceAccounts lists them"
    )


def _count(family: Family, version: ModelVersion, facts: VersionStatus) -> None:
    """Count the trials that are new since the last look."""
    for state, count in facts.trials.items():
        if (more := count - version.status.trials.get(state, 0)) > 0:
            metrics.trials.labels(*family.ref, state).inc(more)


def _trouble(pods: tuple[PodSeen, ...]) -> str:
    """What keeps the pods of a Job from their work; those that were replaced have none any more."""
    living = [pod for pod in pods if not (pod.over or pod.leaving)]
    return next((pod.trouble for pod in living or pods if pod.trouble), "")


def _is_bad(progress: Progress) -> bool:
    return progress.ready == "False" and progress.reason != SUPERSEDED


def _flag(*, said: bool) -> Flag:
    return "True" if said else "False"


def _why(pods: tuple[PodSeen, ...]) -> tuple[str, str]:
    """Return reason and message: the predictor's own last words, or what keeps its pods from running."""
    for pod in pods:
        try:
            told = json.loads(pod.last_words)
            return str(told["reason"]), str(told["message"])
        except (ValueError, KeyError, TypeError):
            continue
    trouble = next((pod.trouble for pod in pods if pod.trouble), "")
    return ("PodTrouble", trouble) if trouble else ("Starting", "pods are starting")
