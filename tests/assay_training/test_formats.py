"""What is served answers as the fitted pipeline does: ONNX where that holds, else the original."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from assay_artifact import Manifest, fetch, load
from assay_training.errors import JobError
from assay_training.job.training import train
from assay_training.packaging import artifact
from assay_training.packaging.parity import Parity
from assay_training.spec import Job

Make = Callable[..., Job]


def manifest(report: dict[str, Any], folder: Path) -> Manifest:
    return fetch(report["artifact"]["uri"], report["artifact"]["digest"], folder)


@pytest.mark.parametrize("algorithm", ["LogisticRegression", "HistGradientBoosting", "RandomForest"])
def test_onnx_is_served_and_answers_as_the_original_beside_it(
    job: Make, tmp_path: Path, algorithm: str
) -> None:
    report = train(job({"algorithms": [algorithm]}))
    assert report["artifact"]["format"] == "onnx"
    folder = tmp_path / "copy"
    fast = load(folder, manifest(report, folder))
    slow = load(folder, fast.manifest.model_copy(update={"format": "skops", "file": "model.skops"}))
    rows = {"state": ["KS", None, "nowhere"], "total_day_minutes": [265.1, None, 1e6]}
    ours, theirs = (np.asarray(each.predict(rows).probabilities) for each in (fast, slow))
    assert np.allclose(ours, theirs, atol=1e-6)
    assert fast.manifest.metadata["parity"]["rows"] > 200


def test_a_conversion_that_answers_otherwise_is_not_served(
    job: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = {"categorical": ["state", "international_plan"]}
    other = train(job({"features": features}))
    manifest(other, tmp_path / "other")
    wrong = (tmp_path / "other/model.onnx").read_bytes()
    monkeypatch.setattr(artifact, "onnx", lambda *_: wrong)
    report = train(job({"features": features, "algorithms": ["HistGradientBoosting"]}))
    assert report["artifact"]["format"] == "skops"
    found = manifest(report, tmp_path / "copy")
    assert "model.onnx" not in found.files
    assert found.metadata["parity"]["worst"] > 1e-3


def test_what_cannot_be_converted_is_served_as_skops(job: Make, file: Path, tmp_path: Path) -> None:
    rows = pandas.read_csv(file)
    rows["note"] = "customer wrote about bill " + rows.customer_id.astype(str)
    rows.to_csv(file, index=False)
    report = train(job())
    assert report["artifact"]["format"] == "skops"
    assert "not convertible" in manifest(report, tmp_path / "copy").metadata["parity"]["reason"]
    with pytest.raises(JobError, match="use Auto or Skops") as refusal:
        train(job({"format": "ONNX"}))
    assert refusal.value.reason == "ParityFailed"


def test_a_wide_category_keeps_its_frequent_values(
    job: Make, churn: pandas.DataFrame, tmp_path: Path
) -> None:
    rows = churn[["customer_id", "number_customer_service_calls", "churn"]].head(600)
    rows = rows.assign(
        shop=[f"shop {number % 150}" if number % 2 else "main street" for number in range(600)]
    )
    rows.to_csv(tmp_path / "wide.csv", index=False)
    report = train(job(data={"uri": str(tmp_path / "wide.csv")}))
    served = load(tmp_path / "copy", manifest(report, tmp_path / "copy"))
    assert np.asarray(served.predict({"shop": ["never"]}).labels).tolist() == ["no"]


def test_a_single_category_is_served_by_whatever_reads_it(job: Make, tmp_path: Path) -> None:
    report = train(job({"features": {"categorical": ["international_plan"]}}))
    copy = load(tmp_path / "copy", manifest(report, tmp_path / "copy"))
    answer = copy.predict({"international_plan": ["no", None]})
    assert np.asarray(answer.labels).tolist() == ["no", "no"]


def test_skops_alone_is_written_when_asked_for(job: Make, tmp_path: Path) -> None:
    report = train(job({"format": "Skops"}))
    assert "model.onnx" not in manifest(report, tmp_path / "copy").files


@pytest.mark.parametrize(
    ("parity", "holds"),
    [
        pytest.param(Parity(10, 9e-6, 0), True, id="within rounding"),
        pytest.param(Parity(10, 2e-5, 0), False, id="beyond rounding"),
        pytest.param(Parity(10, 1e-9, 1), False, id="one other label"),
        pytest.param(Parity(reason="not convertible"), False, id="nothing to compare"),
    ],
)
def test_parity_is_no_other_label_and_equal_numbers(parity: Parity, holds: object) -> None:
    assert parity.holds is holds


def test_the_sample_keeps_nulls() -> None:
    rows = pandas.DataFrame({"a": [1.5, np.nan], "b": np.array(["x", np.nan], dtype=object)})
    content = json.loads(artifact._sample(rows, np.array([[0.1, 0.9], [0.5, 0.5]])))
    assert content["rows"] == {"a": [1.5, None], "b": ["x", None]}
