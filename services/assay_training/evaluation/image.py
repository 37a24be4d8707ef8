"""A version that is an image: its answers over HTTP, read as labels, probabilities or values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray

from assay_training.data.target import BINARY, Label, Target
from assay_training.errors import JobError
from assay_training.evaluation.endpoint import Endpoint, Row, Unanswered, batches
from assay_training.evaluation.metrics import METRICS, SERVING, Predicted
from assay_training.spec import Gate

BY_LABEL = frozenset({"accuracy", "balancedAccuracy", "precision", "recall", "f1", "f2", "mcc"})
ROUNDING = 0.01  # that probabilities of a row may be off one in all
ADVICE = "docs/serving.md says what an image has to answer, and its log what went wrong"


@dataclass(frozen=True)
class Answering:
    """A champion that is an image, asked where it serves.

    Attributes:
        endpoint: Of its Service.
        columns: What it is sent of each row; empty where nobody said so.
        metrics: In which it is compared.
    """

    endpoint: Endpoint
    columns: tuple[str, ...]
    metrics: frozenset[str]

    def unlike(self, frame: pandas.DataFrame, target: Target) -> str:
        """Why it cannot answer these rows; empty if it can."""
        sorry = "the champion cannot be compared"
        if not self.columns:
            return f"{sorry}, it is an image and nobody says which columns it wants: training.features does"
        if missing := [name for name in self.columns if name not in frame.columns]:
            return f"{sorry}, the data lacks its column {', '.join(map(repr, missing))}"
        try:
            first = self._predicted(frame.head(1), target)
        except (Unanswered, ValueError) as error:
            return f"{sorry}: {error}"
        lacking = self.metrics - BY_LABEL if target.classes and first.probabilities is None else ()
        return f"{sorry}, it gives no probabilities for {', '.join(sorted(lacking))}" if lacking else ""

    def answers(self, frame: pandas.DataFrame, target: Target) -> Predicted:
        """Its answers, its classes in the order of the target's.

        Raises:
            JobError: It stopped to answer.
        """
        try:
            return self._predicted(frame, target)
        except (Unanswered, ValueError) as error:
            raise JobError("ChampionUnreadable", f"the champion's image cannot be asked: {error}") from error

    def _predicted(self, frame: pandas.DataFrame, target: Target) -> Predicted:
        found = [one for rows in batches(frame[[*self.columns]]) for one in self.endpoint.ask(rows)]
        return predicted(found, target)


def responses(endpoint: Endpoint, frame: pandas.DataFrame, keys: pandas.Series) -> list[Row]:
    """The answers of an image that is judged; where it fails, the row is named by its key.

    Raises:
        JobError: It does not answer as it should (InfraCheckFailed).
    """
    found: list[Row] = []
    try:
        for rows in batches(frame):
            try:
                found += endpoint.ask(rows)
            except Unanswered as error:
                raise _blamed(endpoint, rows, keys.iloc[len(found) :], error) from error
    except ValueError as error:
        raise JobError("ColumnMistyped", f"the rows cannot be sent to the image: {error}") from error
    return found


def _blamed(endpoint: Endpoint, rows: list[Row], keys: pandas.Series, error: Unanswered) -> JobError:
    """Find the row that it cannot answer, if it is one."""
    for row, key in zip(rows, keys, strict=False):
        try:
            endpoint.ask([row])
        except Unanswered as alone:
            return refused(f"{alone}, for the row whose {keys.name} is {key}")
    return refused(f"{error}, for {len(rows)} rows at once")


def refused(words: str) -> JobError:
    """The image is not fit to serve."""
    return JobError("InfraCheckFailed", f"the image does not answer: {words}; {ADVICE}")


def understood(found: list[Row], target: Target) -> tuple[Target, Predicted]:
    """The answers of an image that is judged, and the target with all classes that it knows.

    Raises:
        JobError: They are none for this target (InfraCheckFailed).
    """
    if target.classes is not None:
        target = _with(target, found[0].get("probabilities"))
    try:
        return target, predicted(found, target)
    except ValueError as error:
        words = f"{error}; it must speak of data.target as the data does"
        raise JobError(
            "InfraCheckFailed", f"the image's answers cannot be read: {words}; {ADVICE}"
        ) from error


def measurable(found: Predicted, gates: Iterable[Gate]) -> tuple[str, ...]:
    """The metrics that these answers allow; those of every gate among them.

    Raises:
        JobError: A gate asks for more.
    """
    if found.labels is None or found.probabilities is not None:
        return tuple(METRICS)
    for number, gate in enumerate(gates):
        if gate.metric not in (*BY_LABEL, *SERVING):
            raise JobError(
                "MetricUnfit",
                f"gates[{number}].metric {gate.metric} needs probabilities, and the image answers labels "
                f"only: let it add probabilities, or use {', '.join(sorted(BY_LABEL))}",
            )
    return tuple(sorted(BY_LABEL))


def predicted(found: list[Row], target: Target) -> Predicted:
    """Answers as arrays, classes in the order of the target's.

    Raises:
        ValueError: One is not understood; the message says which.
    """
    if target.classes is None:
        return Predicted(None, None, np.array([_number(one, "value", at) for at, one in enumerate(found)]))
    positions = {spelled(label): position for position, label in enumerate(target.classes)}
    probabilities = _probabilities(found, positions)
    labels = np.array([_position(one, at, positions, probabilities) for at, one in enumerate(found)])
    return Predicted(labels.astype(np.int64), probabilities, None)


def _with(target: Target, probabilities: Any) -> Target:
    """An image may know classes that these rows do not have."""
    if not isinstance(probabilities, dict):
        return target
    classes = target.classes or ()
    known = {spelled(label) for label in classes}
    more: tuple[Label, ...] = tuple(name for name in probabilities if name not in known)
    positive = target.positive if len(classes) + len(more) == BINARY else None
    return target._replace(classes=(*classes, *more), positive=positive)


def _position(one: Row, at: int, known: dict[str, int], probabilities: NDArray[np.float64] | None) -> int:
    """The class of an answer; one that abstains is taken for its likeliest."""
    label = one.get("label")
    if label is None and probabilities is not None:
        return int(probabilities[at].argmax())
    if label is None:
        raise ValueError(f"answer {at} has neither label nor probabilities: {_short(one)}")
    if (found := known.get(spelled(label))) is None:
        raise ValueError(f"answer {at} is {label!r}, which is none of {', '.join(known)}")
    return found


def _probabilities(found: list[Row], known: dict[str, int]) -> NDArray[np.float64] | None:
    if not any(one.get("probabilities") for one in found):
        return None
    rows = np.zeros((len(found), len(known)))
    for at, one in enumerate(found):
        shares = one.get("probabilities")
        if not isinstance(shares, dict) or shares.keys() != known.keys():
            raise ValueError(f"answer {at} has no probability for each of {', '.join(known)}: {_short(one)}")
        for name, position in known.items():
            rows[at, position] = _number(shares, name, at)
    total = rows.sum(axis=1, keepdims=True)
    if wrong := int(((rows < 0).any(axis=1) | (np.abs(total[:, 0] - 1) > ROUNDING)).sum()):
        raise ValueError(f"probabilities of {wrong} answers are below 0 or do not add up to 1")
    return np.asarray(rows / total)


def _number(one: Row, name: str, at: int) -> float:
    value = one.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ValueError(f"answer {at} has no number {name!r}: {_short(one)}")
    return float(value)


def spelled(label: Any) -> str:
    """A class as it is compared: 1 and 1.0 are one, true is True."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label).lower() if isinstance(label, bool | np.bool_) else str(label)


def _short(one: Row) -> str:
    return str(one)[:120]
