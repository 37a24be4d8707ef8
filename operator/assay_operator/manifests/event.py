"""Events: one for each transition that people should know of, of the type that its severity asks for."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from assay_api import API_VERSION, Condition, Experiment, Model, ModelVersion
from assay_api.names import OPERATOR
from assay_api.reason import REASONS, Documented, Reason
from assay_operator.manifests import Manifest
from assay_operator.manifests.meta import digest

Thing = Model | ModelVersion | Experiment
_LONGEST_MESSAGE = 1024
_SPEAKERS = ("Ready", "Degraded", "Available", "Progressing")  # whose message is posted, if several changed


def events(
    thing: Thing, before: Iterable[Condition], after: Iterable[Condition], now: datetime
) -> Iterator[Manifest]:
    """Yield the Events of one change of an object's conditions, at most one for a reason.

    A condition counts if its status or its reason changed and its reason is documented as one that is posted.
    A condition that only repeats what another one has said before is no news. The same change yields the same
    names, so that posting it again, or only the part of it that is still known, makes no second Event; and a
    reason that comes and goes in the same words while the status stays is one Event.

    Args:
        thing: Whose conditions they are.
        before: The conditions that were written last.
        after: The conditions that are written now.
        now: When they are.
    """
    old = {condition.type: condition for condition in before}
    known = {(condition.reason, condition.message) for condition in old.values()}
    changed = [
        c for c in after if _state(old.get(c.type)) != _state(c) and (c.reason, c.message) not in known
    ]
    for reason in dict.fromkeys(condition.reason for condition in changed):
        group = [condition for condition in changed if condition.reason == reason]
        first = min(group, key=_rank)
        if _documented(reason).event:
            yield _event(thing, reason, first.message, now, [first.last_transition_time.isoformat()])


def happened(thing: Thing, reason: Reason, message: str, now: datetime) -> Manifest:
    """Return the Event of what no condition carries; the same reason and message is the same Event."""
    return _event(thing, reason, message, now, [])


def _state(condition: Condition | None) -> tuple[str, str] | None:
    return (condition.status, condition.reason) if condition else None


def _rank(condition: Condition) -> int:
    return _SPEAKERS.index(condition.type) if condition.type in _SPEAKERS else len(_SPEAKERS)


def _documented(word: str) -> Documented:
    """What is known of a reason; a word of another release is posted, rather than lost."""
    return REASONS[Reason(word)] if word in REASONS else Documented("", "Notice", "", event=True, places=())


def _event(thing: Thing, reason: str, message: str, now: datetime, key: list[str]) -> Manifest:
    """Its name is a digest of what it tells of whom."""
    metadata, moment = thing.metadata, now.strftime("%Y-%m-%dT%H:%M:%SZ")
    documented = _documented(reason)
    name = f"{metadata.name}.{digest([metadata.uid, reason, message, *key])}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata.namespace},
        "involvedObject": _reference(thing),
        "type": documented.event_type,
        "reason": str(reason),
        "message": (message or documented.meaning)[:_LONGEST_MESSAGE],
        "source": {"component": OPERATOR},
        "reportingComponent": OPERATOR,
        "reportingInstance": OPERATOR,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


def _reference(thing: Thing) -> Manifest:
    metadata = thing.metadata
    return {
        "apiVersion": API_VERSION,
        "kind": type(thing).__name__,
        "name": metadata.name,
        "namespace": metadata.namespace,
        "uid": metadata.uid,
    }
