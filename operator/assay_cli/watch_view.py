"""What a person sees of a Model and its Experiment: pure, from objects to a picture for the terminal."""

from datetime import UTC, datetime
from math import inf
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from assay_api import Condition, Experiment, Model, ModelVersion
from assay_api.duration import spelled
from assay_api.experiment_status import Analysis, ArmStatus
from assay_cli import watch_draw as draw
from assay_cli.watch_trail import Trail, candidates_percent

BAR = 24
PHASES = {
    "Running": "bold cyan", "Promoted": "bold green", "RolledBack": "bold yellow", "Invalid": "bold red",
    "Inconclusive": "yellow", "Aborted": "yellow",
}  # fmt: skip
FINISHED = ("Promoted", "RolledBack", "Inconclusive", "Invalid", "Aborted")


class Observation(NamedTuple):
    """A Model with its versions and Experiments, as the API server has them."""

    model: Model | None
    versions: tuple[ModelVersion, ...] = ()
    experiments: tuple[Experiment, ...] = ()

    @property
    def experiment(self) -> Experiment | None:
        """The Experiment that matters: the first that is not over, else the newest."""
        ordered = sorted(self.experiments, key=lambda e: e.metadata.creation_timestamp)
        going = (e for e in ordered if e.status.decision is None)
        return next(going, ordered[-1] if ordered else None)


def view(observation: Observation, trail: Trail, now: datetime, width: int = 100) -> RenderableType:
    """Draw everything that is known; a Model that doesn't exist yet is said to."""
    if observation.model is None:
        return Panel(Text("there is no such Model yet", style=draw.DIM))
    parts: list[RenderableType] = [model_panel(observation.model, observation.versions)]
    if (experiment := observation.experiment) is not None:
        parts.append(experiment_panel(experiment, trail, now, width))
    return Group(*parts)


def model_panel(model: Model, versions: tuple[ModelVersion, ...]) -> Panel:
    """Draw the Model: who serves, who wants to, and what is going on."""
    status = model.status
    facts = Table.grid(padding=(0, 2))
    facts.add_row("champion", Text(status.champion or "none yet", style="bold green"), status.endpoint)
    for version in sorted(versions, key=lambda v: v.spec.number):
        facts.add_row(*_version_row(version, status.champion))
    for condition in noteworthy(status.conditions):
        facts.add_row(*_condition_row(condition))
    return Panel(facts, title=f"model {model.metadata.namespace}/{model.metadata.name}", title_align="left")


def _version_row(version: ModelVersion, champion: str) -> tuple[str, Text, Text]:
    name = version.metadata.name
    gates = Text()
    for gate in version.status.gates:
        gates.append("✓ " if gate.passed else "✗ ", draw.GOOD if gate.passed else draw.BAD)
        gates.append(f"{gate.message or gate.metric}   ")
    made = Text(f"{version.status.phase or 'new'}  ", style=draw.DIM).append_text(gates)
    return "", Text(name, style="bold" if name == champion else ""), made


