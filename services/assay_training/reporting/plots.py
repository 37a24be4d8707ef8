"""The few plots of a model card, drawn as SVG: lines and points in a frame are all they need."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from assay_training.evaluation.metrics import CALIBRATION_BINS, Context, Metric

WIDTH, HEIGHT, EDGE = 360, 260, 40
POINTS = 200

Points = Sequence[tuple[float, float]]


class Plot(NamedTuple):
    """Lines and points over two axes.

    Attributes:
        title: Above it.
        axes: What runs to the right, and what runs upwards.
        lines: Each drawn through its points.
        dots: Drawn as they are.
    """

    title: str
    axes: tuple[str, str]
    lines: tuple[Points, ...] = ()
    dots: Points = ()


Plots = Mapping[str, Sequence[Plot]]  # by the section of the card


def plots(judged: Context, trials: Points, metric: Metric) -> Plots:
    """The plots of a version: its metrics on the test rows, and its study."""
    best = np.maximum.accumulate if metric.higher else np.minimum.accumulate
    values = np.array([value for _, value in trials])
    line = (
        tuple(zip([number for number, _ in trials], best(values).tolist(), strict=True))
        if len(values)
        else ()
    )
    study = Plot("The study", ("trial", metric.name), (line,), trials)
    return {"Metrics": _of_metrics(judged), "Parameters": (study,) if len(trials) > 1 else ()}


def _of_metrics(judged: Context) -> tuple[Plot, ...]:
    if judged.target.kind == "Regression":
        return (_residuals(judged),)
    return (
        (_roc(judged), _precision_recall(judged), _calibration(judged))
        if judged.target.kind == "Binary"
        else ()
    )


def _roc(judged: Context) -> Plot:
    wrong, right, _ = roc_curve(judged.hit, judged.score)
    diagonal = ((0.0, 0.0), (1.0, 1.0))
    return Plot("ROC", ("false positive rate", "true positive rate"), (_thin(wrong, right), diagonal))


def _precision_recall(judged: Context) -> Plot:
    precision, recall, _ = precision_recall_curve(judged.hit, judged.score)
    return Plot("Precision and recall", ("recall", "precision"), (_thin(recall, precision),))


def _calibration(judged: Context) -> Plot:
    bins = np.minimum((judged.score * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    there = counts > 0
    label = np.bincount(bins, judged.score, CALIBRATION_BINS)[there] / counts[there]
    found = np.bincount(bins, judged.hit, CALIBRATION_BINS)[there] / counts[there]
    dots = tuple(zip(label.tolist(), found.tolist(), strict=True))
    return Plot("Calibration", ("said", "found"), (dots, ((0.0, 0.0), (1.0, 1.0))), dots)


def _residuals(judged: Context) -> Plot:
    values = judged.predicted.numbers
    rows = np.linspace(0, len(values) - 1, min(len(values), POINTS)).astype(np.int64)
    dots = tuple(zip(judged.truth[rows].tolist(), values[rows].tolist(), strict=True))
    low, high = float(judged.truth.min()), float(judged.truth.max())
    return Plot("Truth and answer", ("truth", "answer"), (((low, low), (high, high)),), dots)


def _thin(right: NDArray[np.float64], up: NDArray[np.float64]) -> Points:
    """So many points of a curve as can be seen."""
    rows = np.unique(np.linspace(0, len(right) - 1, min(len(right), POINTS)).astype(np.int64))
    return tuple(zip(right[rows].tolist(), up[rows].tolist(), strict=True))


def drawn(plot: Plot) -> str:
    """The plot as SVG."""
    every = np.array([*plot.dots, *(point for line in plot.lines for point in line)], dtype=np.float64)
    low, high = every.min(axis=0), every.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    room = np.array([WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE])

    def place(points: Points) -> list[tuple[float, float]]:
        inside = (np.array(points, dtype=np.float64) - low) / span * room
        return [(round(EDGE + x, 1), round(HEIGHT - EDGE - y, 1)) for x, y in inside.tolist()]

    marks = [_text(EDGE, EDGE - 12, plot.title, "start"), _frame(plot.axes, low, high)]
    marks += [_line(place(line), number) for number, line in enumerate(plot.lines) if line]
    marks += [
        f'<circle cx="{x}" cy="{y}" r="2.5" fill="#1f5fa8"/>'
        for x, y in (place(plot.dots) if plot.dots else ())
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" role="img">'
    return f"{head}<title>{escape(plot.title)}</title>{''.join(marks)}</svg>"


def _line(points: Points, number: int) -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    colour = "#1f5fa8" if number == 0 else "#bbb"
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _frame(axes: tuple[str, str], low: NDArray[np.float64], high: NDArray[np.float64]) -> str:
    right, bottom = WIDTH - EDGE, HEIGHT - EDGE
    box = f'<path d="M{EDGE} {EDGE}V{bottom}H{right}" fill="none" stroke="#888"/>'
    ends = _text(EDGE, bottom + 14, f"{low[0]:.3g}", "start") + _text(
        right, bottom + 14, f"{high[0]:.3g}", "end"
    )
    ends += _text(EDGE - 4, bottom, f"{low[1]:.3g}", "end") + _text(
        EDGE - 4, EDGE + 8, f"{high[1]:.3g}", "end"
    )
    middle = _text((EDGE + right) / 2, bottom + 28, axes[0], "middle")
    return box + ends + middle + _text(right, EDGE - 12, axes[1], "end")


def _text(x: float, y: float, label: str, anchor: str) -> str:
    look = f'font-size="11" font-family="sans-serif" text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}" {look}>{escape(label)}</text>'
