"""A version: its Job while it is made, its predictor while somebody needs it, and its status."""

from dataclasses import dataclass, replace
from datetime import timedelta

from assay_api import Model, ModelVersion, VersionStatus
from assay_api.condition import find
from assay_api.names import predictor_name, trainer_name
from assay_api.reason import Reason
from assay_api.version import VersionState
from assay_operator.decide.desired_condition import DesiredCondition
from assay_operator.decide.rollout import predecessor
from assay_operator.decide.training import (
    VersionProgress,
    fits,
    judging,
    made_by,
    superseded,
    trained,
    untrained,
)
from assay_operator.decide.version_conditions import making, pods_not_ready, pods_ready, starting
from assay_operator.decide.workload import PodState
from assay_operator.manifests.capture import token_secret
from assay_operator.manifests.claim import claim
from assay_operator.manifests.job import job
from assay_operator.manifests.predictor import deployment, service
from assay_operator.manifests.scaling import autoscaler, budget, replicas_wanted, size
from assay_operator.plan.actions import Child, Removal, removal
from assay_operator.plan.allowance import serving_refusal, training_refusal
from assay_operator.plan.conditions import with_conditions
from assay_operator.plan.world import Key, World

SIZER = "assay-size"  # applies the number of pods and nothing else
MAX_RETRIES = 6
FIRST_PAUSE = timedelta(seconds=5)
STILL_THERE = 1.0  # seconds until a look whether a Job that was removed has gone


@dataclass(frozen=True)
class VersionPlan:
    """What shall be of one version."""

    status: VersionStatus
    children: tuple[Child, ...] = ()
    removals: tuple[Removal, ...] = ()
    again: float | None = None


