"""One training run: from a job to a written, proven artifact and the report about it."""

import platform
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from assay_artifact import Manifest, Written
from assay_training import artifact, champion, columns, gates, sanity, source, split
from assay_training.algorithms import ALGORITHMS, DEFAULTS
from assay_training.errors import JobError
from assay_training.fitting import Examples, Recipe, ask, fitted
from assay_training.metrics import CHOOSERS, Context, Metric, fitting, measured
from assay_training.report import Report
from assay_training.spec import Job
from assay_training.study import Best, Folds, Search, averages, cross_validated
from assay_training.target import Target, target

SAMPLED = 20


class Prepared(NamedTuple):
    """The rows of one job, checked, typed and parted."""

    table: source.Table
    inputs: columns.Inputs
    examples: Examples
    parts: split.Parts

    @property
    def target(self) -> Target:
        """The target of all rows."""
        return self.examples.target

    @property
    def test(self) -> Examples:
        """The rows that are judged once."""
        return self.examples.at(self.parts.test)

    @property
    def train(self) -> Examples:
        """The rows that models learn from."""
        return self.examples.at(self.parts.train)


class Trained(NamedTuple):
    """A chosen and fitted model with what is known about it."""

    best: Best
    model: Any
    metrics: dict[str, dict[str, float]]
    verdicts: tuple[gates.Verdict, ...]


def train(job: Job) -> Report:
    """Train one version and write its artifact; a version that fails its gates is written too.

    Raises:
        JobError: With reason and message; then nothing is visible in the store.
    """
    _check_algorithms(job)
    with tempfile.TemporaryDirectory(prefix="assay-champion-") as scratch:
        rival = champion.opened(job.champion, Path(scratch)) if job.champion and _compares(job) else None
        prepared = prepare(job, rival.columns if rival else ())
        chooser = _metrics_fit(job, prepared.target)
        best = _search(job, prepared, chooser)
        model = fitted(best.candidate, _recipe(job, prepared), prepared.train)
        test = measured(Context(prepared.test.target, ask(model, prepared.test.frame, prepared.target)))
        verdicts = gates.judge(job.gates, _facts(test, rival, prepared))
    cross = averages(best.score, Folds(prepared.train, prepared.parts.fold[prepared.parts.train]))
    trained = Trained(best, model, {"test": test, "crossValidation": cross}, verdicts)
    return _report(job, prepared, trained, _publish(job, prepared, trained))


def prepare(job: Job, also: tuple[str, ...] = ()) -> Prepared:
    """Read the rows, check them, and part them; `also` names columns that only the champion wants.

    Raises:
        JobError: The data cannot be trained on.
    """
    data, wanted = job.training.data, job.training.features
    table = source.read(data, None if wanted is None else wanted.names, also)
    own = table.frame if wanted is None else table.frame[[data.key, data.target, *wanted.names]]
    sanity.check(own, data, job.task)
    if job.training.split.sample < 1:
        table = table._replace(frame=_sample(table, job))
        own = own.loc[table.frame.index]
    inputs = columns.inputs(own, data, wanted)
    answers = target(own[data.target], job.task, data)
    frame = columns.typed(own, inputs)
    sanity.check_leaks(frame, answers, data)
    parts = split.parts(own[data.key].astype(str).tolist(), job.training.split, job.salt)
    sanity.check_classes(answers, parts)
    return Prepared(table, inputs, Examples(frame, answers), parts)


def _sample(table: source.Table, job: Job) -> Any:
    keys = table.frame[job.training.data.key].astype(str).tolist()
    kept = table.frame[split.sampled(keys, job.training.split.sample)]
    if len(kept) < sanity.FEWEST_ROWS:
        raise JobError("TooFewRows", f"split.sample leaves {len(kept)} of {len(keys)} rows: raise it")
    return kept


def _check_algorithms(job: Job) -> None:
    for name in job.training.algorithms or ():
        if job.task not in ALGORITHMS[name].tasks:
            fits = sorted(algorithm.name for algorithm in ALGORITHMS.values() if job.task in algorithm.tasks)
            raise JobError(
                "AlgorithmUnfit", f"algorithms: {name} cannot do {job.task}; these can: {', '.join(fits)}"
            )


