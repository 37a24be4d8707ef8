"""A Model with all that belongs to it: one pass over its versions, its Experiments, its route and itself."""

from dataclasses import dataclass

from assay_api import Condition, Experiment, Model, ModelStatus, Ref, merged
from assay_api.condition import find
from assay_api.names import ABORT
from assay_operator.decide.lineage import Kin, Lineage, asked_for, expendable, lineage, superseded
from assay_operator.decide.shown import Claim, dated
from assay_operator.decide.start import whose_turn
from assay_operator.kube import EXPERIMENT, VERSION, Leaving
from assay_operator.manifests.endpoint import service, url
from assay_operator.manifests.offspring import experiment, model_version, source_digest
from assay_operator.manifests.scaling import selector
from assay_operator.reconcile.experiment import ExperimentReconciler, next_look
from assay_operator.reconcile.family import Family, Gatherer
from assay_operator.reconcile.hands import Hands
from assay_operator.reconcile.route import route
from assay_operator.reconcile.version import VersionReconciler
from assay_operator.telemetry import metrics
from assay_operator.xds import Gateways, Programmed

ACK_PATIENCE = 0.3  # seconds that a pass waits for the gateways; an ACK takes a few milliseconds
ASK_AGAIN = 1.0  # seconds until the gateways are asked again


@dataclass(frozen=True)
class ModelReconciler:
    """Holds the clients; keeps no state of its own between calls."""

    hands: Hands
    gather: Gatherer
    versions: VersionReconciler
    experiments: ExperimentReconciler
    gateways: Gateways

    async def __call__(self, ref: Ref) -> float | None:
        """Observe, decide, apply; safe to call at any time. Return in how many seconds to call again."""
        try:
            return await self._pass(ref)
        except Leaving:
            return None

    async def _pass(self, ref: Ref) -> float | None:
        family = self.gather(ref)
        model = family.model
        if model is None or model.metadata.deletion_timestamp:
            return await self._farewell(family)
        family = await self._experiments(family)
        kin = self._kin(family, model)
        line = lineage(kin)
        await self.gateways.publish(ref, route(family, model, line.champion))  # first: users come before pods
        for version in family.versions:
            name = version.metadata.name
            await self.versions(family, model, version, warm=name in line.warm, awaited=name in line.awaited)
        programmed = await self._programmed(ref, line)
        await self._confirm(family, programmed)
        await self._let_go(family, programmed)
        await self.hands.ensure(service(model, self.versions.platform), family.live)
        await self._offspring(model, line)
        await self._history(kin, line)
        await self._report(family, model, line, programmed)
        return self._again(family, programmed)

    async def route_only(self, ref: Ref) -> None:
        """Publish what the statuses say, and change nothing: how a restarted operator begins."""
        family = self.gather(ref)
        if family.model and not family.model.metadata.deletion_timestamp:
            await self.gateways.publish(ref, route(family, family.model, family.model.status.champion))

    async def _farewell(self, family: Family) -> float | None:
        """Take the route away; the rest is Kubernetes' work. Experiments without a Model say so."""
        await self.gateways.publish(family.ref, None)
        if family.model is not None:
            return None
        staying = [one for one in family.experiments if not one.metadata.deletion_timestamp]
        for one in staying:
            words = "the Model was deleted" if one.status.started_at else ""
            family = family.having(await self.experiments(family, one, words))
        await self._let_go(family, self.gateways.programmed(family.ref))
        return ASK_AGAIN if any(one.status.slots for one in staying) else None

    async def _experiments(self, family: Family) -> Family:
        """Take a step with every Experiment; those that ended make room for the next one."""
        for one in family.experiments:
            if one.metadata.deletion_timestamp:
                self.experiments.forget(one.metadata.uid)
                continue
            family = family.having(await self.experiments(family, one, _ending(family, one)))
        return family

    def _kin(self, family: Family, model: Model) -> Kin:
        return Kin(
            model=model,
            versions=family.versions,
            experiments=tuple(e for e in family.experiments if not e.metadata.deletion_timestamp),
            available=frozenset(name for name, pods in family.backends.items() if pods),
            digest=source_digest(model.spec.source),
            now=self.hands.now(),
        )

    async def _programmed(self, ref: Ref, line: Lineage) -> Programmed:
        if not line.champion:
            return Programmed(done=False, gateways=0, message="no champion yet", nack=None)
        return await self.gateways.wait_programmed(ref, ACK_PATIENCE)

    async def _confirm(self, family: Family, programmed: Programmed) -> None:
        """Write on the running Experiment whether its table is in force."""
        running = whose_turn(family.experiments)
        if running is None or running.status.started_at is None:
            return
        claim = _programmed(programmed, running.metadata.generation, self.hands)
        status = running.status.model_copy(update={"conditions": merged(running.status.conditions, claim)})
        known = find(running.status.conditions, "Programmed")
        if known is None or (known.status, known.reason) != (claim.status, claim.reason):
            await self.hands.report(running, status)

    async def _let_go(self, family: Family, programmed: Programmed) -> None:
        """Free the slots of the layer once no gateway sends a unit by them any more."""
        for one in family.experiments:
            if one.status.decision and one.status.slots and programmed.done:
                await self.hands.report(one, one.status.model_copy(update={"slots": None}))

    async def _offspring(self, model: Model, line: Lineage) -> None:
        if line.make_version:
            await self.hands.make(model_version(model, line.make_version, again=line.again))
        if line.make_experiment:
            await self.hands.make(experiment(model, line.champion, line.wanted, line.generation))

    async def _history(self, kin: Kin, line: Lineage) -> None:
        versions, experiments = expendable(kin, line)
        namespace = kin.model.metadata.namespace
        for name in versions:
            await self.hands.remove(VERSION, Ref(namespace, name))
        for name in experiments:
            await self.hands.remove(EXPERIMENT, Ref(namespace, name))

    async def _report(self, family: Family, model: Model, line: Lineage, programmed: Programmed) -> None:
        status = model.status
        claims = _claims(family, model, line, programmed, self.hands)
        news = {
            "observed_generation": model.metadata.generation,
            "champion": line.champion,
            "candidate": line.wanted if line.wanted != line.champion else "",
            "endpoint": url(model),
            "replicas": len(family.backends.get(line.champion, ())),
            "selector": selector(line.champion) if line.champion else "",
            "source_digest": source_digest(model.spec.source),
            "source_generation": line.generation,
            "experiment": line.make_experiment or status.experiment,
            "latest": max([line.make_version or 0, status.latest, *(v.spec.number for v in family.versions)]),
            "history": line.history,
            "conditions": merged(status.conditions, *claims),
        }
        if line.champion != status.champion:
            metrics.forget(metrics.champion, *family.ref)
        if line.champion:
            metrics.champion.labels(*family.ref, line.champion).set(1)
        metrics.drift_alarm.labels(*family.ref).set(len(status.alerts))
        await self.hands.report(model, status.model_copy(update=news))

    def _again(self, family: Family, programmed: Programmed) -> float | None:
        looks = [next_look(e, self.hands.now()) for e in family.experiments]
        wishes = [look for look in looks if look is not None]
        if not programmed.done:
            wishes.append(ASK_AGAIN)
        return min(wishes, default=None)


