"""An artifact or an image that was made elsewhere meets the gates, on rows that its owner gives."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
from numpy.typing import NDArray

from assay_artifact import ArtifactError, BadValueError, Manifest, fetch, load
from assay_training.data import sanity, source
from assay_training.data.target import Target
from assay_training.data.target import target as truth
from assay_training.errors import JobError
from assay_training.evaluation import bootstrap, champion, gates, image
from assay_training.evaluation.endpoint import Endpoint, Unanswered, batches
from assay_training.evaluation.image import Answering, spelled
from assay_training.evaluation.latency import one_row, serving
from assay_training.evaluation.metrics import METRICS, SERVING, Context, measured
from assay_training.job.report import Report
from assay_training.runtime.transient import may_pass
from assay_training.spec import Artifact, Data, Gate, Image, Judging

SEED = 0
BESIDE = "127.0.0.1"  # an image that is judged is another container of the same pod


class Brought(NamedTuple):
    """What was brought, with its answers for the rows.

    Attributes:
        seen: Truth and answers.
        metrics: Those that the answers allow.
        serving: As `metrics.SERVING`.
        told: What the report says of it.
    """

    context: Context
    metrics: tuple[str, ...]
    serving: dict[str, float]
    reported: dict[str, Any]


def judged(job: Judging) -> Report:
    """Measure an artifact, loaded as it will be served, or an image; the report is that of a training.

    Raises:
        JobError: It cannot be loaded or does not answer, or the rows cannot be asked.
    """
    with tempfile.TemporaryDirectory(prefix="assay-judging-") as name:
        folder = Path(name)
        if job.image:
            return _image(job, job.image, folder)
        opened = _opened(job, _wanted(job), folder / "artifact")
        table, champion_model = _rows(job, opened.columns, folder)
        return _report(job, table, _artifact(job, _wanted(job), opened, table), champion_model)


def _image(job: Judging, wanted: Image, folder: Path) -> Report:
    """It runs beside this process; what it is sent has neither key nor answer in it."""
    beside, chosen, data = f"http://{BESIDE}:{wanted.port}", job.evaluation.columns, job.evaluation.data
    table, champion_model = _rows(job, chosen, folder)
    sent = chosen or _features(table, data)
    endpoint = Endpoint(beside, wanted.predict_path)
    try:
        endpoint.ready(wanted.readiness_path)
    except Unanswered as error:
        raise image.refused(str(error)) from error
    frame = table.frame[[*sent]]
    found = image.responses(endpoint, frame, table.frame[data.key])
    target, predicted = image.understood(found, truth(table.frame[data.target], job.task, data))
    gates.check(job.gates, target)
    serving = {}
    if any(gate.metric == "latencyMs" for gate in job.gates):
        serving["latencyMs"] = one_row(lambda row: endpoint.ask(next(batches(row))), frame)
    context = Context(target, predicted)
    return _report(
        job, table, Brought(context, image.measurable(predicted, job.gates), serving, {}), champion_model
    )


def _wanted(job: Judging) -> Artifact:
    assert job.artifact is not None
    return job.artifact


def _opened(job: Judging, wanted: Artifact, into: Path) -> champion.Opened:
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
        words = f"the artifact {wanted.uri} does not load: {error}"
        raise JobError("InfraCheckFailed", words, passing=may_pass(error)) from error


def _artifact(job: Judging, wanted: Artifact, opened: champion.Opened, table: source.Table) -> Brought:
    data, manifest = job.evaluation.data, opened.manifest
    target = answers(table.frame[data.target], manifest, data)
    gates.check(job.gates, target)
    size = sum(file.bytes for file in manifest.files.values())
    reported = {"uri": wanted.uri, "digest": wanted.digest, "format": manifest.format, "bytes": size}
    return Brought(
        Context(target, _predictions(opened, table.frame, target)),
        tuple(METRICS),
        serving(opened.predictor, size, table.frame, {gate.metric for gate in job.gates}),
        {"artifact": reported},
    )


def _report(
    job: Judging, table: source.Table, brought: Brought, champion_model: champion.ChampionModel | None
) -> Report:
    context, target = brought.context, brought.context.target
    facts = gates.Facts(
        context,
        slices={name: table.frame[name].astype(str).to_numpy() for name in _slices(job.gates)},
        serving=brought.serving,
        seed=SEED,
    )
    if champion_model is not None and (reason := champion_model.unlike(table.frame, target)):
        facts = facts._replace(incomparable=reason)
    elif champion_model is not None:
        facts = facts._replace(champion=Context(target, _predictions(champion_model, table.frame, target)))
    verdicts = gates.judge(job.gates, facts)
    named = sorted({gate.metric for gate in job.gates} - set(SERVING))
    ci = {name: list(bootstrap.interval(METRICS[name], context, SEED)) for name in named}
    return {
        "ok": True,
        "passed": all(verdict.passed for verdict in verdicts),
        **brought.reported,
        "data": {"digest": table.digest, "rows": len(table.frame), "test": len(table.frame)},
        "metrics": {"test": measured(context, brought.metrics), "ci": ci},
        "gates": [verdict._asdict() for verdict in verdicts],
    }


def _rows(
    job: Judging, columns: Sequence[str] | None, folder: Path
) -> tuple[source.Table, champion.ChampionModel | None]:
    """The rows, and the champion that answers them too; an image that names no columns is sent them all."""
    data = job.evaluation.data
    champion_model = champion.champion_model(job.champion, job.gates, folder / "champion")
    beside = (*_slices(job.gates), *(champion_model.columns if champion_model else ()))
    wants_all = isinstance(champion_model, Answering) and not champion_model.columns
    table = source.read(data, None if wants_all else columns, beside)
    if isinstance(champion_model, Answering) and wants_all:
        champion_model = replace(champion_model, columns=_features(table, data))
    if missing := [name for name in columns or () if name not in table.frame.columns]:
        raise JobError("ColumnMissing", f"{data.place} has no column {', '.join(map(repr, missing))}")
    if missing := [name for name in _slices(job.gates) if name not in table.frame.columns]:
        raise JobError("ColumnMissing", f"gates slice by {missing[0]!r}, which the data lacks")
    sanity.check(sanity.Rows(table.frame[[*data.apart]], data, job.task))
    return table, champion_model


def _features(table: source.Table, data: Data) -> tuple[str, ...]:
    return tuple(name for name in table.frame.columns if name not in data.apart)


def _slices(bars: Sequence[Gate]) -> tuple[str, ...]:
    return tuple(sorted({gate.slice for gate in bars if gate.slice}))


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
    positions = {spelled(label): position for position, label in enumerate(manifest.classes)}
    found = column.map(spelled).map(positions)
    if unknown := sorted(set(column[found.isna()].map(spelled))):
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


def _predictions(model: champion.ChampionModel, frame: pandas.DataFrame, target: Target) -> Any:
    try:
        found = model.answers(frame, target)
    except (BadValueError, ValueError) as error:
        raise JobError("ColumnMistyped", f"the model refuses the rows: {error}") from error
    if target.classes is not None and found.probabilities is None and found.labels is None:
        raise JobError(
            "MetricUnfit", "the artifact gives labels without probabilities, so it cannot be judged"
        )
    return found
