"""One training run: from a job to a written, proven artifact and the report about it."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from assay_drift.profile import FILE as PROFILE
from assay_training.data.target import Target
from assay_training.evaluation import bootstrap, champion, gates, threshold
from assay_training.evaluation.latency import serving
from assay_training.evaluation.metrics import CHOOSERS, METRICS, SERVING, Context, Metric, fitting, measured
from assay_training.fitting import cross_validation
from assay_training.fitting.candidates import Candidate, Recipe, ask, fitted
from assay_training.job import record
from assay_training.job.preparation import Prepared, prepare
from assay_training.job.report import Report
from assay_training.packaging import artifact, parity
from assay_training.reporting import findings, previous
from assay_training.reporting.pages import cards
from assay_training.reporting.plots import plots
from assay_training.reporting.reference_profile import reference
from assay_training.runtime.progress import Tell, untold
from assay_training.search import selection
from assay_training.search.storage import Where, tidied
from assay_training.search.study import Best, Search
from assay_training.spec import Job


def train(job: Job, study: Where | None = None, tell: Tell = untold) -> Report:
    """Train one version and write its artifact; a version that fails its gates is written too.

    Args:
        job: What to train.
        study: Where workers share a study, and a killed run finds its trials.
        tell: Is told how far it is.

    Raises:
        JobError: With reason and message; then nothing is visible in the store.
    """
    selection.check(job.training, job.task)
    with tempfile.TemporaryDirectory(prefix="assay-training-") as name:
        scratch = Path(name)
        listed = job.training.features.names if job.training.features else ()
        champion_model = champion.champion_model(job.champion, job.gates, scratch / "champion", listed)
        previous_version = previous.known(job.before)
        prepared = prepare(job, champion_model.columns if champion_model else (), previous_version.contract)
        return _trained(
            job, prepared, (champion_model, previous_version), (scratch, study or scratch / "study"), tell
        )


def work(job: Job, study: Where) -> Report:
    """Run trials of a study for somebody else, who fits and writes the best.

    Raises:
        JobError: As `train`.
    """
    selection.check(job.training, job.task)
    prepared = prepare(job, pinned=previous.known(job.before).contract)
    _search(job, prepared, _recipe(job, prepared), study).work(until_all_finished=False)
    return {"ok": True, "passed": True, "worker": True}


def _trained(
    job: Job,
    prepared: Prepared,
    others: tuple[champion.ChampionModel | None, previous.PreviousVersion],
    places: tuple[Path, Where],
    tell: Tell,
) -> Report:
    (champion_model, previous_version), (scratch, study) = others, places
    chooser = _chooser(job, prepared.target)
    recipe = _recipe(job, prepared)
    search = _search(job, prepared, recipe, study, tell)
    search.work(until_all_finished=True)
    best = search.best()
    tell({"stage": "Fitting"})
    tidied(study)
    answered = threshold.decided(job.training.threshold, prepared.train.target, best.score.predicted)
    model = fitted(best.candidate, recipe, prepared.train)
    judged = Context(
        answered._replace(values=prepared.test.target.values), ask(model, prepared.test.frame, answered)
    )
    known = _known(job, prepared, (best, model), judged, chooser)
    known = known._replace(findings=(*previous_version.findings, *known.findings))
    rows = slice(parity.HELD_OUT)
    draft = artifact.Fitted(model, prepared.inputs, prepared.test.frame[rows], judged.predicted.numbers[rows])
    positions = recipe.algorithms[best.candidate.algorithm].positions
    manifest = record.manifest(job, prepared, answered, positions=positions)
    served = artifact.drafted(scratch, draft, manifest, job.training.format)
    verdicts = (
        *threshold.promise(job.training.threshold, judged),
        *gates.judge(job.gates, _facts(job, prepared, judged, champion_model, served)),
    )
    files = {
        record.OUT_OF_FOLD: record.out_of_fold(job, prepared, known),
        PROFILE: reference(served.predictor, prepared.train.frame, prepared.test.frame),
    }
    story = record.metadata(job, prepared, known, verdicts)
    shown = plots(judged, search.trials, chooser)
    files |= cards({**story, "version": job.version, "task": job.task}, previous_version, shown)
    extra = artifact.Extra(files, story)
    written = artifact.stored(job.destination, scratch / "stored", served, prepared.test.frame, extra)
    return record.report(prepared, known, verdicts, written, served.predictor.manifest.format)


def _recipe(job: Job, prepared: Prepared) -> Recipe:
    chosen = selection.algorithms(job, prepared.inputs)
    return Recipe(
        selection.learned(job.training, job.task),
        prepared.inputs,
        {each.name: each for each in chosen},
        job.training.tuning.seed,
    )


def _chooser(job: Job, answers: Target) -> Metric:
    """The metric that compares candidates; all metrics that the spec names must fit the target."""
    gates.check(job.gates, answers)
    wanted = job.training.metric
    return fitting(wanted.name if wanted else CHOOSERS[answers.kind], answers, "training.metric.name")


def _search(job: Job, prepared: Prepared, recipe: Recipe, study: Where, tell: Tell = untold) -> Search:
    chooser, folds = _chooser(job, prepared.target), prepared.folds

    def judge(candidate: Candidate, report: cross_validation.Report) -> cross_validation.Score:
        return cross_validation.cross_validated(candidate, recipe, folds, chooser, report)

    place = study, _name(job, prepared)
    return Search(tuple(recipe.algorithms.values()), job.training.tuning, chooser, judge, place, tell)


_EFFORT = {"parallelism", "trials", "timeout", "patience", "storage", "max_failed_trials"}


def _name(job: Job, prepared: Prepared) -> str:
    """Equal searches share a study; how many workers run it, or how long, makes no other search."""
    tuning = job.training.tuning.model_dump(mode="json", exclude=_EFFORT)
    requested = job.training.model_dump(
        mode="json", exclude={"tuning", "threshold", "format", "neutral", "worker"}
    )
    identity = [job.task, job.salt, requested, tuning, prepared.table.digest, artifact.packages()]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _known(
    job: Job, prepared: Prepared, chosen: tuple[Best, Any], judged: Context, chooser: Metric
) -> record.Trained:
    """Everything about the model that gates don't ask."""
    best, model = chosen
    seed = job.training.tuning.seed
    named = {chooser.name, *(gate.metric for gate in job.gates if gate.metric not in SERVING)}
    metrics: dict[str, dict[str, Any]] = {
        "test": measured(judged),
        "crossValidation": cross_validation.averages(best.score, prepared.folds, judged.target),
        "ci": {name: list(bootstrap.interval(METRICS[name], judged, seed)) for name in sorted(named)},
    }
    fit = findings.fit_of(chooser, model, prepared.train, best.score.value)
    found = (
        *findings.of_fit(fit),
        *findings.of_balance(prepared.target, named),
        *findings.of_leaks(prepared.train, job.training.data.target),
    )
    weights = findings.importances(model, prepared.test, chooser, seed)
    return record.Trained(best, judged.target, metrics, fit, found, weights, seed)


def _facts(
    job: Job,
    prepared: Prepared,
    judged: Context,
    champion_model: champion.ChampionModel | None,
    served: artifact.Served,
) -> gates.Facts:
    facts = gates.Facts(
        judged,
        slices={
            gate.slice: prepared.raw_test[gate.slice].astype(str).to_numpy()
            for gate in job.gates
            if gate.slice
        },
        serving=serving(
            served.predictor,
            sum(map(len, served.files.values())),
            prepared.test.frame,
            {gate.metric for gate in job.gates},
        ),
        seed=job.training.tuning.seed,
    )
    if champion_model is None:
        return facts
    if reason := champion_model.unlike(prepared.raw_test, judged.target):
        return facts._replace(incomparable=reason)
    predictions = champion_model.answers(prepared.raw_test, judged.target)
    return facts._replace(champion=Context(judged.target, predictions))