def _metrics_fit(job: Job, answers: Target) -> Metric:
    for number, gate in enumerate(job.gates):
        fitting(gate.metric, answers, f"gates[{number}].metric")
    wanted = job.training.metric
    return fitting(wanted.name if wanted else CHOOSERS[answers.kind], answers, "training.metric.name")


def _compares(job: Job) -> bool:
    return any(gate.not_worse_than_champion_by is not None for gate in job.gates)


def _recipe(job: Job, prepared: Prepared) -> Recipe:
    return Recipe(job.task, prepared.inputs, job.training.tuning.seed)


def _search(job: Job, prepared: Prepared, chooser: Metric) -> Best:
    folds = Folds(prepared.train, prepared.parts.fold[prepared.parts.train])
    judge = partial(cross_validated, recipe=_recipe(job, prepared), folds=folds, metric=chooser)
    return Search(job.training.algorithms or DEFAULTS[job.task], job.training.tuning, chooser, judge).run()


def _facts(test: dict[str, float], rival: champion.Opened | None, prepared: Prepared) -> gates.Facts:
    if rival is None:
        return gates.Facts(test, None)
    raw = prepared.table.frame[prepared.parts.test]
    if reason := champion.unlike(rival, raw, prepared.target):
        return gates.Facts(test, None, reason)
    return gates.Facts(test, champion.measures(rival, raw, prepared.test.target))


def _publish(job: Job, prepared: Prepared, trained: Trained) -> Written:
    archive, vouched = artifact.serialised(trained.model)
    rows = prepared.test.frame.head(SAMPLED)
    answers = ask(trained.model, rows, prepared.target).numbers
    answered = prepared.target
    positive = (
        None if answered.positive is None or answered.classes is None else answered.classes[answered.positive]
    )
    manifest = Manifest(
        model=job.model, version=job.version, task=job.task, format="skops", file=artifact.MODEL,
        features=prepared.inputs.features, target=job.training.data.target, classes=answered.classes,
        positive=positive, packages=artifact.packages(), python=platform.python_version(),
        seed=job.training.tuning.seed, trusted_types=vouched, metadata=_metadata(job, prepared, trained),
    )  # fmt: skip
    return artifact.publish(job.destination, archive, artifact.Sample(rows, answers), manifest)


def _metadata(job: Job, prepared: Prepared, trained: Trained) -> dict[str, Any]:
    return {
        "training": job.training.model_dump(mode="json", by_alias=True, exclude_none=True),
        "salt": job.salt,
        "data": _data(prepared),
        "bestParams": _best(trained.best),
        "trials": {"finished": trained.best.trials - trained.best.failed, "failed": trained.best.failed},
        "metrics": trained.metrics,
        "gates": [verdict._asdict() for verdict in trained.verdicts],
    }


def _data(prepared: Prepared) -> dict[str, Any]:
    return {
        "digest": prepared.table.digest,
        "rows": len(prepared.examples.frame),
        "columns": len(prepared.inputs.features),
        "train": int(prepared.parts.train.sum()),
        "test": int(prepared.parts.test.sum()),
    }


def _best(best: Best) -> dict[str, Any]:
    return {"algorithm": best.candidate.algorithm, **best.candidate.params}


def _report(job: Job, prepared: Prepared, trained: Trained, written: Written) -> Report:
    seed = job.training.tuning.seed
    return {
        "ok": True,
        "passed": all(verdict.passed for verdict in trained.verdicts),
        "artifact": {"uri": written.uri, "digest": written.digest, "format": "skops", "bytes": written.bytes},
        "data": _data(prepared),
        "environment": {"python": platform.python_version(), "packages": artifact.packages(), "seed": seed},
        "bestParams": _best(trained.best),
        "metrics": trained.metrics,
        "gates": [verdict._asdict() for verdict in trained.verdicts],
    }