@dataclass(frozen=True)
class VersionPlanner:
    """Plans one version of a Model.

    Attributes:
        world: The Model's.
        model: The Model.
        version: The version.
        champion: Who serves after this pass.
        warm: Whether it must be able to answer.
        awaited: Whether somebody waits for it to be made.
    """

    world: World
    model: Model
    version: ModelVersion
    champion: str
    warm: bool
    awaited: bool

    @property
    def name(self) -> str:
        """The version's name."""
        return self.version.metadata.name

    def judged(self) -> ModelVersion:
        """Return the version with the conditions that this pass gives it, as far as it is made."""
        return _as_judged(self.version, self._made(), self.world)

    def __call__(self) -> VersionPlan:
        """Return what shall be."""
        made = self._made()
        serving = _served(replace(self, version=_as_judged(self.version, made, self.world)))
        status = self._shown(made, serving.available if serving else None)
        return VersionPlan(
            status=status,
            children=(*made.children, *(serving.children if serving else ())),
            removals=(*made.removals, *(serving.removals if serving else ())),
            again=made.again,
        )

    def _made(self) -> "_Making":
        """How far it is, and the Job that makes it."""
        ready = find(self.version.status.conditions, "Ready")
        settled = ready is not None and ready.status != "Unknown"
        if settled and not (self.awaited and ready and ready.reason == Reason.SUPERSEDED):
            return _Making(self.version.status, None, removals=self._ended())
        if progress := untrained(self.version.spec.source):
            return self._judged(progress)
        return self._trained()

    def _trained(self) -> "_Making":
        if self.awaited and (again := self._pause()):
            return self._scheduled(self.version.status.state, self._failed_job(), again)
        progress = self._progress()
        if progress.ready == "False" and progress.passing and self.awaited:
            return self._retried(progress)
        if progress.passing and not self.awaited:  # it may succeed when somebody waits for it again
            progress = superseded(replace(progress, ready="Unknown"))
        wanted = self.awaited and progress.ready == "Unknown"
        idle = self.version.status.state.changed(retry_at=None, retry_reason="")
        return self._judged(progress, children=self._training() if wanted else (), state=idle)

    def _pause(self) -> float | None:
        """Return the seconds until the failed Job is gone and its pause is over; None if both are so."""
        due = self.version.status.state.retry_at
        left = (due - self.world.now).total_seconds() if due else 0.0
        if left > 0:
            return left
        return STILL_THERE if self._failed_job() else None

    def _failed_job(self) -> tuple[Removal, ...]:
        """The Job whose failure is tried again, if it is still there: another one needs its name."""
        return self._job_removal() if self._job_uid() == self.version.status.state.failed_job else ()

    def _job_uid(self) -> str:
        body = self.world.snapshot.objects.get(Key("Job", trainer_name(self.name)))
        return str(body["metadata"]["uid"]) if body else ""

    def _scheduled(self, state: VersionState, removals: tuple[Removal, ...], again: float) -> "_Making":
        assert state.retry_at is not None
        due = f"{state.retry_at:%H:%M:%S} UTC ({state.retries} of {MAX_RETRIES})"
        words = f"{state.retry_reason}; tried again at {due}"
        progress = VersionProgress("Training", "Unknown", Reason.RETRY_SCHEDULED, words)
        return self._judged(progress, removals=removals, again=again, state=state)

    def _retried(self, failed: VersionProgress) -> "_Making":
        """A failure that may pass: the Job goes, and comes again after a pause that doubles.

        It goes in the next pass: once it is gone, only the status knows that it failed.
        """
        state = self.version.status.state
        if state.retries >= MAX_RETRIES:
            words = f"{failed.message}; tried {MAX_RETRIES + 1} times; `assay retrain` tries again"
            return self._judged(VersionProgress("Failed", "False", Reason.RETRIES_EXHAUSTED, words))
        pause = FIRST_PAUSE * 2**state.retries
        news = {
            "retries": state.retries + 1,
            "retry_at": (self.world.now + pause).replace(microsecond=0),
            "retry_reason": failed.message[:1024],
            "failed_job": self._job_uid(),
        }
        return self._scheduled(state.changed(**news), (), again=0.0)

    def _progress(self) -> VersionProgress:
        snapshot, source = self.world.snapshot, self.version.spec.source
        job, pods = snapshot.jobs.get(self.name), self._pods()
        if job is None and self.awaited and (refusal := self._refusal()):
            return VersionProgress("Pending", "Unknown", *refusal)
        progress = trained(
            finished=bool(job and job.finished),
            job_message=job.message if job else "",
            last_words=tuple(p.termination_message for p in pods if p.termination_message),
            trouble=_trouble(pods),
            raw_study=self.world.facts.studies.get(self.name, {}),
        )
        sidecar = next((pod.sidecar_image_id for pod in pods if pod.sidecar_image_id), "")
        progress = made_by(progress, image=job.image if job else "", judged=sidecar)
        progress = progress if source.training else judging(progress)
        return progress if self.awaited else superseded(progress)

    def _pods(self) -> tuple[PodState, ...]:
        """The pods of the present Job; those of one that failed before may still be there."""
        pods, job = self.world.snapshot.trainers.get(self.name, ()), self._job_uid()
        failed = self.version.status.state.failed_job
        owners = [(pod, self._controller(pod)) for pod in pods]
        return tuple(pod for pod, uid in owners if not uid or (uid == job if job else uid != failed))

    def _controller(self, pod: PodState) -> str:
        body = self.world.snapshot.objects.get(Key("Pod", pod.name), {})
        owners = body.get("metadata", {}).get("ownerReferences") or ()
        return next((str(owner["uid"]) for owner in owners if owner.get("controller")), "")

    def _refusal(self) -> tuple[Reason, str] | None:
        """Why the Job cannot be: the administrator forbids it, or the API server refuses it."""
        if words := training_refusal(self.version, self.world.platform):
            return Reason.NOT_ALLOWED, words
        for key in (Key("Job", trainer_name(self.name)), *self._claim_keys()):
            if obstacle := self.world.facts.obstacles.get(key):
                return Reason(obstacle.reason), obstacle.message
        return None

    def _claim_keys(self) -> tuple[Key, ...]:
        return tuple(Key(c.manifest["kind"], c.manifest["metadata"]["name"]) for c in self._claims())

    def _claims(self) -> tuple[Child, ...]:
        if not self.world.platform.store.on_claims:
            return ()
        return (Child(claim(self.model, self.world.platform), self.model.metadata.uid),)

    def _training(self) -> tuple[Child, ...]:
        """A Job is applied once: its name is the version's, so there is never a second one."""
        if training_refusal(self.version, self.world.platform):
            return ()
        champion = self.world.version(self.champion)
        known = {"champion": champion, "before": predecessor(self.world.versions, self.version)}
        others = {name: v for name, v in known.items() if v and (v.status.artifact or v.spec.source.image)}
        if self.name in self.world.snapshot.jobs:
            return ()
        manifest = job(self.model, self.version, others, self.world.platform)
        return (*self._claims(), Child(manifest, self.version.metadata.uid))

    def _ended(self) -> tuple[Removal, ...]:
        """The Job of a version that nobody waits for goes, and its pods with it; its study stays."""
        ready = find(self.version.status.conditions, "Ready")
        gone = ready is not None and ready.reason == Reason.SUPERSEDED and not self.awaited
        return self._job_removal(finished=False) if gone else ()

    def _job_removal(self, *, finished: bool = True) -> tuple[Removal, ...]:
        job = self.world.snapshot.jobs.get(self.name)
        body = self.world.snapshot.objects.get(Key("Job", trainer_name(self.name)))
        if job is None or body is None or (job.finished and not finished):
            return ()
        return (removal("Job", body),)

    def _judged(
        self,
        progress: VersionProgress,
        children: tuple[Child, ...] = (),
        removals: tuple[Removal, ...] = (),
        again: float | None = None,
        state: VersionState | None = None,
    ) -> "_Making":
        facts = progress.facts or self.version.status
        if not self.awaited and progress.reason == Reason.SUPERSEDED:
            removals = (*removals, *self._job_removal(finished=False))
        kept = state or self.version.status.state
        status = facts.changed(phase=progress.phase, state=kept)
        return _Making(status, progress, children, removals, again)

    def _shown(self, making_: "_Making", available: DesiredCondition | None) -> VersionStatus:
        desired: tuple[DesiredCondition, ...] = ()
        if making_.progress:
            desired = making(making_.progress)
            if self.version.spec.source.training and making_.status.artifact:
                desired += fits(making_.status.findings)
        ready = making_.progress is None or making_.progress.ready == "True"
        if available:
            desired += (available,)
            if ready and _is_ready(self.version, making_.progress):
                known = _as_judged(self.version, making_, self.world)
                desired += starting(known, available, self.world.now)
        conditions = with_conditions(
            self.version.status.conditions, desired, self.version.metadata.generation, self.world.now
        )
        news = {"observed_generation": self.version.metadata.generation, "conditions": conditions}
        return making_.status.changed(**news)


