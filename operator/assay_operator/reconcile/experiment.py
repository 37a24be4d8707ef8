"""An Experiment: wait until it may start, split, look, and act on what the numbers say."""

import contextlib
import logging
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime

from assay_api import Experiment, ExperimentStatus, Slots, merged
from assay_api.condition import find
from assay_api.duration import seconds
from assay_api.experiment_status import ArmStatus, Checks, Span, Verdict
from assay_assign import layer, table
from assay_operator.decide.analysis import plan, reported
from assay_operator.decide.layer import Holding
from assay_operator.decide.observed import Observed
from assay_operator.decide.outcome import Outcome
from assay_operator.decide.shown import Claim, dated, material, over, pending, running
from assay_operator.decide.start import Objection, Waiting, objection, active_experiment
from assay_operator.decide.verdict import decide
from assay_operator.manifests.definition import definition
from assay_operator.reconcile import gauges
from assay_operator.reconcile.family import Family
from assay_operator.reconcile.hands import Hands
from assay_operator.reconcile.layer import Layers
from assay_operator.reconcile.observe import UNKNOWN, Eyes, observe
from assay_operator.telemetry import NoAnswer, metrics

SHOW_EVERY = 2.0  # seconds between two writes of numbers that grow by themselves
LOOK_EVERY = 5.0  # seconds between two looks, if nobody calls

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExperimentReconciler:
    """Holds the clients; all that lasts is in the status."""

    hands: Hands
    eyes: Eyes
    _shown: dict[str, float] = field(
        default_factory=dict
    )  # when numbers were last written; losing it is harmless
    _open: set[str] = field(default_factory=set)  # undecided when last seen, so that each verdict counts once
    _layers: Layers = field(default_factory=Layers)

    async def __call__(self, family: Family, experiment: Experiment, ending: str) -> Experiment:
        """Take one step with one Experiment; return it with its new status.

        Args:
            family: Everything around it.
            experiment: The one.
            ending: Who or what asks for its end; empty if nobody does.
        """
        if experiment.status.decision:
            return await self._close(experiment)
        self._open.add(experiment.metadata.uid)
        if ending:
            outcome = Outcome("Abort", "Aborted", ending)
            return await self._end(experiment, experiment.status, outcome, {})
        if experiment.status.started_at is None:
            return await self._start(family, experiment)
        return await self._look(family, experiment)

    async def _start(self, family: Family, experiment: Experiment) -> Experiment:
        turn = active_experiment(family.experiments)
        ahead = turn.metadata.name if turn and turn.metadata.uid != experiment.metadata.uid else None
        model = family.model
        available = frozenset(name for name, pods in family.backends.items() if pods)
        champion = model.status.champion if model else ""
        waiting = Waiting(experiment, model, family.versions, champion, ahead, available)
        if no := objection(waiting):
            self._layers.withdraw(experiment)
            return await self._wait(experiment, no)
        where = self._layers.reserve(self.hands.store, experiment)
        if isinstance(where, Objection):
            return await self._wait(experiment, where)
        timeout = seconds(model.spec.serving.timeout) if model else 0.0
        return await self._begin(experiment, self._first(experiment, where, timeout))

    async def _wait(self, experiment: Experiment, no: Objection) -> Experiment:
        return await self._show(experiment, experiment.status, pending(no.phase, no.reason, no.message))

    async def _begin(self, experiment: Experiment, status: ExperimentStatus) -> Experiment:
        try:
            await self._define(experiment, status)
        except NoAnswer as nothing:  # no unit is sent before it can be counted
            return await self._show(
                experiment, experiment.status, pending("Pending", "CollectorUnreachable", str(nothing))
            )
        return await self._show(experiment, status, running("Started", "the first units are enrolled"))

    def _first(self, experiment: Experiment, where: Holding, timeout: float) -> ExperimentStatus:
        """Freeze what must not change, and enrol the units of the first step."""
        now = self.hands.now()
        news = {
            "started_at": now,
            "salt": where.salt,
            "slots": Span(start=where.span.start, end=where.span.end) if experiment.spec.layer else None,
            "plan": plan(experiment.spec, timeout),
        }
        return self._stepped(experiment, experiment.status.model_copy(update=news), 0, now)

    @staticmethod
    def _stepped(
        experiment: Experiment, status: ExperimentStatus, step: int, now: datetime
    ) -> ExperimentStatus:
        news = {
            "step": step,
            "step_started_at": now,
            "epoch": status.epoch + 1,
            "table": _table(experiment, status, step),
        }
        return status.model_copy(update=news)

    async def _look(self, family: Family, experiment: Experiment) -> Experiment:
        seen = await observe(self.eyes, family, experiment, self.hands.now())
        if seen.quality.fault == UNKNOWN:
            await self._remind(experiment)
        status = _measured(experiment, seen)
        gauges.trusted(experiment, seen.quality)
        outcome = decide(seen)
        if outcome.final:
            table_then = [slots.model_dump(by_alias=True) for slots in status.table]
            evidence = seen.record() | {"table": table_then, "salt": status.salt}
            return await self._end(experiment, status, outcome, evidence)
        if outcome.kind == "Advance":
            return await self._advance(experiment, status, outcome)
        return await self._show(experiment, status, running(outcome.reason, outcome.message))

    async def _remind(self, experiment: Experiment) -> None:
        """Tell the collector what it has forgotten; the next look sees what it counts from now on."""
        with contextlib.suppress(NoAnswer):
            await self._define(experiment, experiment.status)

    async def _define(
        self, experiment: Experiment, status: ExperimentStatus, *, closed: bool = False
    ) -> None:
        """Tell the collector what to count; of a shadow there is nothing."""
        if experiment.spec.mode != "Shadow":
            told = definition(experiment, status, closed=closed)
            await self.eyes.outcomes.define(experiment.metadata.uid, told)

    async def _advance(
        self, experiment: Experiment, status: ExperimentStatus, outcome: Outcome
    ) -> Experiment:
        """Tell the collector first: an exposure of an epoch that it does not know could not be checked."""
        wider = self._stepped(experiment, status, status.step + 1, self.hands.now())
        try:
            await self._define(experiment, wider)
        except NoAnswer as nothing:
            return await self._show(experiment, status, running("CollectorUnreachable", str(nothing)))
        return await self._show(experiment, wider, running(outcome.reason, outcome.message))

    async def _end(
        self, experiment: Experiment, status: ExperimentStatus, outcome: Outcome, evidence: dict[str, object]
    ) -> Experiment:
        verdict = Verdict.model_validate(
            {
                "verdict": outcome.kind,
                "reason": outcome.reason,
                "message": outcome.message,
                "at": self.hands.now(),
                "winner": outcome.winner,
                "evidence": evidence,
            }
        )
        winner = outcome.winner or experiment.spec.control.version
        arms = tuple(arm.model_copy(update={"share": 100.0 * (arm.version == winner)}) for arm in status.arms)
        news = {"decision": verdict, "table": (), "epoch": status.epoch + 1, "arms": arms}
        ended = await self._show(experiment, status.model_copy(update=news), over(verdict))
        self._count(ended)
        return ended

    def _count(self, experiment: Experiment) -> None:
        """Count a verdict that fell while we watched, whether or not its write was answered."""
        decision, ref = experiment.status.decision, experiment.metadata.ref
        if decision and experiment.metadata.uid in self._open:
            self.forget(experiment.metadata.uid)
            where = (ref.namespace, experiment.spec.model_ref.name)
            metrics.verdicts.labels(*where, decision.verdict, decision.reason).inc()
            log.info("%s/%s: %s, %s: %s", *ref, decision.verdict, decision.reason, decision.message)

    def forget(self, uid: str) -> None:
        """Keep nothing of an Experiment that is over or gone."""
        self._open.discard(uid)
        self._shown.pop(uid, None)
        self.eyes.sources.forget(uid)

    async def _close(self, experiment: Experiment) -> Experiment:
        """Tell the collector that what comes now is late; once, however often we are called."""
        self._count(experiment)
        done = find(experiment.status.conditions, "Closed")
        if (done and done.status == "True") or experiment.status.started_at is None:
            return experiment
        if done is None and (verdict := find(experiment.status.conditions, "Ready")):
            await self.hands.tell(experiment, (), (verdict,))  # should we have died before we told it
        try:
            await self._define(experiment, experiment.status, closed=True)
            claim = Claim("Closed", "True", "Closed", "the collector counts no more")
        except NoAnswer as nothing:
            claim = Claim("Closed", "False", "CollectorUnreachable", str(nothing))
        return await self._show(experiment, experiment.status, (experiment.status.phase, (claim,)))

    async def _show(
        self, experiment: Experiment, status: ExperimentStatus, shown: tuple[str, tuple[Claim, ...]]
    ) -> Experiment:
        """Write the status, but numbers that grow by themselves only now and then."""
        phase, claims = shown
        generation = experiment.metadata.generation
        conditions = [dated(claim, generation, self.hands.now()) for claim in claims]
        news = {
            "observed_generation": generation,
            "phase": phase,
            "arms": status.arms or _arms(experiment, status, {}),
            "conditions": merged(status.conditions, *conditions),
        }
        after = status.model_copy(update=news)
        uid, moment = experiment.metadata.uid, time.monotonic()
        if material(experiment.status, after) or moment - self._shown.get(uid, 0) >= SHOW_EVERY:
            await self.hands.report(experiment, after)
            gauges.shown(experiment, after)
            self._shown[uid] = moment
        if after.decision:
            self._shown.pop(uid, None)
        return experiment.model_copy(update={"status": after})


