"""An artifact that was made elsewhere meets the gates, on rows that its owner gives."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray

from assay_artifact import ArtifactError, BadValueError, Manifest, fetch, load
from assay_training import bootstrap, champion, gates, sanity, source
from assay_training.errors import JobError
from assay_training.latency import serving
from assay_training.metrics import METRICS, SERVING, Context, measured
from assay_training.report import Report
from assay_training.spec import Data, Gate, Judging
from assay_training.target import Target

SEED = 0


def judged(job: Judging) -> Report:
    """Measure an artifact, loaded as it will be served; the report is that of a training.

    Raises:
        JobError: It cannot be loaded, or the rows cannot be asked.
    """
    with tempfile.TemporaryDirectory(prefix="assay-judging-") as name:
        brought = _opened(job, Path(name) / "artifact")
        compares = any(gate.not_worse_than_champion_by is not None for gate in job.gates)
        rival = champion.opened(job.champion, Path(name) / "champion") if compares and job.champion else None
        return _told(job, brought, rival)


def _opened(job: Judging, into: Path) -> champion.Opened:
    wanted = job.artifact
    form = "" if wanted.format == "Any" else wanted.format.lower()
    try:
        manifest = fetch(wanted.uri, wanted.digest, into, form=form, allow_pickle=wanted.allow_pickle)
        if manifest.task != job.task:
            raise JobError("InvalidSpec", f"task is {job.task}, the artifact's is {manifest.task}")
        return champion.Opened(manifest, load(into, manifest, allow_pickle=wanted.allow_pickle))
    except ArtifactError as error:
        if error.reason == "FormatMismatch":
            words = f"artifact.format is {wanted.format}, but of {wanted.uri} {error.message}"
            raise JobError("InvalidSpec", words) from error
        raise JobError("InfraCheckFailed", f"the artifact {wanted.uri} does not load: {error}") from error


def _told(job: Judging, brought: champion.Opened, rival: champion.Opened | None) -> Report:
    data, manifest = job.evaluation.data, brought.manifest
    table = _rows(job, brought, rival)
    target = answers(table.frame[data.target], manifest, data)
    gates.check(job.gates, target)
    seen = Context(target, _asked(brought, table.frame, target))
    facts = gates.Facts(
        seen,
        slices={name: table.frame[name].astype(str).to_numpy() for name in _slices(job.gates)},
        serving=serving(brought.predictor, _size(manifest), table.frame, {gate.metric for gate in job.gates}),
        seed=SEED,
    )
    if rival is not None and (reason := champion.unlike(rival, table.frame, target)):
        facts = facts._replace(incomparable=reason)
    elif rival is not None:
        facts = facts._replace(champion=Context(target, _asked(rival, table.frame, target)))
    verdicts = gates.judge(job.gates, facts)
    named = sorted({gate.metric for gate in job.gates} - set(SERVING))
    ci = {name: list(bootstrap.interval(METRICS[name], seen, SEED)) for name in named}
    return {
        "ok": True,
        "passed": all(verdict.passed for verdict in verdicts),
        "artifact": {
            "uri": job.artifact.uri,
            "digest": job.artifact.digest,
            "format": manifest.format,
            "bytes": _size(manifest),
        },
        "data": {"digest": table.digest, "rows": len(table.frame), "test": len(table.frame)},
        "metrics": {"test": measured(seen), "ci": ci},
        "gates": [verdict._asdict() for verdict in verdicts],
    }


def _rows(job: Judging, brought: champion.Opened, rival: champion.Opened | None) -> source.Table:
    data = job.evaluation.data
    beside = (*_slices(job.gates), *(rival.columns if rival else ()))
    table = source.read(data, brought.columns, beside)
    if missing := [name for name in _slices(job.gates) if name not in table.frame.columns]:
        raise JobError("ColumnMissing", f"gates slice by {missing[0]!r}, which the data lacks")
    sanity.check(sanity.Rows(table.frame[[*data.apart]], data, job.task))
    return table


def _slices(bars: Sequence[Gate]) -> tuple[str, ...]:
    return tuple(sorted({gate.slice for gate in bars if gate.slice}))


def _size(manifest: Manifest) -> int:
    return sum(file.bytes for file in manifest.files.values())


def answers(column: pandas.Series, manifest: Manifest, data: Data) -> Target:
    """The truth in the words of the artifact; labels are compared as they are spelled.

    Raises:
        JobError: A label is none of the artifact's classes, or a value no number.
    """
    if manifest.classes is None:
        values = pandas.to_numeric(column, errors="coerce").to_numpy(np.float64)
        if not np.isfinite(values).all():
            raise JobError("TargetUnfit", f"data.target {data.target!r} is not numeric in every row")
        return Target(values, None, None)
    positions = {_spelled(label): position for position, label in enumerate(manifest.classes)}
    found = column.map(_spelled).map(positions)
    if unknown := sorted(set(column[found.isna()].map(_spelled))):
        known = ", ".join(positions)
        raise JobError("TargetUnfit", f"data.target {data.target!r} has {unknown[0]!r}; classes are {known}")
    band = (manifest.neutral.low, manifest.neutral.high) if manifest.neutral else None
    positive = (
        manifest.classes.index(manifest.positive) if manifest.positive is not None else _second(manifest)
    )
    codes: NDArray[np.int64] = found.to_numpy(np.int64)
    return Target(codes, manifest.classes, positive, manifest.threshold, band)


def _second(manifest: Manifest) -> int | None:
    return 1 if len(manifest.classes or ()) == 2 else None  # noqa: PLR2004  two classes


def _spelled(label: Any) -> str:
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label).lower() if isinstance(label, bool | np.bool_) else str(label)


def _asked(opened: champion.Opened, frame: pandas.DataFrame, target: Target) -> Any:
    try:
        found = champion.answers(opened, frame, target)
    except (BadValueError, ValueError) as error:
        raise JobError("ColumnMistyped", f"the model refuses the rows: {error}") from error
    if target.classes is not None and found.probabilities is None:
        raise JobError(
            "MetricUnfit", "the artifact gives labels without probabilities, so it cannot be judged"
        )
    return found