@dataclass(frozen=True)
class _Making:
    status: VersionStatus
    progress: VersionProgress | None
    children: tuple[Child, ...] = ()
    removals: tuple[Removal, ...] = ()
    again: float | None = None


@dataclass(frozen=True)
class _Serving:
    children: tuple[Child, ...] = ()
    removals: tuple[Removal, ...] = ()
    available: DesiredCondition | None = None


def _is_ready(version: ModelVersion, progress: VersionProgress | None) -> bool:
    ready = find(version.status.conditions, "Ready")
    return progress is not None or (ready is not None and ready.status == "True")


def _as_judged(version: ModelVersion, made: "_Making", world: World) -> ModelVersion:
    """Return the version as this pass finds it made: with its artifact, and its conditions."""
    if made.progress is None:
        return version
    conditions = with_conditions(
        version.status.conditions, making(made.progress), version.metadata.generation, world.now
    )
    return version.changed(status=made.status.changed(conditions=conditions))


def _served(plan: VersionPlanner) -> _Serving | None:
    """The predictor: as many pods as are needed; none, once nobody asks for it any more."""
    snapshot, name = plan.world.snapshot, plan.name
    if not plan.warm and name not in snapshot.deployments:
        return None
    refusal = serving_refusal(plan.model, plan.world.platform)
    available = _available(plan, refusal)
    if plan.warm and refusal:
        return _Serving(available=available)
    return _Serving(_predictor(plan), _unwanted(plan), available)


