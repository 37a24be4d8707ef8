"""One step of an Experiment: wait, start, look and act, end, or close; always a status, never a call."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from assay_api import Experiment, ExperimentStatus, Slots
from assay_api.condition import find
from assay_api.duration import seconds
from assay_api.evidence import Span
from assay_api.experiment_status import AnalysisPlan, ArmStatus, Checks, Verdict
from assay_api.reason import Reason
from assay_assign import layer, table
from assay_operator.decide.acknowledged import acknowledgement
from assay_operator.decide.analysis import plan as frozen_plan
from assay_operator.decide.analysis import reached
from assay_operator.decide.baseline import baseline, levels
from assay_operator.decide.decision import Decision
from assay_operator.decide.desired_condition import DesiredCondition, flag
from assay_operator.decide.experiment_conditions import Shown, invalid, over, running, waiting
from assay_operator.decide.experiment_facts import ExperimentFacts
from assay_operator.decide.forecast import forecast
from assay_operator.decide.layer import Holding, place
from assay_operator.decide.maturity import finding
from assay_operator.decide.reporting import analyses
from assay_operator.decide.start import StartBlocker, StartFacts, start_blocker
from assay_operator.decide.summary import Reading, Summary
from assay_operator.decide.unreported import unreported
from assay_operator.decide.verdict import DOWN_FOR, decide
from assay_operator.gateway import Programmed
from assay_operator.manifests.definition import definition
from assay_operator.plan.actions import Definition
from assay_operator.plan.conditions import with_conditions
from assay_operator.plan.observe import UNKNOWN, experiment_facts, growth
from assay_operator.plan.world import Key, World

RETRY = 5.0  # seconds until the collector is told again
_PENDING = Reading(pending=True)
_SENDING = Programmed(done=False, gateways=0, message="the new table is being sent to the gateways")


@dataclass(frozen=True)
class Ending:
    """Who or what asks for the end of an Experiment."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Step:
    """An Experiment as it shall be, what the collector shall count, and when time alone changes that."""

    experiment: Experiment
    definition: Definition | None = None
    again: float | None = None


def step(world: World, experiment: Experiment, ending: Ending | None) -> Step:
    """Take one step with one Experiment."""
    if experiment.status.decision:
        return _close(world, experiment)
    if ending:
        return _end(world, experiment, experiment.status, Decision("Abort", ending.reason, ending.message))
    if fault := world.snapshot.unreadable.get(Key("Experiment", experiment.metadata.name)):
        return _unusable(world, experiment, fault)
    try:
        return _look(world, experiment) if experiment.status.started_at else _start(world, experiment)
    except (
        ValueError,
        ArithmeticError,
    ) as error:  # what no rule refuses stops this one only
        if experiment.status.started_at and _out_of_time(experiment, world.now):
            decision = Decision("Conclude", Reason.NO_DATA_IN_TIME, f"cannot be analysed: {error}")
            return _end(world, experiment, experiment.status, decision)
        return _unusable(world, experiment, f"cannot be analysed: {error}")


def _unusable(world: World, experiment: Experiment, fault: str) -> Step:
    """Say what is wrong; units stay where they are, and nothing is decided."""
    phase, desired = invalid(fault[:1024])
    phase = experiment.status.phase if experiment.status.started_at else phase
    return Step(_shown(world, experiment, experiment.status, (phase, desired)))


def _out_of_time(experiment: Experiment, now: datetime) -> bool:
    began, most = experiment.status.started_at, seconds(experiment.spec.decision.max_duration)
    return began is not None and (now - began).total_seconds() >= most


def start_facts(world: World, experiment: Experiment) -> StartFacts:
    """Return what decides whether an Experiment may start."""
    active, model = world.active, world.model
    other = active is not None and active.metadata.uid != experiment.metadata.uid
    ahead = active.metadata.name if active and other else None
    champion = model.status.champion if model else ""
    return StartFacts(
        experiment,
        model,
        world.versions,
        champion,
        ahead,
        world.available,
        world.facts.schemas,
        world.experiments,
    )