def noteworthy(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Return the conditions that say something: what goes on, and what is wrong."""
    busy = ("Progressing", "Degraded", "DriftDetected", "Reconciling", "Stalled")
    return tuple(
        c for c in conditions
        if (c.status == "True" and c.type in busy) or (c.status == "False" and c.type not in busy)
    )  # fmt: skip


def _condition_row(condition: Condition) -> tuple[Text, Text, Text]:
    wrong = condition.type in {"Degraded", "Stalled", "DriftDetected"}
    style = draw.BAD if wrong else draw.DIM
    return Text(condition.type.lower(), style=style), Text(condition.reason), Text(condition.message)


def experiment_panel(experiment: Experiment, trail: Trail, now: datetime, width: int = 100) -> Panel:
    """Draw the Experiment: where it stands, what it knows, and what it waits for."""
    parts: list[RenderableType] = [_headline(experiment, now), arms_table(experiment)]
    if experiment.status.analysis:
        parts.append(analysis_table(experiment))
    parts.extend(draw.sequence(trail.of(experiment), min(width - 4, 96)))
    parts.append(_waits_for(experiment))
    name = f"experiment {experiment.metadata.name}"
    return Panel(Group(*parts), title=name, title_align="left", border_style=_phase_style(experiment))


def phase(experiment: Experiment) -> str:
    """Return the phase as the operator shows it."""
    return experiment.status.phase or "Pending"


def _phase_style(experiment: Experiment) -> str:
    return PHASES.get(phase(experiment), "white")


def _headline(experiment: Experiment, now: datetime) -> RenderableType:
    status = experiment.status
    line = Text(phase(experiment), style=_phase_style(experiment)).append("   ")
    steps = [step.percent for step in experiment.spec.ramp]
    line.append_text(draw.ramp(steps, status.step, over=status.decision is not None))
    if status.started_at:
        end = status.decision.at if status.decision else now
        line.append(f"   {spelled((end - status.started_at).total_seconds())}", draw.DIM)
    if status.decision is None:
        line.append(f"   {candidates_percent(experiment):g}% of all units on candidates", draw.DIM)
    hypothesis = experiment.spec.hypothesis
    return Group(line, Text(f"“{hypothesis}”", style="italic")) if hypothesis else line


def arms_table(experiment: Experiment) -> Table:
    """Draw the arms: share of all units, and units seen."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=draw.DIM)
    table.add_column("arm")
    table.add_column("version")
    table.add_column("share", justify="right")
    table.add_column("units", justify="right")
    table.add_column("")
    most = max((arm.units for arm in experiment.status.arms), default=0)
    for arm in experiment.status.arms or _no_arms_yet(experiment):
        bar = "█" * (round(BAR * arm.units / most) if most else 0)
        table.add_row(arm.name, arm.version, f"{arm.share:g}%", f"{arm.units:,}", Text(bar, style=draw.BAND))
    return table


def _no_arms_yet(experiment: Experiment) -> tuple[ArmStatus, ...]:
    return tuple(ArmStatus(name=arm.name, version=arm.version) for arm in experiment.spec.arms)


def analysis_table(experiment: Experiment) -> Table:
    """Draw each metric's effect with its interval; the interval is valid whenever it is looked at."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=draw.DIM)
    table.add_column("metric")
    table.add_column("control", justify="right")
    table.add_column("effect", justify="right")
    table.add_column("lift", justify="right")
    table.add_column("valid at any time", justify="center")
    table.add_column("says")
    guards = experiment.spec.metrics.guardrails
    margins = {g.name: (g.margin.absolute or 0.0) * (1 if g.direction == "Decrease" else -1) for g in guards}
    for line in experiment.status.analysis:
        mark = {"Primary": "★ ", "Guardrail": "⛨ "}.get(line.role, "  ")
        bar = _bar(line, margins.get(line.metric, 0.0))
        numbers = (_number(line.control), _signed(line.estimate), _percent(line.lift))
        table.add_row(mark + line.metric, *numbers, bar, line.says)
    return table


def _bar(line: Analysis, margin: float) -> Text:
    if line.estimate is None or (line.low is None and line.high is None):
        return Text("not enough yet", style=draw.DIM)
    low, high = (-inf if line.low is None else line.low), (inf if line.high is None else line.high)
    scale = max(abs(line.estimate) * 2, 2 * abs(margin), 0.05)
    style = draw.style(low, high) if line.role != "Guardrail" else _guardrail_style(line, margin)
    return draw.interval((low, line.estimate, high), scale, style)


def _guardrail_style(line: Analysis, margin: float) -> str:
    """Green once it is shown to hold, red where the estimate is beyond the margin (signed as harm is)."""
    if line.says == "within the margin":
        return draw.GOOD
    estimate = line.estimate or 0.0
    return draw.BAD if (estimate > margin if margin >= 0 else estimate < margin) else draw.EFFECT


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1%}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def _waits_for(experiment: Experiment) -> RenderableType:
    decision = experiment.status.decision
    if decision is not None:
        verdict = Text(f"{decision.verdict}: {decision.reason}  ", style=_phase_style(experiment))
        return verdict.append(decision.message, "default")
    notes = {c.message: c for c in noteworthy(experiment.status.conditions)}.values()
    if not notes:
        return Text("waits for the operator", style=draw.DIM)
    lines = [Text(f"{c.type}: {c.reason}  ", style=draw.DIM).append(c.message, "default") for c in notes]
    return Group(*lines)


def now() -> datetime:
    """Return the moment, as the API server writes it."""
    return datetime.now(UTC)
