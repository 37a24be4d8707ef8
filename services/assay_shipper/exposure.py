"""A line of Envoy's log becomes a record for the collector, or is counted and left. Pure."""

import json
from typing import Any, NamedTuple

from assay_assign import UNENROLLED, pseudonym
from assay_assign import assigned as expected
from assay_shipper.fault import Fault, answer_fault, fault, whole

NONE = "none"
RECORD_START = b'{"'
MILLION = 1_000_000
NEVER_US = 2**53 - 1  # an answer that did not end took longer than any limit


class Answer(NamedTuple):
    """What one request came to.

    Attributes:
        owner: Namespace, Model and version.
        second: Unix time at which it ended, in whole seconds.
        failed: Whether the caller was not answered well, whoever should have answered.
        duration: Microseconds.
    """

    owner: tuple[str, str, str]
    second: int
    failed: bool
    duration: int


class Line(NamedTuple):
    """What a line says.

    Attributes:
        at: Unix time in seconds; 0 if the line does not say.
        assigned: The arm, or `none`, or `unenrolled`.
        sound: Whether the hash of the unit gives the arm that Envoy gave.
        record: What the collector gets; None if the unit is in no Experiment.
        fault: What is wrong with the answer; None if nothing is.
        answer: What came of the request, whoever asked; None if no version was reached.
    """

    namespace: str
    model: str
    experiment: str | None
    at: float
    assigned: str
    sound: bool
    record: dict[str, Any] | None
    fault: Fault | None
    answer: Answer | None = None


def parse(line: bytes, key: bytes) -> Line:
    """Read one line; the raw id of the unit goes no further.

    Raises:
        ValueError: This is no line of an exposure log, or half of one.
    """
    raw = _object(line)
    assigned, experiment, unit = (
        raw.get("assigned") or NONE,
        raw.get("experiment"),
        str(raw.get("unit") or ""),
    )
    sound = True
    if experiment and assigned != NONE:
        salt = raw.get("salt") or experiment
        sound = unit != "" and assigned == expected(salt, unit, raw.get("table") or "")
    record = None
    enrolled = bool(experiment) and assigned not in (NONE, UNENROLLED)
    bad = fault(raw, assigned if enrolled else None)
    if enrolled:
        if not unit:
            raise ValueError("an arm without a unit")
        record = _record(raw, pseudonym(key, unit), sound=sound, failed=bad is not None)
    names = (str(raw.get("namespace") or ""), str(raw.get("model") or ""))
    return Line(*names, experiment, _seconds(raw), assigned, sound, record, bad, _answer(raw, names))


def _object(line: bytes) -> dict[str, Any]:
    """Parse a line; where Envoy died in the middle of one, the next one stands behind what there is of it."""
    try:
        raw = json.loads(line)
    except ValueError:
        start = line.rfind(RECORD_START)
        if start <= 0:
            raise
        raw = json.loads(line[start:])
    if not isinstance(raw, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the line is wrong, not the program
    return raw


def _answer(raw: dict[str, Any], names: tuple[str, str]) -> Answer | None:
    if not raw.get("version") or not all(names):
        return None
    ended = int(_seconds(raw) + max(0, int(raw.get("dur_us") or 0)) / MILLION)
    failed = answer_fault(raw) is not None
    return Answer((*names, str(raw["version"])), ended, failed, _duration(raw))


def _duration(raw: dict[str, Any]) -> int:
    return max(0, int(raw["dur_us"])) if whole(raw) else NEVER_US


def _record(raw: dict[str, Any], unit: str, *, sound: bool, failed: bool) -> dict[str, Any]:
    return {
        "id": str(raw["id"]) if raw.get("id") else _identity(raw, unit),
        "ts": _seconds(raw),
        "experiment": raw["experiment"],
        "epoch": int(raw.get("epoch") or 0),
        "unit": unit,
        "arm": raw["assigned"],
        "served": raw.get("served"),
        "version": raw.get("version"),
        "status": int(raw.get("status") or 0),
        "duration_us": _duration(raw),
        "attempts": max(0, int(raw.get("attempts") or 0)),
        "failed": failed,
        "audit": "ok" if sound else "mismatch",
    }


def _identity(raw: dict[str, Any], unit: str) -> str:
    """Envoy always logs an id; should it not, time and unit tell requests apart well enough."""
    return f"{raw.get('ts')}/{unit}"


def _seconds(raw: dict[str, Any]) -> float:
    return float(raw.get("ts") or 0)
