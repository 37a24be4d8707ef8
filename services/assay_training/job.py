"""One training run: from a job to a written, proven artifact and the report about it."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from assay_training import artifact, bootstrap, champion, findings, gates, record, threshold
from assay_training.algorithms import ALGORITHMS, DEFAULTS
from assay_training.errors import JobError
from assay_training.fitting import Recipe, ask, fitted
from assay_training.latency import serving
from assay_training.metrics import CHOOSERS, METRICS, SERVING, Context, Metric, fitting, measured
from assay_training.prepare import Prepared, prepare
from assay_training.report import Report
from assay_training.spec import Job
from assay_training.study import Best, Search, averages, cross_validated
from assay_training.target import Target


def train(job: Job) -> Report:
    """Train one version and write its artifact; a version that fails its gates is written too.

    Raises:
        JobError: With reason and message; then nothing is visible in the store.
    """
    _check_algorithms(job)
    with tempfile.TemporaryDirectory(prefix="assay-training-") as name:
        scratch = Path(name)
        rival = (
            champion.opened(job.champion, scratch / "champion") if job.champion and _compares(job) else None
        )
        prepared = prepare(job, rival.columns if rival else ())
        return _trained(job, prepared, rival, scratch)


def _trained(job: Job, prepared: Prepared, rival: champion.Opened | None, scratch: Path) -> Report:
    chooser = _metrics_fit(job, prepared.target)
    recipe = Recipe(job.task, prepared.inputs, job.training.tuning.seed)
    best = _search(job, prepared, recipe, chooser)
    answered = threshold.decided(job.training.threshold, prepared.train.target, best.score.predicted)
    model = fitted(best.candidate, recipe, prepared.train)
    judged = Context(
        answered._replace(values=prepared.test.target.values), ask(model, prepared.test.frame, answered)
    )
    known = _known(job, prepared, (best, model), judged, chooser)
    draft = artifact.Fitted(model, prepared.inputs, prepared.test.frame, judged.predicted.numbers)
    served = artifact.drafted(scratch, draft, record.manifest(job, prepared, answered), job.training.format)
    verdicts = gates.judge(job.gates, _facts(job, prepared, judged, rival, served))
    files = {record.OUT_OF_FOLD: record.out_of_fold(job, prepared, known)}
    extra = artifact.Extra(files, record.metadata(job, prepared, known, verdicts))
    written = artifact.stored(job.destination, scratch / "stored", served, prepared.test.frame, extra)
    return record.report(prepared, known, verdicts, written, served.predictor.manifest.format)


def _check_algorithms(job: Job) -> None:
    for name in job.training.algorithms or ():
        if job.task not in ALGORITHMS[name].tasks:
            fits = sorted(algorithm.name for algorithm in ALGORITHMS.values() if job.task in algorithm.tasks)
            raise JobError(
                "AlgorithmUnfit", f"algorithms: {name} cannot do {job.task}; these can: {', '.join(fits)}"
            )


def _compares(job: Job) -> bool:
    return any(gate.not_worse_than_champion_by is not None for gate in job.gates)


def _metrics_fit(job: Job, answers: Target) -> Metric:
    for number, gate in enumerate(job.gates):
        if gate.metric not in SERVING:
            fitting(gate.metric, answers, f"gates[{number}].metric")
        elif gate.slice or gate.not_worse_than_champion_by is not None:
            raise JobError(
                "MetricUnfit", f"gates[{number}]: {gate.metric} goes with min and max of all rows only"
            )
    wanted = job.training.metric
    return fitting(wanted.name if wanted else CHOOSERS[answers.kind], answers, "training.metric.name")


def _search(job: Job, prepared: Prepared, recipe: Recipe, chooser: Metric) -> Best:
    judge = partial(cross_validated, recipe=recipe, folds=prepared.folds, metric=chooser)
    return Search(job.training.algorithms or DEFAULTS[job.task], job.training.tuning, chooser, judge).run()


def _known(
    job: Job, prepared: Prepared, chosen: tuple[Best, Any], judged: Context, chooser: Metric
) -> record.Trained:
    """Everything about the model that gates don't ask."""
    best, model = chosen
    seed = job.training.tuning.seed
    named = {chooser.name, *(gate.metric for gate in job.gates if gate.metric not in SERVING)}
    metrics: dict[str, dict[str, Any]] = {
        "test": measured(judged),
        "crossValidation": averages(best.score, prepared.folds, judged.target),
        "ci": {name: list(bootstrap.interval(METRICS[name], judged, seed)) for name in sorted(named)},
    }
    fit = findings.fit_of(chooser, model, prepared.train, best.score.value)
    found = (*findings.of_fit(fit), *findings.of_balance(prepared.target, named))
    weights = findings.importances(model, prepared.test, chooser, seed)
    return record.Trained(best, judged.target, metrics, fit, found, weights, seed)


def _facts(
    job: Job, prepared: Prepared, judged: Context, rival: champion.Opened | None, served: artifact.Served
) -> gates.Facts:
    facts = gates.Facts(
        judged,
        slices={
            gate.slice: prepared.raw_test[gate.slice].astype(str).to_numpy()
            for gate in job.gates
            if gate.slice
        },
        serving=serving(served, prepared.test.frame, {gate.metric for gate in job.gates}),
        seed=job.training.tuning.seed,
    )
    if rival is None:
        return facts
    if reason := champion.unlike(rival, prepared.raw_test, judged.target):
        return facts._replace(incomparable=reason)
    said = champion.answers(rival, prepared.raw_test, judged.target)
    return facts._replace(champion=Context(judged.target, said))
