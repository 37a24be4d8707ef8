"""What people should know of a version beside its numbers: fit, imbalance, doubtful labels, importances."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas
from numpy.typing import NDArray
from sklearn.inspection import permutation_importance

from assay_training.data.target import Target
from assay_training.evaluation.metrics import METRICS, Context, Metric, Predicted
from assay_training.fitting.candidates import Examples, ask

OVERFIT, UNDERFIT = 0.2, 0.2  # in units of skill: 0 is a constant answer, 1 is perfect
RARE = 0.1
DOUBTFUL = 0.1
NEAR = 0.95  # of the target, told by one column alone
RANGES = 64  # cells of a number
NAMED = 5  # columns that a finding names
IMPORTANCE_ROWS, REPEATS = 500, 2
COMPARED = 20_000


class Finding(NamedTuple):
    """A reason and a sentence, as in a condition."""

    reason: str
    message: str


class Fit(NamedTuple):
    """The chooser on rows that were fitted, on rows that were not, and of a constant answer."""

    metric: str
    train: float
    validation: float
    baseline: float

    def skill(self, value: float) -> float:
        """0 for the constant answer, 1 for a perfect one."""
        span = (1.0 if METRICS[self.metric].higher else 0.0) - self.baseline
        return (value - self.baseline) / span if span else 0.0


def constant(target: Target, rows: int) -> Predicted:
    """The answer that ignores the features: the shares of the classes, or the mean."""
    if target.classes is None:
        return Predicted(None, None, np.full(rows, target.values.mean()))
    shares = np.bincount(target.values.astype(np.int64), minlength=len(target.classes)) / len(target.values)
    probabilities = np.tile(shares, (rows, 1))
    return Predicted(target.decided(probabilities), probabilities, None)


def fit_of(metric: Metric, model: Any, train: Examples, validation: float) -> Fit:
    """Compare a fitted model with itself on rows that it has not seen; of many rows, some speak for all."""
    rows = len(train.frame)
    if rows > COMPARED:
        train = train.at(np.linspace(0, rows - 1, COMPARED).astype(np.int64))
    learned = metric.measure(Context(train.target, ask(model, train.frame, train.target)))
    baseline = metric.measure(Context(train.target, constant(train.target, len(train.frame))))
    return Fit(metric.name, learned, validation, baseline)


def of_fit(fit: Fit) -> Iterator[Finding]:
    """Validation much worse than training is overfitting; both near a constant answer is underfitting."""
    train, validation = fit.skill(fit.train), fit.skill(fit.validation)
    numbers = f"{fit.metric} {fit.train:.4g} on training rows, {fit.validation:.4g} on validation rows"
    if train - validation > OVERFIT:
        yield Finding("Overfitting", f"{numbers}: simplify the model, or give more rows")
    elif max(train, validation) < UNDERFIT:
        yield Finding("Underfitting", f"{numbers}, {fit.baseline:.4g} without features: give better features")


def of_balance(target: Target, metrics: set[str]) -> Iterator[Finding]:
    """Accuracy flatters whoever always names the frequent class."""
    if target.classes is None:
        return
    counts = np.bincount(target.values.astype(np.int64), minlength=len(target.classes))
    share = counts.min() / counts.sum()
    if share < RARE and "accuracy" in metrics:
        rare, frequent = target.classes[int(counts.argmin())], target.classes[int(counts.argmax())]
        yield Finding(
            "AccuracyOnImbalance",
            f"class {rare!r} has {share:.1%} of the rows: always {frequent!r} has accuracy "
            f"{counts.max() / counts.sum():.3g}; prefer prAuc, recall or balancedAccuracy",
        )


def of_leaks(train: Examples, target: str) -> Iterator[Finding]:
    """A column that alone tells the target is often a copy of it, or known only after the fact."""
    rows = np.linspace(0, len(train.frame) - 1, min(COMPARED, len(train.frame))).astype(np.int64)
    some = train.at(rows)
    measure = _skill_on_classes if some.target.classes is not None else _skill_on_numbers
    shares = {str(name): measure(_cells(some.frame[name]), some.target) for name in some.frame.columns}
    near = sorted((name for name in shares if shares[name] >= NEAR), key=lambda name: -shares[name])
    if near:
        named = ", ".join(f"{name!r} ({shares[name]:.1%})" for name in near[:NAMED])
        advice = "leave out of training.features what is known only after the fact"
        yield Finding("NearLeak", f"alone these columns tell nearly all of {target!r}: {named}; {advice}")


LEARNED, HELD_OUT = slice(0, None, 2), slice(1, None, 2)  # rows that a column's table is made of, and others


def _cells(column: pandas.Series) -> NDArray[np.int64]:
    """The cell of each row: its value, or one of many ranges where values are more."""
    if pandas.api.types.is_numeric_dtype(column) and column.nunique() > RANGES:
        ranks = column.rank(method="min", pct=True).fillna(0.0).to_numpy(np.float64)
        ranges: NDArray[np.int64] = np.ceil(ranks * RANGES).astype(np.int64)
        return ranges
    values: NDArray[np.int64] = pandas.factorize(column)[0].astype(np.int64) + 1
    return values


def _skill_on_classes(cells: NDArray[np.int64], target: Target) -> float:
    """How much of the errors of a constant answer a table of the cells avoids, on other rows: 1 is all."""
    size, classes = int(cells.max()) + 1, len(target.classes or ())
    codes = target.values.astype(np.int64)
    pairs = np.bincount(cells[LEARNED] * classes + codes[LEARNED], minlength=size * classes)
    table = pairs.reshape(size, classes)
    frequent = int(table.sum(axis=0).argmax())
    answers = np.where(table.any(axis=1), table.argmax(axis=1), frequent)
    usual = float((codes[HELD_OUT] != frequent).sum())
    return 1 - float((answers[cells[HELD_OUT]] != codes[HELD_OUT]).sum()) / usual if usual else 0.0


def _skill_on_numbers(cells: NDArray[np.int64], target: Target) -> float:
    """How much of the variance the means of the cells explain, on other rows: 1 is all."""
    values, size = target.values.astype(np.float64), int(cells.max()) + 1
    counts = np.bincount(cells[LEARNED], minlength=size)
    sums = np.bincount(cells[LEARNED], weights=values[LEARNED], minlength=size)
    usual = values[LEARNED].mean()
    means = np.where(counts > 0, sums / np.maximum(counts, 1), usual)
    spread = float(np.square(values[HELD_OUT] - usual).sum())
    return 1 - float(np.square(values[HELD_OUT] - means[cells[HELD_OUT]]).sum()) / spread if spread else 0.0


def suspects(target: Target, out_of_fold: Predicted) -> NDArray[np.bool_]:
    """Rows whose label is hardly believed by models that have not seen them, which are sure of another.

    Confident learning: the label's own probability is low, and another class is at least as likely as it is,
    on average, where it is the label (Northcutt et al., 2021).
    """
    probabilities = out_of_fold.probabilities
    if target.classes is None or probabilities is None:
        return np.zeros(len(target.values), dtype=bool)
    labels = target.values.astype(np.int64)
    typical = np.array([probabilities[labels == each, each].mean() for each in range(len(target.classes))])
    own = probabilities[np.arange(len(labels)), labels]
    sure = probabilities >= typical
    sure[np.arange(len(labels)), labels] = False
    found: NDArray[np.bool_] = (own < DOUBTFUL) & sure.any(axis=1)
    return found


def importances(model: Any, judged: Examples, metric: Metric, seed: int) -> dict[str, float]:
    """How much worse the metric gets when a column is shuffled: mean over some shuffles, largest first."""
    few = judged.at(np.arange(min(IMPORTANCE_ROWS, len(judged.frame))))

    def score(estimator: Any, frame: Any, _: object) -> float:
        value = metric.measure(Context(few.target, ask(estimator, frame, few.target)))
        return value if metric.higher else -value

    found = permutation_importance(
        model, few.frame, few.target.answers, scoring=score, n_repeats=REPEATS, random_state=seed
    )
    drops = dict(zip(few.frame.columns, found.importances_mean.tolist(), strict=True))
    return dict(sorted(drops.items(), key=lambda item: -item[1]))