def _start(world: World, experiment: Experiment) -> Step:
    blocker = start_blocker(start_facts(world, experiment))
    place_ = blocker or _place(world, experiment)
    if isinstance(place_, StartBlocker):
        return Step(_shown(world, experiment, experiment.status, _blocked(place_)))
    timeout = seconds(world.model.spec.serving.timeout) if world.model else 0.0
    fixed = frozen_plan(experiment.spec, timeout, baseline(experiment, world.experiments))
    begun = _first(experiment, place_, fixed, world.now)
    if fault := world.facts.undefined.get(
        experiment.metadata.uid
    ):  # no unit is sent before it can be counted
        blocked = StartBlocker("Pending", Reason.COLLECTOR_UNREACHABLE, fault)
        return Step(_shown(world, experiment, experiment.status, waiting(blocked)), again=RETRY)
    decision = Decision("Hold", Reason.STARTED, "the first units are enrolled")
    shown = _shown(world, experiment, begun, running(decision, ()), programmed=_SENDING)
    return Step(shown, _defined(experiment, begun), _again(world, shown, None))


def _blocked(blocker: StartBlocker) -> Shown:
    return invalid(blocker.message) if blocker.reason == Reason.INVALID_SPEC else waiting(blocker)


def _place(world: World, experiment: Experiment) -> Holding | StartBlocker:
    """The slots: what was reserved in its layer, or all of them."""
    return world.facts.places.get(experiment.metadata.uid) or place(experiment, ())


def _first(experiment: Experiment, where: Holding, fixed: AnalysisPlan, now: datetime) -> ExperimentStatus:
    """Freeze what must not change, and enrol the units of the first step."""
    status = experiment.status
    news = {
        "salt": where.salt,
        "slots": Span(start=where.span.start, end=where.span.end) if experiment.spec.layer else None,
        "plan": fixed,
    }
    planned = forecast(experiment.spec, fixed)
    frozen = status.changed(started_at=now, plan=planned, state=status.state.changed(**news))
    return _stepped(experiment, frozen, 0, now)


def _stepped(experiment: Experiment, status: ExperimentStatus, to: int, now: datetime) -> ExperimentStatus:
    units = sum(arm.units for arm in status.arms)
    state = status.state.changed(step_started_at=now, step_units=units)
    return _tabled(experiment, status.changed(step=to, state=state))


def _tabled(experiment: Experiment, status: ExperimentStatus) -> ExperimentStatus:
    """Return the status with the table of its step, without the arms that were dropped."""
    news = {"epoch": status.state.epoch + 1, "table": _table(experiment, status)}
    return status.changed(state=status.state.changed(**news))


def _table(experiment: Experiment, status: ExperimentStatus) -> tuple[Slots, ...]:
    if experiment.spec.mode == "Shadow":  # enrols nobody
        return ()
    state = status.state
    within = layer.Span(state.slots.start, state.slots.end) if state.slots else layer.WHOLE
    intervals = table(experiment.spec.weights, experiment.spec.ramp[status.step].percent, within)
    return tuple(
        Slots(arm=arm, start=start, end=end) for arm, start, end in intervals if arm not in state.dropped
    )


def _look(world: World, experiment: Experiment) -> Step:
    reading = _reading(world, experiment)
    if reading.pending:
        shown = (experiment.status.phase, ())
        return Step(_shown(world, experiment, experiment.status, shown))
    facts = experiment_facts(world, experiment, reading)
    remind = _defined(experiment, experiment.status) if facts.quality.fault == UNKNOWN else None
    status = _measured(experiment, facts)
    decision = decide(facts)
    if decision.final:
        return _end(world, experiment, status, decision, facts)
    if decision.kind in {"Advance", "Drop"}:
        return _changed(world, experiment, status, decision)
    shown_ = _shown(world, experiment, status, running(decision, status.state.dropped))
    return Step(shown_, remind, RETRY if remind else _again(world, shown_, reading))


def _reading(world: World, experiment: Experiment) -> Reading:
    if experiment.spec.mode == "Shadow":  # no unit is in an arm
        return Reading(Summary())
    return world.facts.readings.get(experiment.metadata.uid, _PENDING)