def _predictor(plan: VersionPlanner) -> tuple[Child, ...]:
    model, version, platform = plan.model, plan.version, plan.world.platform
    serving, uid = model.spec.serving, version.metadata.uid
    children = [
        Child(deployment(model, version, platform), uid),
        *_sized(plan),
        Child(service(model, version), uid),
    ]
    if plan.warm and platform.store.on_claims:
        children.insert(0, Child(claim(model, platform), model.metadata.uid))
    if plan.warm and serving.capture and plan.world.facts.predictor_token:
        children.append(Child(token_secret(model.metadata.namespace, plan.world.facts.predictor_token), ""))
    if plan.warm and serving.scales:
        children.append(Child(autoscaler(model, version), uid))
    if _several(plan):
        children.append(Child(budget(model, version), uid))
    return tuple(children)


def _several(plan: VersionPlanner) -> bool:
    serving = plan.model.spec.serving
    return plan.warm and max(serving.replicas, serving.max_replicas or 0) > 1


def _sized(plan: VersionPlanner) -> tuple[Child, ...]:
    """Say how many pods there are, where that is not so yet; a new Deployment has one."""
    known = plan.world.snapshot.deployments.get(plan.name)
    wanted = replicas_wanted(plan.model.spec.serving, known.replicas if known else None, warm=plan.warm)
    if wanted == (known.replicas if known else 1):
        return ()
    return (Child(size(plan.version, wanted), plan.version.metadata.uid, SIZER),)


def _unwanted(plan: VersionPlanner) -> tuple[Removal, ...]:
    """An autoscaler without bounds, and a budget of one pod, must not be."""
    serving, name = plan.model.spec.serving, predictor_name(plan.name)
    kinds = [] if plan.warm and serving.scales else ["HorizontalPodAutoscaler"]
    kinds += [] if _several(plan) else ["PodDisruptionBudget"]
    bodies = {kind: plan.world.snapshot.objects.get(Key(kind, name)) for kind in kinds}
    return tuple(removal(kind, body) for kind, body in bodies.items() if body)


def _available(plan: VersionPlanner, refusal: str) -> DesiredCondition | None:
    """Return the condition Available; a version that was never needed has none."""
    snapshot, name = plan.world.snapshot, plan.name
    ready, known = len(snapshot.backends.get(name, ())), snapshot.deployments.get(name)
    if not plan.warm:
        idle = find(plan.version.status.conditions, "Available")
        words = "no traffic, scaled to zero"
        return DesiredCondition("Available", "False", Reason.SCALED_TO_ZERO, words) if idle else None
    if ready:
        ready_ = pods_ready(ready, known.replicas if known else ready)
        words = "; ".join(filter(None, (ready_.message, refusal)))
        return DesiredCondition("Available", "True", ready_.reason, words)
    if refusal:
        return DesiredCondition("Available", "False", Reason.NOT_ALLOWED, refusal)
    return _obstructed(plan) or pods_not_ready(snapshot.predictors.get(name, ()))


def _obstructed(plan: VersionPlanner) -> DesiredCondition | None:
    """Why its objects cannot be, if that is what keeps it from answering."""
    names = {predictor_name(plan.name), *(key.name for key in plan._claim_keys())}
    for key, obstacle in plan.world.facts.obstacles.items():
        if key.name in names and key.kind in {"Deployment", "Service", "PersistentVolumeClaim"}:
            return DesiredCondition("Available", "False", Reason(obstacle.reason), obstacle.message)
    return None


def _trouble(pods: tuple[PodState, ...]) -> str:
    """What keeps the pods of a Job from their work; those that were replaced have none any more."""
    living = [pod for pod in pods if not (pod.finished or pod.terminating)]
    return next((pod.trouble for pod in living or pods if pod.trouble), "")
