"""The patch that carries a status, and the Events that tell of its changes."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from assay_api import API_VERSION, Condition, Experiment, Model, ModelVersion
from assay_api.model import Alert
from assay_api.names import OPERATOR
from assay_operator.manifests import Manifest
from assay_operator.manifests.meta import digest

Thing = Model | ModelVersion | Experiment
_LONGEST_MESSAGE = 1024
_BAD_WHEN_FALSE = {"Ready", "DataValid", "Programmed", "Available"}


def status(thing: Thing, news: Any) -> Manifest:
    """Return the body that sets the status of `thing`, and nothing else of it.

    The alerts of a Model have a writer of their own.
    """
    said = news.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"alerts"})
    return _patch(thing, said)


def alerts(model: Model, firing: Iterable[Alert]) -> Manifest:
    """Return the body that sets which alerts fire for a Model."""
    return _patch(model, {"alerts": [alert.model_dump(mode="json", by_alias=True) for alert in firing]})


def _patch(thing: Thing, said: Manifest) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": type(thing).__name__,
        "metadata": {"name": thing.metadata.name, "namespace": thing.metadata.namespace},
        "status": said,
    }


def events(
    thing: Thing, before: Iterable[Condition], after: Iterable[Condition], now: datetime
) -> Iterator[Manifest]:
    """Yield an Event for every condition that changed its status or its reason; the same news once."""
    known = {condition.type: (condition.status, condition.reason) for condition in before}
    told = set()
    for condition in after:
        news = known.get(condition.type) != (condition.status, condition.reason)
        if news and (condition.reason, condition.message) not in told:
            told.add((condition.reason, condition.message))
            yield _event(thing, condition, now)


def _event(thing: Thing, condition: Condition, now: datetime) -> Manifest:
    """Its name says what it tells, so that telling it again after a restart makes no second Event."""
    metadata, moment = thing.metadata, now.strftime("%Y-%m-%dT%H:%M:%SZ")
    bad = condition.type == "Degraded" if condition.status == "True" else condition.type in _BAD_WHEN_FALSE
    told = digest([metadata.uid, condition.type, condition.status, condition.reason, condition.message])
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata.name}.{told}", "namespace": metadata.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": type(thing).__name__,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
        },
        "type": "Warning" if bad and condition.reason not in _EXPECTED else "Normal",
        "reason": condition.reason,
        "message": condition.message[:_LONGEST_MESSAGE] or condition.type,
        "source": {"component": OPERATOR},
        "reportingComponent": OPERATOR,
        "reportingInstance": OPERATOR,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


_EXPECTED = {
    "Training",
    "Tuning",
    "Fitting",
    "Judging",
    "Starting",
    "Pending",
    "Queued",
    "Running",
    "FirstVersion",
    "NotProgrammedYet",
    "ScaledToZero",
    "Superseded",
}
