"""The story as one picture for a report: effect, errors, and who answered, over the same time."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl

from assay_api import Experiment
from assay_cli.watch_trail import Look
from churndemo.stage import Stage, Step

mpl.use("Agg")
from matplotlib import pyplot as plt

COLORS = ("#4477aa", "#228833", "#cc6677", "#bbbbbb")
ENDS = {"Promote": "#228833", "RollBack": "#cc6677"}
REACH = 0.5  # of the effect; the first, widest bands are cut off
DOTS = 130
BIN = 4  # samples; one is half a second


def plot(stage: Stage, path: Path) -> None:
    """Draw the stage into a PNG file."""
    figure, axes = plt.subplots(3, 1, figsize=(11, 10), sharex=True, height_ratios=(3, 2, 2))
    experiments = sorted(stage.observation.experiments, key=lambda e: e.metadata.creation_timestamp)
    for experiment, color in zip(experiments, COLORS[1:], strict=False):
        looks = stage.trail.of(experiment)
        _band(axes[0], looks, stage.began, color, f"{_candidate(experiment)} against {_control(experiment)}")
        _band(
            axes[1], stage.guards.get(experiment.metadata.uid, ()), stage.began, color, _candidate(experiment)
        )
        for axis in axes[:2]:
            _steps(axis, stage.steps.get(experiment.metadata.uid, ()), stage.began)
            _verdict(axis, experiment, stage)
    _effect(axes[0], experiments)
    _errors(axes[1], experiments)
    _answers(axes[2], stage)
    axes[0].set_xlim(left=0)
    figure.suptitle("Assay: a better model wins, a broken one is rolled back, and no user notices")
    figure.tight_layout()
    figure.savefig(path, dpi=DOTS)
    plt.close(figure)


def _candidate(experiment: Experiment) -> str:
    return ", ".join(arm.version for arm in experiment.spec.candidates)


def _control(experiment: Experiment) -> str:
    return experiment.spec.control.version


def _band(axis: Any, looks: Sequence[Look], began: float, color: str, label: str) -> None:
    if not looks:
        return
    times = [look.at - began for look in looks]
    axis.fill_between(
        times,
        [max(k.low, -1.0) for k in looks],
        [min(k.high, 1.0) for k in looks],
        step="post",
        color=color,
        alpha=0.25,
        lw=0,
    )
    axis.step(times, [k.estimate for k in looks], where="post", color=color, label=label)


def _steps(axis: Any, steps: Sequence[Step], began: float) -> None:
    for step in steps:
        axis.axvline(step.at - began, color="#999999", lw=0.6, ls=":")
        axis.annotate(
            f"{step.percent:g}%", (step.at - began, 1), xycoords=("data", "axes fraction"),
            xytext=(2, -10), textcoords="offset points", fontsize=8, color="#777777",
        )  # fmt: skip


def _verdict(axis: Any, experiment: Experiment, stage: Stage) -> None:
    decision, end = experiment.status.decision, stage.ends.get(experiment.metadata.uid)
    if decision is None or end is None:
        return
    at, color = end - stage.began, ENDS.get(decision.verdict, "#555555")
    axis.axvline(at, color=color, lw=1.5)
    axis.annotate(
        f"{decision.verdict} ", (at, 0.02), xycoords=("data", "axes fraction"),
        color=color, weight="bold", ha="right",
    )  # fmt: skip


def _effect(axis: Any, experiments: Sequence[Experiment]) -> None:
    axis.axhline(0, color="black", lw=0.8)
    axis.set_ylim(-REACH / 2, REACH)
    axis.set_ylabel("more often right\n(difference of shares)")
    axis.set_title("effect, with a confidence sequence that is valid at any time", loc="left", fontsize=10)
    if experiments:
        axis.legend(loc="upper left")


def _errors(axis: Any, experiments: Sequence[Experiment]) -> None:
    axis.axhline(0, color="black", lw=0.8)
    margins = {
        g.margin.absolute for e in experiments for g in e.spec.metrics.guardrails if g.name == "errors"
    }
    for margin in margins - {None}:
        axis.axhline(margin, color="#cc6677", lw=0.8, ls="--")
        axis.annotate(" margin", (0, margin), fontsize=8, color="#cc6677", va="bottom")
    axis.set_ylim(-0.05, REACH)
    axis.set_ylabel("units with an error\n(difference of shares)")
    axis.set_title(
        "guardrail errors: what candidates failed, and the champion answered", loc="left", fontsize=10
    )


def _answers(axis: Any, stage: Stage) -> None:
    versions = sorted({version for sample in stage.samples for version in sample.by_version})
    pairs = list(pairwise(stage.samples[::BIN]))
    times = [b.at - stage.began for _, b in pairs]
    rates = [
        [(b.by_version.get(v, 0) - a.by_version.get(v, 0)) / (b.at - a.at) for a, b in pairs]
        for v in versions
    ]
    if times and versions:
        axis.stackplot(times, rates, labels=versions, colors=COLORS[: len(versions)], step="post", lw=0)
        axis.legend(loc="upper left")
    totals = stage.ledger.totals()
    axis.set_title(
        f"who answered: {totals.requests:,} requests, {totals.failed:,} failed", loc="left", fontsize=10
    )
    axis.set_ylabel("answers per second")
    axis.set_xlabel("seconds since kubectl apply")