def _changed(world: World, experiment: Experiment, status: ExperimentStatus, decision: Decision) -> Step:
    """Another table: the collector knows it first, or its exposures could not be checked."""
    if decision.kind == "Drop":
        dropped = (*status.state.dropped, decision.arm)
        state = status.state.changed(dropped=dropped)
        after = _tabled(experiment, status.changed(state=state))
    else:
        after = _stepped(experiment, status, status.step + 1, world.now)
    if fault := world.facts.undefined.get(experiment.metadata.uid):
        hold = Decision("Hold", Reason.COLLECTOR_UNREACHABLE, fault)
        if decision.kind != "Drop":  # harm does not wait for the collector
            return Step(_shown(world, experiment, status, running(hold, status.state.dropped)), again=RETRY)
    shown = _shown(world, experiment, after, running(decision, after.state.dropped), programmed=_SENDING)
    return Step(shown, _defined(experiment, after), _again(world, shown, None))


def _defined(experiment: Experiment, status: ExperimentStatus, *, closed: bool = False) -> Definition | None:
    """What the collector counts; of a shadow there is nothing."""
    if experiment.spec.mode == "Shadow":
        return None
    return Definition(experiment.metadata.uid, definition(experiment, status, closed=closed))


def _end(
    world: World,
    experiment: Experiment,
    status: ExperimentStatus,
    decision: Decision,
    facts: ExperimentFacts | None = None,
) -> Step:
    state = status.state
    evidence = None
    if facts:
        evidence = facts.record().changed(table=state.table, salt=state.salt)
    verdict = Verdict.model_validate(
        {
            "verdict": decision.kind,
            "reason": decision.reason,
            "message": decision.message[:2048],
            "at": world.now,
            "winner": decision.winner,
            "evidence": evidence,
        }
    )
    winner = decision.winner or experiment.spec.control.version
    arms = tuple(arm.changed(share=100.0 * (arm.version == winner)) for arm in status.arms)
    emptied = state.changed(
        table=(), epoch=state.epoch + 1, levels=levels(facts, state.plan) if facts else {}
    )
    news = {"decision": verdict, "state": emptied, "arms": arms}
    return Step(_shown(world, experiment, status.changed(**news), over(verdict)), again=0.0)


def _close(world: World, experiment: Experiment) -> Step:
    """Tell the collector that what comes now is late, once; free the slots when the gateways have let go."""
    status = _released(world, experiment)
    done = find(status.conditions, "Closed")
    taken_back = acknowledgement(experiment)
    if (done and done.status == "True") or status.started_at is None:
        return Step(_shown(world, experiment, status, (status.phase, taken_back)))
    fault = world.facts.undefined.get(experiment.metadata.uid, "")
    words = fault or "the collector counts no more"
    reason = Reason.COLLECTOR_UNREACHABLE if fault else Reason.CLOSED
    closed = DesiredCondition("Closed", flag(of=not fault), reason, words)
    shown = _shown(world, experiment, status, (status.phase, (closed, *taken_back)))
    last_definition = _defined(experiment, status, closed=True)
    return Step(shown, last_definition, again=RETRY if fault else None)


def _released(world: World, experiment: Experiment) -> ExperimentStatus:
    """Free the slots of the layer once no gateway sends a unit by them any more."""
    status, state = experiment.status, experiment.status.state
    if not state.slots or not world.facts.programmed.done:
        return status
    return status.changed(state=state.changed(slots=None))


def _shown(
    world: World,
    experiment: Experiment,
    status: ExperimentStatus,
    shown: Shown,
    programmed: Programmed | None = None,
) -> Experiment:
    """Return the Experiment with its new status."""
    phase, desired = shown
    if status.started_at and not status.decision:
        desired = (*desired, _programmed(programmed or world.facts.programmed))
    generation = experiment.metadata.generation
    news = {
        "observed_generation": generation,
        "phase": phase,
        "arms": _arms(experiment, status) if not status.decision else status.arms,
        "conditions": with_conditions(status.conditions, desired, generation, world.now),
    }
    return experiment.changed(status=status.changed(**news))


def _programmed(programmed: Programmed) -> DesiredCondition:
    pending = Reason.REFUSED if programmed.nack else Reason.NOT_PROGRAMMED_YET
    reason = Reason.PROGRAMMED if programmed.done else pending
    return DesiredCondition("Programmed", flag(of=programmed.done), reason, programmed.message)