def _table(experiment: Experiment, status: ExperimentStatus, step: int) -> tuple[Slots, ...]:
    """Return the slots of each arm at a step; a shadow enrols nobody."""
    if experiment.spec.mode == "Shadow":
        return ()
    within = layer.Span(status.slots.start, status.slots.end) if status.slots else layer.WHOLE
    intervals = table(experiment.spec.weights, experiment.spec.ramp[step].percent, within)
    return tuple(Slots(arm=arm, start=start, end=end) for arm, start, end in intervals)


def _measured(experiment: Experiment, seen: Observed) -> ExperimentStatus:
    """Return the status with the newest numbers."""
    age, srm = seen.quality.data_age, seen.quality.srm
    findings = asdict(seen.quality.counts)
    mismatches = findings.pop("audit_mismatches")
    gaps = "; ".join(f"{gap.metric}: {gap.reason}, {gap.message}" for gap in seen.quality.gaps)
    checks = Checks(
        srm=f"p {srm.p_value:.3g}" if srm else "no units yet",
        srm_log_evidence=round(srm.log_e, 9) if srm else 0.0,
        audit=f"{mismatches} mismatches",
        freshness=(seen.quality.fault or (f"{age:.0f} s" if age is not None else "no data yet"))[:256],
        sources=gaps[:1024],
        **findings,
    )
    units = {arm.name: arm.units for arm in seen.arms}
    news = {
        "arms": _arms(experiment, experiment.status, units),
        "analysis": tuple(reported(reading) for reading in seen.readings),
        "checks": checks,
    }
    if seen.quality.fault:  # the last numbers stand
        known = experiment.status.checks or Checks()
        news = {"checks": known.model_copy(update={"freshness": checks.freshness, "sources": gaps[:1024]})}
    return experiment.status.model_copy(update=news)


def _arms(experiment: Experiment, status: ExperimentStatus, units: dict[str, int]) -> tuple[ArmStatus, ...]:
    widths = {slots.arm: slots.end - slots.start for slots in status.table}
    return tuple(
        ArmStatus(
            name=arm.name,
            version=arm.version,
            share=widths.get(arm.name, 0) / 100,
            units=units.get(arm.name, 0),
        )
        for arm in experiment.spec.arms
    )


def next_look(experiment: Experiment, now: datetime) -> float | None:
    """Return in how many seconds to look again, if nobody calls: at the end of the step, or soon."""
    status = experiment.status
    closed = find(status.conditions, "Closed")
    if status.decision:
        return None if status.started_at is None or (closed and closed.status == "True") else LOOK_EVERY
    if status.started_at is None or status.step_started_at is None:
        return None
    least = seconds(experiment.spec.ramp[status.step].min_duration)
    left = least - (now - status.step_started_at).total_seconds()
    return min(left, LOOK_EVERY) if left > 0 else LOOK_EVERY
