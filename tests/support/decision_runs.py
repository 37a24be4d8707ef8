"""Whole Experiments on data whose truth is known, through the live decision path: plan, readings, decide.

`python tests/support/decision_runs.py [RUNS]` prints the table, as `make validate` does; the tests
run a short form. What is simulated is a source, a type, a split and a truth; what is counted is the verdict.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from assay_api import ExperimentSpec
from assay_api.names import SETTLED, mature
from assay_collector.attribution import delay as of_collector
from assay_collector.attribution.delay import learned
from assay_operator.decide.analysis import plan, reached, readings
from assay_operator.decide.decision import Decision
from assay_operator.decide.experiment_facts import ArmCounts, DataQuality, ExperimentFacts
from assay_operator.decide.verdict import decide
from assay_stats import Moments, srm
from assay_stats.validation import RateCheck, line

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3_600_000_000
EDGES = np.array(of_collector.EDGES)
NAMES = ("control", "one", "two", "three", "four")
QUERY = {"count": "x", "sum": "y", "sumOfSquares": "z"}
SOURCES: Mapping[str, dict[str, Any]] = {
    "Events": {"source": "Events"},
    "Events, Ignore": {"source": "Events", "missing": "Ignore"},
    "Prometheus": {"source": "Prometheus", "prometheus": QUERY},
    "SQL": {"source": "SQL", "sql": {"urlSecretRef": {"name": "w"}, "query": "select 1"}},
    "Gateway": {"source": "Gateway"},
}
Draw = Callable[[np.random.Generator, int], np.ndarray[Any, Any]]


@dataclass(frozen=True)
class World:
    """An Experiment with its truth.

    Attributes:
        metrics: As in a spec.
        truth: By metric, a draw of values for each arm.
        weights: Of the arms.
        looks: Units of all arms together between looks.
    """

    metrics: dict[str, Any]
    truth: Mapping[str, Sequence[Draw]]
    weights: tuple[int, ...] = (50, 50)
    looks: tuple[int, ...] = (200,) * 25
    decision: dict[str, Any] = field(default_factory=dict)


def spec(metrics: dict[str, Any], weights: Sequence[int] = (50, 50), **decision: Any) -> ExperimentSpec:
    """Return an Experiment that is at its last step from the start."""
    arms = [
        {"name": name, "version": f"churn-{i}", "weight": weight}
        for i, (name, weight) in enumerate(zip(NAMES, weights, strict=False))
    ]
    written = {"modelRef": {"name": "churn"}, "arms": arms, "ramp": [{"percent": 1}], "metrics": metrics}
    return ExperimentSpec.model_validate(
        written | {"decision": {"minDuration": "1h", "maxDuration": "1d"} | decision}
    )


def experiment_facts(
    design: ExperimentSpec, counts: Mapping[str, Sequence[Moments]], **more: Any
) -> ExperimentFacts:
    """Return what is seen two hours after the start; `counts` has the moments of each arm by metric.

    Without `worded` a Hold does not say how many units are missing, which takes most of its time.
    """
    fixed = more.pop("plan", None) or plan(design)
    old = {mature(name): counts[name] for name in fixed.lags if name in counts}  # outcomes come at once
    units = [max(of[i].n for of in counts.values()) for i in range(len(design.arms))]
    counts = old | dict(counts)
    arms = tuple(
        ArmCounts(
            arm.name,
            arm.version,
            n,
            {SETTLED: Moments.proportion(n, 0)} | {name: of[i] for name, of in counts.items()},
        )
        for i, (arm, n) in enumerate(zip(design.arms, units, strict=True))
    )
    usual: dict[str, Any] = {
        "spec": design,
        "now": START + timedelta(hours=2),
        "started_at": START,
        "step": len(design.ramp) - 1,
        "step_started_at": START,
        "arms": arms,
        "plan": fixed if more.pop("worded", True) else None,
        "readings": readings(design, fixed, arms, more.get("peaks", ())),
        "quality": DataQuality(srm=srm({a.name: a.units for a in arms}, design.weights, 0.001), data_age=1.0),
    }
    return ExperimentFacts(**(usual | more))


def run(world: World, rng: np.random.Generator) -> tuple[Decision | None, int]:
    """Return the verdict of one Experiment, or None if the data ends first, and the look that made it."""
    design = spec(world.metrics, world.weights, **world.decision)
    fixed = plan(design)
    parts = np.array(world.weights) / sum(world.weights)
    sums = {name: [Moments(0, 0.0)] * len(parts) for name in world.truth}
    peaks: tuple[Any, ...] = ()
    dropped: frozenset[str] = frozenset()
    for look, units in enumerate(world.looks):
        for name, draws in world.truth.items():
            arriving = rng.multinomial(units, parts)
            sums[name] = [
                s.merge(Moments.of(draw(rng, n))) if n else s
                for s, draw, n in zip(sums[name], draws, arriving, strict=True)
            ]
        quality = DataQuality(srm=srm(dict.fromkeys(design.weights, 0), design.weights, 0.001), data_age=1.0)
        facts = experiment_facts(
            design, sums, plan=fixed, peaks=peaks, dropped=dropped, quality=quality, worded=False
        )
        peaks = tuple(reached(reading) for reading in facts.readings)
        outcome = decide(facts)
        if outcome.kind == "Drop":
            dropped |= {outcome.arm}
        elif outcome.final:
            return outcome, look
    return None, len(world.looks)


def rate(world: World, kinds: set[str], runs: int, seed: int = 1) -> float:
    """Return the part of runs that end with one of the verdicts."""
    rng = np.random.default_rng(seed)
    ends = [RUNS[type(world)](world, rng)[0] for _ in range(runs)]
    return sum(end is not None and end.kind in kinds for end in ends) / runs


def bernoulli(p: float) -> Draw:
    """Return a draw of zeros and ones."""
    return lambda rng, n: (rng.random(n) < p).astype(float)


def lognormal(scale: float = 1.0) -> Draw:
    """Return a draw of amounts with a heavy tail, capped as the docs ask for."""
    return lambda rng, n: np.minimum(rng.lognormal(0, 1.2, n), 16.0) * scale


@dataclass(frozen=True)
class LateWorld(World):
    """One whose outcomes arrive some time after their units: `looks` are a quarter of an hour apart.

    Attributes:
        delay: Of an outcome, in hours.
        growth: Units come as the growth-th power of time: 1 evenly, more with a ramp.
    """

    delay: Draw = field(kw_only=True)
    growth: float = 1.0


@dataclass
class Arrived:
    """All units that will come, in hours: of what arm, since when, with an outcome, known from when on."""

    arm: np.ndarray[Any, Any]
    since: np.ndarray[Any, Any]
    event: np.ndarray[Any, Any]
    known: np.ndarray[Any, Any]
    mature: float = -1.0  # up to which arrivals are mature
    lag: float = np.inf

    def learn(self, now: float) -> None:
        """Do what the collector does every second."""
        here, come = self.since <= now, self.event & (self.known <= now)
        late = (self.known - self.since)[come]
        lag = learned(_cells(late), _cells(self.since[here]), round(now * HOUR))
        self.lag = np.inf if lag is None else lag / HOUR
        self.mature = max(self.mature, now - self.lag)

    def sums(self, arms: int, now: float, since: float) -> list[Moments]:
        """Return the sums of the units that came until `since`, with the outcomes that are known."""
        here = self.since <= since
        come = here & self.event & (self.known <= now)
        units, events = (np.bincount(self.arm[each], minlength=arms) for each in (here, come))
        return [Moments.proportion(int(n), float(e)) for n, e in zip(units, events, strict=True)]


def _cells(hours: np.ndarray[Any, Any]) -> dict[int, int]:
    cells, counts = np.unique(np.searchsorted(EDGES, hours * HOUR), return_counts=True)
    return dict(zip(cells.tolist(), counts.tolist(), strict=True))


def arrived(world: LateWorld, rates: Sequence[float], rng: np.random.Generator) -> Arrived:
    """Draw everybody."""
    n, parts = sum(world.looks), np.array(world.weights) / sum(world.weights)
    arm, hours = rng.choice(len(parts), size=n, p=parts), len(world.looks) / 4
    since = hours * rng.random(n) ** (1 / world.growth)
    return Arrived(arm, since, rng.random(n) < np.array(rates)[arm], since + world.delay(rng, n))


def run_late(world: LateWorld, rng: np.random.Generator) -> tuple[Decision | None, int]:
    """Return the verdict of an Experiment whose outcomes come late, as `run` does."""
    design = spec(world.metrics, world.weights, **world.decision)
    fixed = plan(design)
    peaks: tuple[Any, ...] = ()
    ((name, draws),) = world.truth.items()
    people = arrived(world, [float(draw(rng, 1)[0]) for draw in draws], rng)
    for look in range(1, len(world.looks) + 1):
        now = look / 4
        people.learn(now)
        ready = people.mature <= now - people.lag
        sums = {name: people.sums(len(draws), now, now)}
        if fixed.lags:
            sums[mature(name)] = people.sums(len(draws), now, people.mature if ready else -1.0)
        quality = DataQuality(srm=srm(dict.fromkeys(design.weights, 0), design.weights, 0.001), data_age=1.0)
        at = START + timedelta(hours=now)
        facts = experiment_facts(design, sums, plan=fixed, peaks=peaks, quality=quality, now=at, worded=False)
        peaks = tuple(reached(reading) for reading in facts.readings)
        if (outcome := decide(facts)).final:
            return outcome, look
    return None, len(world.looks)


@dataclass(frozen=True)
class GrowingWorld(World):
    """The same units at every look, whose values go on growing: information grows, their number does not."""


def run_growing(world: GrowingWorld, rng: np.random.Generator) -> tuple[Decision | None, int]:
    """Return the verdict of an Experiment of a fixed population, as `run` does."""
    design = spec(world.metrics, world.weights, **world.decision)
    fixed = plan(design)
    peaks: tuple[Any, ...] = ()
    ((name, draws),) = world.truth.items()
    parts = np.array(world.weights) / sum(world.weights)
    values = [np.zeros(n) for n in rng.multinomial(world.looks[0], parts)]
    quality = DataQuality(srm=srm(dict.fromkeys(design.weights, 0), design.weights, 0.001), data_age=1.0)
    for look in range(len(world.looks)):
        values = [v + draw(rng, len(v)) for v, draw in zip(values, draws, strict=True)]
        sums = [Moments(len(v), float(v.sum()), float(v @ v)) for v in values]
        facts = experiment_facts(design, {name: sums}, plan=fixed, peaks=peaks, quality=quality, worded=False)
        peaks = tuple(reached(reading) for reading in facts.readings)
        if (outcome := decide(facts)).final:
            return outcome, look
    return None, len(world.looks)


Row = tuple[str, World, set[str], float, str]
RUNS: Mapping[type[World], Callable[[Any, np.random.Generator], tuple[Decision | None, int]]] = {
    World: run,
    LateWorld: run_late,
    GrowingWorld: run_growing,
}
VERDICTS = {"Promote", "RollBack"}
CANARY = (95, 5)


def equal() -> Iterator[Row]:
    """No difference at all, by source, type and split: neither a win nor a loss."""
    for source, query in SOURCES.items():
        for weights in ((50, 50), CANARY):
            name = f"{source}, {weights[0]}:{weights[1]}"
            if source == "Gateway":
                continue
            primary = {"primary": query | {"name": "m"}}
            world = World(primary, {"m": [bernoulli(0.1)] * 2}, weights)
            yield f"no difference, Proportion, {name}", world, VERDICTS, 0.05, "at most"
            mean = {"primary": query | {"name": "m", "type": "Mean"}}
            world = World(mean, {"m": [lognormal()] * 2}, weights, looks=(60,) * 25)
            yield f"no difference, Mean, {name}", world, VERDICTS, 0.05, "at most"


def margins() -> Iterator[Row]:
    """A guardrail exactly at its margin: neither rolled back nor promoted, by source, margin and split."""
    for source, query in SOURCES.items():
        for margin, base, at in (
            ({"absolute": 0.02}, 0.02, 0.04),
            ({"relative": 0.5}, 0.04, 0.06),
        ):
            for weights in ((50, 50), CANARY):
                world = World(
                    {"guardrails": [query | {"name": "m", "margin": margin}]},
                    {"m": [bernoulli(base), bernoulli(at)]},
                    weights,
                    looks=(50,) * 10 + (500,) * 15,
                )
                (size,) = margin
                name = f"{source}, {size} margin, {weights[0]}:{weights[1]}"
                yield f"rolled back at the margin, {name}", world, {"RollBack"}, 0.05, "at most"
                yield f"cleared at the margin, {name}", world, {"Promote"}, 0.05, "at most"


def several() -> Iterator[Row]:
    """Several candidates, all at the margin, or all like the control."""
    for k in (2, 4):
        weights = (100 - k * (100 // (k + 1)), *[100 // (k + 1)] * k)
        guard = {"guardrails": [{"name": "errors", "margin": {"absolute": 0.02}}]}
        draws = [bernoulli(0.02), *[bernoulli(0.04)] * k]
        world = World(guard, {"errors": draws}, weights, looks=(250 * (k + 1),) * 20)
        yield f"cleared at the margin, {k} candidates", world, {"Promote"}, 0.05, "at most"
        world = World({"primary": {"name": "m"}}, {"m": [bernoulli(0.1)] * (k + 1)}, weights)
        yield f"no difference, {k} candidates", world, {"Promote"}, 0.05, "at most"


def failures() -> Iterator[Row]:
    """A candidate that fails with every unit is rolled back before it has 30 of them."""
    for source, query in SOURCES.items():
        for weights in ((50, 50), CANARY):
            units = 30 * 100 // weights[1]
            for margin in ({"absolute": 0.02}, {"relative": 0.2}):
                world = World(
                    {"guardrails": [query | {"name": "m", "margin": margin}]},
                    {"m": [bernoulli(0.01), bernoulli(1.0)]},
                    weights,
                    looks=(units // 10,) * 9,
                )
                (size,) = margin
                name = f"{source}, {size} margin, {weights[0]}:{weights[1]}"
                yield f"total failure within 30 units, {name}", world, {"RollBack"}, 0.999, "at least"


def power() -> Iterator[Row]:
    """Twice the margin at a canary, 60,000 units: the default rule of a guardrail."""
    for base, margin in ((0.01, 0.01), (0.005, 0.01)):
        world = World(
            {"guardrails": [{"name": "errors", "margin": {"absolute": margin}}]},
            {"errors": [bernoulli(base), bernoulli(base + 2 * margin)]},
            CANARY,
            looks=(1000,) * 60,
        )
        name = f"twice the margin {margin} of {base}, 95:5, 60,000 units"
        yield f"rolled back, {name}", world, {"RollBack"}, 0.75, "at least"
        yield f"promoted, {name}", world, {"Promote"}, 0.05, "at most"


def certainly(p: float) -> Draw:
    """Return a draw of nothing but `p`: the rate of a world whose outcomes come late."""
    return lambda _, n: np.full(n, p)


DELAYS: Mapping[str, Draw] = {
    "within minutes": lambda rng, n: rng.exponential(0.05, n),
    "after 3 h": lambda rng, n: rng.exponential(3.0, n),
    "after 12 h": lambda rng, n: rng.exponential(12.0, n),
    "half at once, half at night": lambda rng, n: np.where(rng.random(n) < 0.5, 0.01, 5 + 2 * rng.random(n)),
    "log-normal around 1 h": lambda rng, n: rng.lognormal(0.0, 1.5, n),
}


def late() -> Iterator[Row]:
    """Outcomes that come late, no window and no minDuration: what is not known yet clears no guardrail.

    Of a second half that comes hours after the first nobody can know before: at the margin it is cleared.
    """
    ends = {"minDuration": "0s", "maxDuration": "30d"}
    for when, delay in DELAYS.items():
        for weights, growth in (((50, 50), 1.0), (CANARY, 1.0), ((50, 50), 3.0)):
            guard = {"guardrails": [SOURCES["Events"] | {"name": "m", "margin": {"absolute": 0.02}}]}
            name = f"outcomes {when}, {weights[0]}:{weights[1]}{', ramp' if growth > 1 else ''}"
            sizes = {"twice the margin": 0.06} | ({} if "night" in when else {"the margin": 0.04})
            for words, at in sizes.items():
                truth = {"m": [certainly(0.02), certainly(at)]}
                world = LateWorld(guard, truth, weights, (250,) * 48, ends, delay=delay, growth=growth)
                yield f"promoted at {words}, {name}", world, {"Promote"}, 0.05, "at most"
    truth = {"m": [certainly(0.02)] * 2}
    world = LateWorld(guard, truth, looks=(250,) * 48, decision=ends, delay=DELAYS["within minutes"])
    yield "promoted without a difference, outcomes within minutes, 50:50", world, {"Promote"}, 0.9, "at least"
    truth = {"m": [certainly(0.3)] * 2}
    for when in ("after 3 h", "after 12 h"):
        primary = {"primary": {"name": "m"}}
        world = LateWorld(primary, truth, looks=(250,) * 48, decision=ends, delay=DELAYS[when])
        yield f"no difference, outcomes {when}, 50:50", world, VERDICTS, 0.05, "at most"


def growing() -> Iterator[Row]:
    """A fixed population whose amounts grow, at the margin of a guardrail or without a difference."""

    def amounts(scale: float) -> Draw:
        return lambda rng, n: rng.exponential(scale, n)

    for weights in ((50, 50), (80, 20)):
        name = f"2,000 units growing 100-fold, {weights[0]}:{weights[1]}"
        metric = SOURCES["SQL"] | {"name": "m", "type": "Mean"}
        guard = {"guardrails": [metric | {"margin": {"relative": 0.2}}]}
        truth = {"m": [amounts(1.0), amounts(1.2)]}
        world: World = GrowingWorld(guard, truth, weights, (2000,) * 100)
        yield f"rolled back at the margin, {name}", world, {"RollBack"}, 0.05, "at most"
        yield f"cleared at the margin, {name}", world, {"Promote"}, 0.05, "at most"
        world = GrowingWorld({"primary": metric}, {"m": [amounts(1.0)] * 2}, weights, (2000,) * 100)
        yield f"no difference, {name}", world, VERDICTS, 0.05, "at most"


GROUPS = (failures, margins, several, power, equal, late, growing)


def claims(runs: int, groups: Sequence[Callable[[], Iterator[Row]]] = GROUPS) -> Iterator[RateCheck]:
    """Return every claim, as it is found."""
    for group in groups:
        for name, world, kinds, bar, kind in group():
            yield RateCheck(name, rate(world, kinds, runs), bar, runs, kind)


def main(runs: int) -> int:
    """Print the table; 0 if every bar holds."""
    print("| decided | found | bar | | runs | |\n|---|---|---|---|---|---|")
    broken = 0
    for claim in claims(runs):
        print(line(claim), flush=True)
        broken += not claim.holds
    print(f"\n{broken} bars broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
