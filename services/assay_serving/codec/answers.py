"""Predictions as JSON: one object for each row, in the order of the rows."""

import itertools
import os
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from assay_artifact import Manifest, Prediction
from assay_artifact.prediction import spelled

Items = Callable[[Prediction], list[dict[str, Any]]]
MAX_ID = 128


class AnswerWriter:
    """Writes the answers of one model version."""

    def __init__(self, manifest: Manifest, model: str, version: str) -> None:
        """Prepare what all answers share."""
        self.head: dict[str, Any] = {"model": model, "version": version}
        self.tail: dict[str, Any] = {}
        if manifest.threshold is not None:
            self.tail |= {"threshold": manifest.threshold, "positive": manifest.positive}
        self.band = manifest.neutral
        if self.band is not None:
            self.tail["neutral"] = {**self.band.model_dump(), "positive": manifest.positive}
        if manifest.bins is not None:
            self.tail["bins"] = [one.model_dump() for one in manifest.bins]
        self.positive = spelled(manifest.positive) if manifest.positive is not None else ""
        self.keys = [spelled(label) for label in manifest.classes or ()]

    def write(self, prediction: Prediction, identity: str, ignored: list[str]) -> bytes:
        """Return the body of an answer."""
        message = {**self.head, "id": identity, "predictions": self.items(prediction), **self.tail}
        if ignored:
            message["ignored"] = ignored
        return orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY)

    def items(self, prediction: Prediction) -> list[dict[str, Any]]:
        """Return one object for each row."""
        if prediction.labels is None:
            values: Iterable[float] = () if prediction.values is None else prediction.values.tolist()
            if prediction.distribution is None:
                return [{"value": value} for value in values]
            shares = prediction.distribution.tolist()
            return [{"value": v, "distribution": row} for v, row in zip(values, shares, strict=True)]
        labels = prediction.labels.tolist()
        if prediction.probabilities is None:
            return [{"label": label} for label in labels]
        rows = prediction.probabilities.tolist()
        return [self._classified(label, row) for label, row in zip(labels, rows, strict=True)]

    def _classified(self, label: Any, row: list[float]) -> dict[str, Any]:
        probabilities = dict(zip(self.keys, row, strict=True))
        if self.band is not None and self.band.low <= probabilities[self.positive] < self.band.high:
            return {"label": None, "neutral": True, "probability": max(row), "probabilities": probabilities}
        return {"label": label, "probability": probabilities[spelled(label)], "probabilities": probabilities}


class Identities:
    """Ids of predictions: the caller's request id where it has one, else unique in the world and cheap."""

    def __init__(self) -> None:
        """Draw a random prefix for this process."""
        self.prefix = os.urandom(9).hex()
        self.numbers = itertools.count(1)

    def of(self, request_id: str | None) -> str:
        """Return the id of the next prediction."""
        if request_id and len(request_id) <= MAX_ID and request_id.isprintable():
            return request_id
        return f"{self.prefix}-{next(self.numbers):x}"
