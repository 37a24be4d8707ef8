"""The largest objects that schema and rules allow: every list full, every text at its bound."""

from __future__ import annotations

from typing import Any

WIDE = "😀"  # four bytes, and one character to every bound
DIGEST = "sha256:" + "0" * 64
DNS = ".".join(["a" * 62] * 4)
SECRET = {"name": DNS, "key": "k" * 253}


def texts(count: int, size: int, start: str = "") -> list[str]:
    """Different texts of one size, in letters of one byte."""
    return [f"{start}{i}".ljust(size, "x") for i in range(count)]


def _wide(count: int, size: int) -> list[str]:
    return [f"{i:03}" + WIDE * (size - 3) for i in range(count)]


def _worker() -> dict[str, Any]:
    amounts = {key: "9" * 9 + ".999Gi" for key in texts(10, 128)}
    return {
        "resources": {"requests": amounts, "limits": amounts},
        "nodeSelector": {key: "a" * 63 for key in texts(16, 128)},
        "tolerations": [
            {"key": key, "operator": "Equal", "value": "a" * 63, "effect": "PreferNoSchedule",
             "tolerationSeconds": 10**9}
            for key in texts(16, 128)
        ],
        "serviceAccountName": DNS,
        "priorityClassName": DNS,
    }  # fmt: skip


def _contract() -> dict[str, Any]:
    """100 columns, whose names, patterns and allowed values are together as long as they may be."""
    columns: dict[str, Any] = {
        name: {"type": "boolean", "min": -1.2345678901234567e300, "max": 1.2345678901234567e300}
        for name in _wide(100, 30)
    }
    for i, column in enumerate(columns.values()):
        column["allowed"] = _wide(2 if i < 28 else 1, 40)
        column["pattern"] = WIDE * (200 if i < 5 else 0)
    return {"columns": columns, "minRows": 10**12, "maxRows": 10**12}


def _data() -> dict[str, Any]:
    return {
        "sql": {"urlSecretRef": SECRET, "query": "x" * 8192},
        "secretRef": {"name": DNS},
        "target": "t" + WIDE * 127, "key": "k" + WIDE * 127, "time": WIDE * 128, "positive": WIDE * 128,
        "provenance": WIDE * 500, "format": "Parquet", "contract": _contract(),
    }  # fmt: skip


def _training() -> dict[str, Any]:
    ranges = {
        name: {"low": -1.2345678901234567e300, "high": 1e300, "choices": texts(10, 64)}
        for name in texts(12, 64)
    }
    params = {name: [-1.2345678901234567e-300] * 12 for name in texts(10, 32)}
    return {
        "data": _data(),
        "features": {"numeric": texts(250, 24), "categorical": texts(250, 24, "c")},
        "params": {name: params for name in texts(7, 32)},
        "monotonic": {name: "Increasing" for name in _wide(100, 30)},
        "tuning": {"space": {"SVM": ranges, "RandomForest": ranges}, "storage": {"urlSecretRef": SECRET}},
        "worker": _worker(),
    }


def metrics(guardrails: int = 10, secondary: int = 10) -> dict[str, Any]:
    """Metrics of Prometheus with as much query text as they may have together."""
    size = 16384 // (1 + guardrails + secondary) // 3

    def metric(name: str) -> dict[str, Any]:
        prometheus = {key: "q" * size for key in ("count", "sum", "sumOfSquares")} | {"every": "30s"}
        body = {"name": name.ljust(63, "x"), "type": "Mean", "source": "Prometheus", "prometheus": prometheus}
        return body | {"baseline": 1.2345678901234567, "deviation": 1.2345678901234567}

    margin = {"margin": {"relative": 0.12345678901234567}}
    return {
        "primary": metric("p") | {"minimumEffect": {"relative": 0.12345678901234567}},
        "guardrails": [metric(f"g{i}") | margin for i in range(guardrails)],
        "secondary": [metric(f"s{i}") for i in range(secondary)],
    }


def _design() -> dict[str, Any]:
    step = {"percent": 50, "minDuration": "1d10h10m10s100ms", "minUnitsPerArm": 10**9}
    return {
        "hypothesis": WIDE * 500,
        "unit": {"header": "x" * 63},
        "ramp": [step] * 20,
        "decision": {"alpha": 0.12345678901234567, "power": 0.87654321012345678, "maxDuration": "90d"},
    }


def model() -> dict[str, Any]:
    """Return the spec of the largest Model."""
    gates = [
        {
            "metric": "balancedAccuracy",
            "min": 0.12345678901234567,
            "max": 0.9876543210123456,
            "slice": WIDE * 128,
        }
    ] * 20
    return {
        "training": _training(),
        "gates": gates,
        "serving": {"capture": {"exclude": texts(500, 16)}, "serviceAccountName": DNS,
                    "secretRef": {"name": DNS}},
        "rollout": {"experiment": _design() | {"metrics": metrics()}},
    }  # fmt: skip


def version() -> dict[str, Any]:
    """Return the spec of the largest ModelVersion."""
    source = {key: value for key, value in model().items() if key in {"training", "gates"}}
    return {"modelRef": {"name": "m" * 40}, "number": 10**9, "source": source, "sourceDigest": DIGEST}


def experiment() -> dict[str, Any]:
    """Return the spec of the largest Experiment: many metrics, since many arms leave room for few."""
    arms = [
        {"name": f"{side}".ljust(63, "x"), "version": f"{side}".ljust(63, "x"), "weight": weight}
        for side, weight in (("a", 50), ("b", 25), ("c", 25))
    ]
    return _design() | {"modelRef": {"name": "m" * 63}, "arms": arms, "metrics": metrics()}