def _ending(family: Family, one: Experiment) -> str:
    """Return who or what asks for the end of an Experiment."""
    if asked := one.metadata.annotations.get(ABORT):
        return f"annotation {ABORT}: {asked}"
    model = family.model
    if model is None or one.status.decision:
        return ""
    version = asked_for(model, family.versions, source_digest(model.spec.source))
    wanted = version.metadata.name if version else ""
    if superseded(one, wanted):
        return f"superseded: the Model's spec now asks for {wanted or 'another version'}"
    return ""


def _programmed(programmed: Programmed, generation: int, hands: Hands) -> Condition:
    reason = "Programmed" if programmed.done else "Refused" if programmed.nack else "NotProgrammedYet"
    return _condition(("Programmed", programmed.done, reason, programmed.message), generation, hands)


def _condition(said: tuple[str, bool, str, str], generation: int, hands: Hands) -> Condition:
    kind, true, reason, message = said
    return dated(Claim(kind, "True" if true else "False", reason, message), generation, hands.now())


def _claims(
    family: Family, model: Model, line: Lineage, programmed: Programmed, hands: Hands
) -> tuple[Condition, ...]:
    said = (
        _ready(family, line, programmed),
        _progressing(family, line),
        _degraded(family, line),
        _drift(model.status),
    )
    return tuple(_condition(claim, model.metadata.generation, hands) for claim in said)


def _ready(family: Family, line: Lineage, programmed: Programmed) -> tuple[str, bool, str, str]:
    if not line.champion:
        return "Ready", False, "NoChampion", _why_no_champion(family, line)
    if not family.backends.get(line.champion):
        version = family.version(line.champion)
        available = find(version.status.conditions, "Available") if version else None
        return (
            "Ready",
            False,
            "ChampionDown",
            available.message if available else f"{line.champion} has no ready pod",
        )
    if not programmed.done:
        reason = "Refused" if programmed.nack else "NotProgrammedYet"
        return "Ready", False, reason, programmed.message
    return "Ready", True, "Serving", f"{line.champion} answers"


def _why_no_champion(family: Family, line: Lineage) -> str:
    version = family.version(line.wanted)
    if version is None:
        return "the first version is being made"
    for kind in ("Ready", "Available"):
        said = find(version.status.conditions, kind)
        if said and said.status != "True":
            return f"{line.wanted}: {said.message}"
    return f"{line.wanted} is starting"


def _progressing(family: Family, line: Lineage) -> tuple[str, bool, str, str]:
    running = whose_turn(family.experiments)
    if running:
        said = find(running.status.conditions, "Progressing")
        return (
            "Progressing",
            True,
            "Experimenting",
            f"{running.metadata.name}: {said.message if said else 'begins'}",
        )
    version = family.version(line.wanted)
    ready = find(version.status.conditions, "Ready") if version else None
    if line.make_version or ready is None or ready.status == "Unknown":
        return "Progressing", True, "Training", ready.message if ready else "a version is being made"
    if line.make_experiment:
        return "Progressing", True, "Experimenting", f"{line.make_experiment} begins"
    return "Progressing", False, "Settled", "nothing is under way"


def _degraded(family: Family, line: Lineage) -> tuple[str, bool, str, str]:
    """Bad is when what the spec asks for does not serve and nothing is done about it any more."""
    version = family.version(line.wanted)
    ready = find(version.status.conditions, "Ready") if version else None
    if version and ready and ready.status == "False":
        return "Degraded", True, ready.reason, f"{line.wanted}: {ready.message}"
    ended = [
        e
        for e in family.experiments
        if e.status.decision and line.wanted in {a.version for a in e.spec.candidates}
    ]
    if (
        line.wanted != line.champion
        and ended
        and not whose_turn(family.experiments)
        and not line.make_experiment
    ):
        decision = ended[-1].status.decision
        assert decision is not None
        return "Degraded", True, decision.reason, f"{line.wanted} did not win: {decision.message}"
    return "Degraded", False, "AsExpected", "what the spec asks for serves, or is on its way"


def _drift(status: ModelStatus) -> tuple[str, bool, str, str]:
    names = ", ".join(sorted({alert.name for alert in status.alerts}))
    return "DriftDetected", bool(names), "AlertFires" if names else "Quiet", names or "no alert fires"