def _measured(experiment: Experiment, facts: ExperimentFacts) -> ExperimentStatus:
    """Return the status with the newest numbers; without an answer the last ones stand."""
    status, quality = experiment.status, facts.quality
    missing = [f"{gap.metric}: {gap.reason}, {gap.message}" for gap in quality.gaps]
    gaps = "; ".join([*missing, *unreported(experiment.spec.metrics.every, facts.arms)])[:1024]
    if quality.fault:
        known = status.checks or Checks()
        news = {"freshness": quality.fault[:256], "sources": gaps}
        return status.changed(checks=known.changed(**news))
    units, fixed = {arm.name: arm.units for arm in facts.arms}, status.state.plan
    state = {
        "peaks": tuple(reached(reading) for reading in facts.readings),
        "counted": growth(experiment, quality.counts).after(facts.arms),
        "srm_log_evidence": round(quality.srm.log_e, 9) if quality.srm else status.state.srm_log_evidence,
    }
    return status.changed(
        arms=tuple(arm.changed(units=units.get(arm.name, 0)) for arm in _arms(experiment, status)),
        analysis=analyses(experiment.spec, status.state.plan or AnalysisPlan(), facts.readings),
        plan=forecast(facts.spec, status.state.plan, facts, status.state.step_units)
        if status.state.plan
        else None,
        checks=_checks(facts, fixed, gaps),
        state=status.state.changed(**state),
    )


def _checks(facts: ExperimentFacts, plan: AnalysisPlan | None, gaps: str) -> Checks:
    age, srm, units = facts.quality.data_age, facts.quality.srm, facts.total_units
    counts = asdict(facts.quality.counts)
    unknown = "SRM check pending: units still settling" if units else "SRM check pending: no unit is counted"
    return Checks(
        srm=f"p {srm.p_value:.3g}" if srm else unknown,
        srm_p_value=float(f"{srm.p_value:.6g}") if srm else None,
        data_age_seconds=round(age, 1) if age is not None else None,
        audit=f"{facts.quality.counts.audit_mismatches} mismatches",
        freshness=f"{age:.0f} s" if age is not None else "no data yet",
        sources=gaps,
        unknown_metrics=facts.quality.unknown_metrics,
        maturity=finding(facts.spec, plan, facts.maturity)[:1024],
        **counts,
    )


def _arms(experiment: Experiment, status: ExperimentStatus) -> tuple[ArmStatus, ...]:
    widths = {slots.arm: slots.end - slots.start for slots in status.state.table}
    units = {arm.name: arm.units for arm in status.arms}
    return tuple(
        ArmStatus(
            name=arm.name,
            version=arm.version,
            share=widths.get(arm.name, 0) / 100,
            units=units.get(arm.name, 0),
        )
        for arm in experiment.spec.arms
    )


def _again(world: World, experiment: Experiment, reading: Reading | None) -> float | None:
    """Return in how many seconds time alone may change what is decided: the next of its deadlines."""
    status, spec, now = experiment.status, experiment.spec, world.now
    assert status.started_at is not None
    step_began = status.state.step_started_at or status.started_at
    deadlines = [
        step_began + timedelta(seconds=seconds(spec.ramp[status.step].min_duration)),
        status.started_at + timedelta(seconds=seconds(spec.decision.min_duration)),
        status.started_at + timedelta(seconds=seconds(spec.decision.max_duration)),
    ]
    if reading and reading.summary and reading.summary.last_ingest:
        stale = timedelta(seconds=seconds(spec.decision.max_data_age) + 1)
        deadlines.append(reading.summary.last_ingest + stale)
    down = [
        v
        for arm in spec.candidates
        if (v := world.version(arm.version)) and arm.version not in world.available
    ]
    for version in down:
        if available := find(version.status.conditions, "Available"):
            deadlines.append(available.last_transition_time + timedelta(seconds=DOWN_FOR))
    left = [(deadline - now).total_seconds() for deadline in deadlines]
    return min((one for one in left if one > 0), default=None)
