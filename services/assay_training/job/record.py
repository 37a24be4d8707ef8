"""What is told about a version: the whole story in the manifest, the short one in the report."""

import platform
from typing import Any, NamedTuple

import numpy as np
import pandas
import pyarrow
from pyarrow import parquet

from assay_artifact import Band, Bin, Manifest, Written
from assay_training.data.target import Target
from assay_training.evaluation.gates import Verdict
from assay_training.job.preparation import Prepared
from assay_training.job.report import Report
from assay_training.packaging import artifact
from assay_training.reporting.findings import Finding, Fit, suspects
from assay_training.search.study import Best
from assay_training.spec import Job

FEW_CLASSES = 10
OUT_OF_FOLD = "out-of-fold.parquet"
ROW_GROUP = 65_536


class Trained(NamedTuple):
    """A chosen, fitted and judged model with what is known about it."""

    best: Best
    target: Target  # with the decision threshold
    metrics: dict[str, dict[str, Any]]
    fit: Fit
    findings: tuple[Finding, ...]
    importances: dict[str, float]
    seed: int


def manifest(job: Job, prepared: Prepared, answered: Target, *, positions: bool) -> Manifest:
    """The manifest of a draft: how to load it, and nothing about its quality yet.

    Args:
        job: What was asked for.
        prepared: The rows.
        answered: The target with its threshold.
        positions: Whether the model was taught positions of classes.
    """
    return Manifest(
        model=job.model,
        version=job.version,
        task=job.task,
        format="skops",
        file=artifact.SKOPS,
        features=prepared.inputs.features,
        target=job.training.data.target,
        classes=answered.classes,
        positions=positions and answered.classes is not None,
        positive=answered.positive_class,
        threshold=answered.threshold,
        packages=artifact.packages(),
        python=platform.python_version(),
        seed=job.training.tuning.seed,
        neutral=Band(low=answered.neutral[0], high=answered.neutral[1]) if answered.neutral else None,
        bins=_bins(answered),
    )


def _bins(answered: Target) -> tuple[Bin, ...] | None:
    if answered.bins is None:
        return None
    edges = [None, *answered.bins.edges.tolist(), None]
    ends = zip(edges[:-1], edges[1:], answered.bins.means.tolist(), strict=True)
    return tuple(Bin(low=low, high=high, mean=mean) for low, high, mean in ends)


def out_of_fold(job: Job, prepared: Prepared, trained: Trained) -> bytes:
    """One row for each training row: key, fold, truth, what models that had not seen it said, and a doubt."""
    folds, predicted = prepared.folds, trained.best.score.predicted
    keys = prepared.table.frame[job.training.data.key][prepared.parts.train]
    columns: dict[str, Any] = {"key": _spelled(keys), "fold": folds.fold}
    columns["truth"] = folds.examples.target.answers
    for position, label in enumerate(trained.target.classes or ()):
        assert predicted.probabilities is not None
        columns[f"probability of {label}"] = predicted.probabilities[:, position]
    if predicted.values is not None:
        columns["prediction"] = predicted.values
    columns["suspect"] = suspects(folds.examples.target, predicted)
    content = pyarrow.BufferOutputStream()
    few = ["fold", "truth", "suspect"]  # values, which are worth a dictionary
    parquet.write_table(pyarrow.table(columns), content, row_group_size=ROW_GROUP, use_dictionary=few)
    return bytes(content.getvalue())


def _spelled(keys: pandas.Series) -> pyarrow.Array:
    """Keys as text; of whole numbers without a Python object for each."""
    if pandas.api.types.is_integer_dtype(keys.dtype):
        return pyarrow.array(keys).cast(pyarrow.string())
    return pyarrow.array(keys.astype(str).astype(object))


def metadata(job: Job, prepared: Prepared, trained: Trained, verdicts: tuple[Verdict, ...]) -> dict[str, Any]:
    """The whole story, equal for equal jobs: what a clock measured is left out."""
    doubts = suspects(prepared.train.target, trained.best.score.predicted)
    return {
        "training": job.training.model_dump(mode="json", by_alias=True, exclude_none=True),
        "salt": job.salt,
        "data": data(prepared),
        "observed": prepared.observed,
        **_contract(prepared),
        "bestParams": best(trained.best),
        "trials": trials(trained.best),
        "metrics": trained.metrics,
        "fit": trained.fit._asdict(),
        "findings": [finding._asdict() for finding in trained.findings],
        "importances": trained.importances,
        "suspects": int(doubts.sum()),
        "gates": [verdict._asdict() for verdict in verdicts if verdict.metric != "latencyMs"],
    }


def _contract(prepared: Prepared) -> dict[str, Any]:
    """What later versions are held against."""
    if prepared.contract is None:
        return {}
    dumped = prepared.contract.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {"contract": dumped}


def data(prepared: Prepared) -> dict[str, Any]:
    """The rows in numbers."""
    return {
        "digest": prepared.table.digest,
        "rows": len(prepared.parts.fold),
        "columns": len(prepared.inputs.features),
        "train": int(prepared.parts.train.sum()),
        "test": int(prepared.parts.test.sum()),
        **({} if prepared.parts.cutoff is None else {"testFrom": prepared.parts.cutoff}),
        **_balance(prepared.target),
    }


def _balance(answered: Target) -> dict[str, Any]:
    """How many rows each class has, where a person can read it."""
    if answered.classes is None or len(answered.classes) > FEW_CLASSES:
        return {}
    counts = np.bincount(answered.values.astype(np.int64), minlength=len(answered.classes))
    return {
        "classes": {str(label): int(count) for label, count in zip(answered.classes, counts, strict=True)}
    }


def best(chosen: Best) -> dict[str, Any]:
    """The chosen point of the search."""
    return {"algorithm": chosen.candidate.algorithm, **chosen.candidate.params}


def trials(chosen: Best) -> dict[str, int]:
    """How the trials of the study ended."""
    return {"finished": chosen.finished, "pruned": chosen.pruned, "failed": chosen.failed}


def report(
    prepared: Prepared, trained: Trained, verdicts: tuple[Verdict, ...], written: Written, form: str
) -> Report:
    """The short story."""
    return {
        "ok": True,
        "passed": all(verdict.passed for verdict in verdicts),
        "artifact": {"uri": written.uri, "digest": written.digest, "format": form, "bytes": written.bytes},
        "data": data(prepared),
        "environment": {
            "python": platform.python_version(),
            "packages": artifact.packages(),
            "seed": trained.seed,
        },
        "bestParams": best(trained.best),
        "trials": trials(trained.best),
        "metrics": trained.metrics,
        "gates": [verdict._asdict() for verdict in verdicts],
        "findings": [finding._asdict() for finding in trained.findings],
    }
