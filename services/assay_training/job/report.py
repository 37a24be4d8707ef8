"""What the Job says at its end: one JSON object in the pod's termination message, of at most 4096 bytes.

The whole story is in the artifact's manifest; here only less telling parts are left out when space is short.
"""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assay_process.termination import MAX_BYTES

DIGITS = 6

Report = dict[str, Any]


def failure(reason: str, message: str, *, passing: bool = False) -> Report:
    """The report of a job that could not train; `passing` asks for the same job to be tried again."""
    report = {"ok": False, "reason": reason, "message": message}
    return {**report, "passing": True} if passing else report


def rounded(value: Any) -> Any:
    """Floats with the digits that people read; what is no number is null, as JSON has no word for it."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value


def encoded(report: Report) -> bytes:
    """The report as JSON that fits into a termination message."""
    report = rounded(report)
    for shorten in (_as_it_is, *_SHORTER):
        report = shorten(report)
        if len(content := _json(report)) <= MAX_BYTES:
            return content
    return content[:MAX_BYTES]


def write(report: Report, path: Path) -> None:
    """Leave the report where the kubelet looks for it."""
    path.write_bytes(encoded(report))


def _json(report: Report) -> bytes:
    return json.dumps(report, separators=(",", ":"), ensure_ascii=False).encode()


def _as_it_is(report: Report) -> Report:
    return report


def _message_cut(report: Report) -> Report:
    return {**report, "message": report["message"][: MAX_BYTES // 6]} if "message" in report else report


def _no_packages(report: Report) -> Report:
    environment = {key: value for key, value in report.get("environment", {}).items() if key != "packages"}
    return {**report, "environment": environment} if environment else report


def _no_cross_validation(report: Report) -> Report:
    return {**report, "metrics": {"test": report["metrics"]["test"]}} if "metrics" in report else report


def _gates_without_messages(report: Report) -> Report:
    gates = [
        {key: gate[key] for key in gate if key != "message" or not gate["passed"]}
        for gate in report.get("gates", [])
    ]
    return {**report, "gates": gates} if gates else report


def _failed_gates_first(report: Report) -> Report:
    gates = sorted(report.get("gates", []), key=lambda gate: gate["passed"])[:10]
    return (
        {**report, "gates": [{**gate, "message": gate.get("message", "")[:100]} for gate in gates]}
        if gates
        else report
    )


_SHORTER: tuple[Callable[[Report], Report], ...] = (
    _message_cut,
    _no_packages,
    _no_cross_validation,
    _gates_without_messages,
    _failed_gates_first,
)
