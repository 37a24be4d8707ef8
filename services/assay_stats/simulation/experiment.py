"""Many experiments of one design: type-I error or power, stopping times, each with its Monte-Carlo error."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay_stats.simulation.engine import Test, Trace, trace
from assay_stats.simulation.worlds import Bernoulli, Draw, Floats, World

BATCH_VALUES = 500_000
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Design:
    """An experiment to repeat.

    Attributes:
        world: What units do.
        test: What decides; one test for all candidates, Holm between them.
        units: Units of all arms together between looks, one number a look (a ramp grows them).
        weights: Of the arms, control first.
        effects: Relative effect of each candidate; zeros make it an A/A.
        increase: Whether an increase is better.
    """

    world: World
    test: Test
    units: tuple[int, ...]
    weights: tuple[float, ...] = (50, 50)
    effects: tuple[float, ...] = (0.0,)
    increase: bool = True

    @property
    def parts(self) -> tuple[float, ...]:
        """Each arm's part of the units."""
        return tuple(weight / sum(self.weights) for weight in self.weights)


class Rate(NamedTuple):
    """A simulated frequency with its Monte-Carlo standard error."""

    value: float
    error: float

    @classmethod
    def of(cls, hits: int, runs: int) -> "Rate":
        """Return hits / runs; the error is that of a frequency of at least 1 / runs."""
        p = hits / runs
        return cls(p, sqrt(max(p * (1 - p), 1 / runs * (1 - 1 / runs)) / runs))

    def at_most(self, bar: float, runs: int) -> bool:
        """Whether the rate keeps to a bar, give or take three Monte-Carlo errors of the bar."""
        return self.value <= bar + 3 * sqrt(bar * (1 - bar) / runs)


class Outcome(NamedTuple):
    """What came of all runs.

    Attributes:
        runs: Experiments simulated.
        decided: Any candidate was called better or worse; in an A/A the type-I error.
        better: The first candidate was called better; its power, if it is.
        worse: The first candidate was called worse.
        stops: Quantiles of the part of all units after which it was decided, by `QUANTILES`; undecided runs
            count as 1.
        mean_stop: Mean of that part.
        mean_stop_error: Its Monte-Carlo error.
        curve: Part of runs decided after each look.
    """

    runs: int
    decided: Rate
    better: Rate
    worse: Rate
    stops: tuple[float, ...]
    mean_stop: float
    mean_stop_error: float
    curve: Floats


class _Stops(NamedTuple):
    """First deciding look of each run over all candidates (one past the last if none), the first's side."""

    any_look: NDArray[np.intp]
    first_up: NDArray[np.int8]


class _Task(NamedTuple):
    design: Design
    runs: int
    seed: np.random.SeedSequence


def simulate(
    design: Design,
    *,
    runs: int = 2000,
    seed: int = 1,
    cores: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Repeat a design.

    Args:
        design: What to repeat.
        runs: How often.
        seed: Same seed, same figures, on any number of cores.
        cores: Processes to spread the batches over; 1 stays in this one.
        progress: Called with (done, all) runs after each batch.

    Raises:
        ValueError: A design without looks, or with arms and effects that do not match.
    """
    if len(design.effects) != len(design.weights) - 1 or not design.units or runs < 1:
        raise ValueError(f"design: {len(design.weights)} weights need one effect less, a look and a run")
    tasks = list(_tasks(design, runs, seed))
    found = []
    for batch in _mapped(tasks, cores):
        found.append(batch)
        if progress:
            progress(sum(len(b.any_look) for b in found), runs)
    return _outcome(design, found)


def _tasks(design: Design, runs: int, seed: int) -> Iterator[_Task]:
    drawn = len(design.units) if isinstance(design.world, Bernoulli) else sum(design.units)
    size = max(1, min(500, BATCH_VALUES // drawn))
    seeds = np.random.SeedSequence(seed).spawn(ceil(runs / size))
    for k, child in enumerate(seeds):
        yield _Task(design, min(size, runs - k * size), child)


def _mapped(tasks: list[_Task], cores: int) -> Iterable[_Stops]:
    if cores <= 1 or len(tasks) == 1:
        yield from map(run_batch, tasks)
        return
    pool: Executor
    with ProcessPoolExecutor(max_workers=cores) as pool:
        yield from pool.map(run_batch, tasks)


def run_batch(task: _Task) -> _Stops:
    """Run some of the experiments; a pure function of its task."""
    design = task.design
    draw = Draw(task.runs, design.units, design.parts, (0.0, *design.effects))
    control, *candidates = design.world.draw(np.random.default_rng(task.seed), draw)
    binary = isinstance(design.world, Bernoulli)
    traces = [
        trace(design.test, control, sums, weight / (weight + design.weights[0]), binary=binary)
        for sums, weight in zip(candidates, design.weights[1:], strict=True)
    ]
    rejected = _rejected(traces, design.test.alpha)
    looks = len(design.units)
    any_look = np.where(rejected.any(axis=(0, 2)), rejected.any(axis=0).argmax(axis=1), looks)
    first = rejected[0].any(axis=1)
    up = traces[0].up[np.arange(task.runs), rejected[0].argmax(axis=1)]
    return _Stops(any_look, np.where(first, np.where(up, 1, -1), 0).astype(np.int8))


def _rejected(traces: list[Trace], alpha: float) -> NDArray[np.bool_]:
    """Return (candidates, runs, looks): Holm over candidates at every look, where the look may decide."""
    p = np.stack([t.p for t in traces])
    order = np.argsort(p, axis=0)
    ranks = np.arange(len(traces))[:, None, None]
    adjusted = np.maximum.accumulate((len(traces) - ranks) * np.take_along_axis(p, order, axis=0), axis=0)
    back = np.empty_like(adjusted)
    np.put_along_axis(back, order, adjusted, axis=0)
    rejected: NDArray[np.bool_] = (back <= alpha) & np.stack([t.able for t in traces])
    return rejected


def _outcome(design: Design, batches: list[_Stops]) -> Outcome:
    any_look = np.concatenate([batch.any_look for batch in batches])
    side = np.concatenate([batch.first_up for batch in batches])
    runs, looks = len(any_look), len(design.units)
    parts = np.cumsum(design.units) / sum(design.units)
    stopped = np.append(parts, 1.0)[any_look]
    curve = np.bincount(any_look, minlength=looks + 1)[:looks].cumsum() / runs
    better, worse = ((side == 1), (side == -1)) if design.increase else ((side == -1), (side == 1))
    return Outcome(
        runs,
        Rate.of(int((any_look < looks).sum()), runs),
        Rate.of(int(better.sum()), runs),
        Rate.of(int(worse.sum()), runs),
        tuple(float(q) for q in np.quantile(stopped, QUANTILES)),
        float(stopped.mean()),
        float(stopped.std() / sqrt(runs)),
        curve,
    )
