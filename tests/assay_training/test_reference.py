"""Beside the model lies what its rows and answers were like, in cells that never change."""

from collections.abc import Callable
from pathlib import Path

import pandas

from assay_artifact import fetch
from assay_drift.profile import FILE, NULL, UNSEEN, Categories, Numeric, read
from assay_training.job.training import train
from assay_training.spec import Job

Make = Callable[..., Job]


def test_a_version_has_the_profile_of_its_rows_and_of_its_answers_to_new_ones(
    job: Make, file: Path, tmp_path: Path
) -> None:
    report = train(job({"threshold": {"prefer": "recall", "atLeast": 0.6}}))
    manifest = fetch(report["artifact"]["uri"], report["artifact"]["digest"], tmp_path / "copy")
    profile = read((tmp_path / "copy" / FILE).read_bytes())
    assert list(profile.features) == [feature.name for feature in manifest.features]
    assert (profile.rows, profile.answers) == (report["data"]["train"], report["data"]["test"])
    state, minutes = profile.features["state"], profile.features["total_day_minutes"]
    assert isinstance(state, Categories)
    assert isinstance(minutes, Numeric)
    assert set(state.codes) <= set(pandas.read_csv(file).state)
    assert (state.counts[UNSEEN], state.counts[NULL], state.counts.sum()) == (0, 0, profile.rows)
    score, label = profile.predictions["score"], profile.predictions["label"]
    assert isinstance(score, Numeric)
    assert manifest.threshold in score.edges
    assert isinstance(label, Categories)
    assert list(label.codes) == [str(each) for each in manifest.classes or ()]


def test_equal_jobs_have_equal_profiles(job: Make, tmp_path: Path) -> None:
    digests = set()
    for _ in range(2):
        report = train(job())
        manifest = fetch(report["artifact"]["uri"], report["artifact"]["digest"], tmp_path / "copy")
        digests.add(manifest.files[FILE].sha256)
    assert len(digests) == 1


def test_a_regression_is_profiled_by_its_values(job: Make, tmp_path: Path) -> None:
    wanted = {"data": {"target": "total_day_minutes"}, "training": {"algorithms": ["LinearRegression"]}}
    report = train(job(wanted["training"], wanted["data"], task="Regression"))
    fetch(report["artifact"]["uri"], report["artifact"]["digest"], tmp_path / "copy")
    assert list(read((tmp_path / "copy" / FILE).read_bytes()).predictions) == ["value"]
